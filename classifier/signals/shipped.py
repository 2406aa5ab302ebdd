"""The detectors that come with the package, in the order in which they run."""

from functools import cache

from classifier.signals.advance import Ahead
from classifier.signals.days import DayOff
from classifier.signals.fees import LowPriceBait, PrepayExcess
from classifier.signals.hours import LateEnd
from classifier.signals.patterns import Pattern, load_rules
from classifier.signals.preschool import PreschoolSubject
from classifier.signals.registry import Detector


@cache
def shipped_detectors() -> tuple[Detector, ...]:
    """One of each kind, and one for each rule of phrases/*.toml."""
    return (DayOff(), LateEnd(), PrepayExcess(), LowPriceBait(), Ahead(), *map(Pattern, load_rules()), PreschoolSubject())
