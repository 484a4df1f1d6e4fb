"""How old records are when they are applied, and when what they caused is acknowledged."""

from __future__ import annotations

import time
from collections.abc import Callable

from connectors.metrics import Distribution
from domain.facts import Micros
from streams.data_plane.sensor import PlaneStats


class Freshness:
    """Counts per batch, never per event: every record of a batch counts with the age of its oldest one.

    The age is taken from the record's Kafka time stamp, not from ``occurred_at``: a replay of last year's events
    is no delay of ours. Nothing tells us that an epoch was written, but the plane counts epochs and their time,
    so it is known afterwards when that was.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.applied = Distribution()
        self.acknowledged = Distribution()
        self._clock = clock
        self._stats = PlaneStats()
        self._gathered: list[tuple[float, int]] = []
        self._written: list[tuple[float, int]] = []
        self._collected_at = 0.0
        self._epochs = 0
        self._busy_s = 0.0

    def follow(self, stats: PlaneStats) -> None:
        """These are the counters of the plane that collects."""
        self._stats = stats

    def batch_applied(self, oldest_ms: int, records: int) -> None:
        """A batch was applied; ``oldest_ms`` is the Kafka time stamp of its first record, 0 if it has none."""
        if oldest_ms > 0:
            born = oldest_ms / 1_000
            self.applied.observe(max(0.0, self._clock() - born), records)
            self._gathered.append((born, records))

    def collected(self, now: Micros) -> None:
        """An epoch took what was applied so far, and is about to write it."""
        self.settle()
        self._written += self._gathered
        self._gathered = []
        self._collected_at = now / 1_000_000
        self._epochs = self._stats.epochs
        self._busy_s = self._stats.collect_s + self._stats.write_s

    def settle(self) -> None:
        """Count what is acknowledged by now."""
        stats = self._stats
        if self._written and stats.epochs > self._epochs:
            acknowledged_at = self._collected_at + stats.collect_s + stats.write_s - self._busy_s
            for born, records in self._written:
                self.acknowledged.observe(max(0.0, acknowledged_at - born), records)
            self._written = []
