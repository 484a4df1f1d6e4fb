"""Latency at a part of full load: from an event's creation to the first output that contains it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.comparison.cluster import BenchmarkFailed
from benchmarks.comparison.events import Event
from benchmarks.comparison.outputs import Counted, marks
from benchmarks.comparison.pace import paced

if TYPE_CHECKING:
    from benchmarks.comparison.visit import Visit

LOAD = 0.2
"""Part of the side's own throughput at which its latency is measured."""
WARM_UP = 0.2
"""Part of the events that is fed first and not counted."""
SETTLE_S = 30.0


def measure(visit: Visit, events: Sequence[Event], rate_per_s: float) -> tuple[dict[str, float], list[Any]]:
    """Feed the events; p50, p99 and the most in milliseconds, and the outputs. Raises BenchmarkFailed."""
    created = paced(visit.cluster, events, rate_per_s)
    visit.produced += len(events)
    outputs = visit.settle(SETTLE_S)
    found = latencies(
        [(event.key, visit.mark(event), at) for event, at in zip(events, created, strict=True)],
        marks(visit.reader, outputs),
    )
    if len(found) < len(events):
        raise BenchmarkFailed(f"{len(events) - len(found)} of {len(events)} events are in no output")
    counted = sorted(found[int(WARM_UP * len(found)) :])
    fed_s = created[-1] - created[0]
    return {
        "p50_ms": _at(counted, 0.50),
        "p99_ms": _at(counted, 0.99),
        "most_ms": counted[-1],
        "events": len(counted),
        "rate_per_s": len(events) / fed_s,
    }, outputs


def latencies(events: Sequence[tuple[bytes, int, float]], outputs: Sequence[Counted]) -> list[float]:
    """Milliseconds of each event (key, mark, created) that an output contains, in the events' order.

    Append times are whole milliseconds, rounded down: half of one is added.
    """
    by_key: dict[bytes, list[Counted]] = {}
    for output in outputs:
        by_key.setdefault(output.key, []).append(output)
    position = dict.fromkeys(by_key, 0)
    found = []
    for key, mark, created in events:
        told = by_key.get(key)
        if told is None:
            continue
        index = position[key]
        while index < len(told) and told[index].mark < mark:
            index += 1
        position[key] = index
        if index < len(told):
            found.append(told[index].appended_ms + 0.5 - created * 1000)
    return found


def _at(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))]
