"""Sending the outbox's notices."""

from service.runtime import Runtime


class Sender:
    """Sends due notices."""

    def __init__(self, runtime: Runtime) -> None:
        """Send from the runtime's database."""
        self._runtime = runtime

    def step(self) -> int:
        """Send what is due; give how many."""
        return 0
