"""What made a SKU's numbers change: kept through coalescing, so that an output can name its events."""

from __future__ import annotations

from domain.facts import Micros

KEPT_EVENT_IDS = 8


class Cause:
    """The events of one epoch that touched a SKU: the oldest and newest time, how many, and some of their ids.

    ``repair`` is set when a record may have been handled by an earlier owner of the partition: the outputs are
    then written again although the numbers look unchanged.
    """

    __slots__ = ("count", "event_ids", "newest", "oldest", "repair")

    def __init__(self) -> None:
        self.count = 0
        self.oldest: Micros | None = None
        self.newest: Micros | None = None
        self.event_ids: list[str] = []
        self.repair = False

    def add(self, event_id: str, occurred_at: Micros) -> None:
        """Count one more event."""
        self.count += 1
        if self.oldest is None or occurred_at < self.oldest:
            self.oldest = occurred_at
        if self.newest is None or occurred_at > self.newest:
            self.newest = occurred_at
        if len(self.event_ids) < KEPT_EVENT_IDS:
            self.event_ids.append(event_id)
