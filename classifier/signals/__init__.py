"""Violation signals: rules with thresholds, each with the value that was read from the text."""

from classifier.signals.registry import Context, Detector, DetectorSet, SignalMatch
from classifier.signals.shipped import shipped_detectors

__all__ = ["Context", "Detector", "DetectorSet", "SignalMatch", "shipped_detectors"]
