"""Subject training for children before school: the stage decides, the words show it."""

import re
from collections.abc import Iterator

from classifier.signals.registry import Context, Detector, SignalMatch

_WORDS = re.compile(
    r"幼小衔接|幼升小|学龄前|学前班|幼儿园|幼儿|准一年级|大班|中班|入学准备|[3-6三四五六](?:\.5)?(?:周?岁)?[-~到至]{1,2}[4-9四五六七八九]{1,2}周?岁|[3-6三四五六]周?岁|学前"
)


class PreschoolSubject(Detector):
    """Runs only where the text is subject training and its stages include the preschool years."""

    signals = ("preschool_subject",)
    triggers = ()

    def find(self, text: str, context: Context) -> Iterator[SignalMatch]:
        """The first words that name the children's age."""
        if "preschool" not in context.stages or context.category != "subject":
            return
        match = _WORDS.search(text)
        first, stop = match.span() if match else (0, 0)
        yield SignalMatch("preschool_subject", f"学龄前：{match.group()}" if match else "学龄前（模型判断）", first, stop)
