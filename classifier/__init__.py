"""鉴课 (jianke): what an off-campus course or advertisement really teaches, with evidence and policy clauses."""

from classifier.errors import InputError, JiankeError, ModelError, RunError
from classifier.pipeline import Classifier, load
from classifier.records import Assessment, Evidence, Finding, Record, Signal, Verdict, Versions
from classifier.version import __version__

__all__ = [
    "Assessment", "Classifier", "Evidence", "Finding", "InputError", "JiankeError", "ModelError", "Record", "RunError",
    "Signal", "Verdict", "Versions", "__version__", "load",
]  # fmt: skip
