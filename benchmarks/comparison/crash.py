"""Recovery: kill -9, start again at once, and wait for outputs that contain new events with all the old ones."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.comparison.cluster import PARTITIONS, BenchmarkFailed
from benchmarks.comparison.events import Event
from benchmarks.comparison.outputs import marks
from benchmarks.comparison.pace import paced

if TYPE_CHECKING:
    from benchmarks.comparison.visit import Visit

PROBES = 40 * PARTITIONS
"""New events after the crash: enough that every partition gets some."""
PROBES_PER_S = 10_000.0
LONGEST_S = 90.0


def probes(events: Sequence[Event]) -> Sequence[Event]:
    """The events that are fed after the crash."""
    return events[:PROBES]


def measure(visit: Visit, events: Sequence[Event]) -> tuple[dict[str, float], list[Any]]:
    """Crash the side and tell seconds until the first and until every partition goes on; also the outputs.

    Raises BenchmarkFailed when it does not come back.
    """
    visit.kill()
    crashed = time.time()
    visit.start()
    paced(visit.cluster, events, PROBES_PER_S)
    visit.produced += len(events)
    outputs = visit.settle(LONGEST_S)
    wanted = {}
    for event in reversed(events):  # the first new mark of each key
        wanted[event.key] = visit.mark(event)
    first: dict[int, float] = {}
    for message, counted in zip(outputs, marks(visit.reader, outputs), strict=True):
        if counted.mark >= wanted.get(counted.key, counted.mark + 1):
            number = message.partition()
            first[number] = min(first.get(number, float("inf")), counted.appended_ms / 1000)
    if len(first) < PARTITIONS:
        raise BenchmarkFailed(f"after a crash only {len(first)} of {PARTITIONS} partitions went on")
    times = sorted(at - crashed for at in first.values())
    return {"first_s": times[0], "all_s": times[-1]}, outputs
