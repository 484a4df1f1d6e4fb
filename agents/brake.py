"""Stops intake when so much is rejected that the fault is not in single records (architecture section 3)."""

from __future__ import annotations

MAX_IN_A_ROW = 100
MAX_PERCENT = 5
WINDOW = 2_000


class BrakePulled(Exception):
    """Too many records were rejected; the worker stops before it turns a topic into dead letters."""


class Brake:
    """Counts accepted and rejected records of one topic. ``rejected`` raises ``BrakePulled`` over the limits.

    The percentage is judged over windows of ``WINDOW`` records, so that a few poisoned records never count.
    """

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self._in_a_row = 0
        self._seen = 0
        self._rejected = 0

    def accepted(self, count: int) -> None:
        """Count records that were good."""
        if count:
            self._in_a_row = 0
            self._turn(count)

    def rejected(self, reason: str) -> None:
        """Count one rejected record."""
        self._in_a_row += 1
        self._rejected += 1
        if self._in_a_row >= MAX_IN_A_ROW:
            raise BrakePulled(
                f"{self.topic}: {self._in_a_row} records in a row were rejected, the last one for {reason}. "
                "Look at the newest dead letters, repair the producer or the schema, then start the worker again."
            )
        if self._rejected * 100 > MAX_PERCENT * WINDOW:
            raise BrakePulled(
                f"{self.topic}: {self._rejected} of the last {WINDOW} records were rejected, the last one for "
                f"{reason}. Look at the newest dead letters, repair the producer, then start the worker again."
            )
        self._turn(1)

    def _turn(self, count: int) -> None:
        self._seen += count
        if self._seen >= WINDOW:
            self._seen = self._rejected = 0
