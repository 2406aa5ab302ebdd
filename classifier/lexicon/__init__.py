"""The lexicon: words that point at a label, found in folded text."""

from classifier.lexicon.matcher import Cue, CueMatches, Lexicon, load_lexicon

__all__ = ["Cue", "CueMatches", "Lexicon", "load_lexicon"]
