"""Rules are data: the shipped cues, signal rules, borderline words and clauses, and a district's own beside them."""

from classifier.rules.folder import check_folder
from classifier.rules.ruleset import RuleSet, load_ruleset

__all__ = ["RuleSet", "check_folder", "load_ruleset"]
