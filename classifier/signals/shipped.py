"""The detectors that come with the package, in the order in which they run."""

from functools import cache

from classifier.signals.fees import LowPriceBait, PrepayExcess
from classifier.signals.patterns import Pattern, load_rules
from classifier.signals.preschool import PreschoolSubject
from classifier.signals.registry import Detector
from classifier.signals.schedule import DayOff, LateEnd


@cache
def shipped_detectors() -> tuple[Detector, ...]:
    """One of each kind, and one for each rule of patterns.toml."""
    return (DayOff(), LateEnd(), PrepayExcess(), LowPriceBait(), *map(Pattern, load_rules()), PreschoolSubject())
