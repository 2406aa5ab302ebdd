"""Violation signals: rules with thresholds, each with the value that was read from the text."""

from classifier.signals.registry import SignalMatch, detect, registered, rules_version

__all__ = ["SignalMatch", "detect", "registered", "rules_version"]
