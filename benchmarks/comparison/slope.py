"""Throughput: from samples of progress and CPU time to events and CPU seconds per event over the same stretch."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.comparison.cluster import BenchmarkFailed
from benchmarks.comparison.outputs import Counted
from benchmarks.comparison.program import cpu_seconds

if TYPE_CHECKING:
    from benchmarks.comparison.visit import Visit

BEGIN, END = 0.10, 0.95
"""The stretch that is measured, in parts of the preloaded events: without start-up and without the last crumbs.
A side that has to warm up longer says so in its ``side.toml``."""


class Sample(NamedTuple):
    """One look at a side: Unix time, committed events, CPU seconds of the side and of the broker."""

    at: float
    done: int
    cpu_s: float
    broker_cpu_s: float


def sample(visit: Visit, broker_pid: int) -> Sample:
    """A look now."""
    done = visit.committed() if visit.side.progress == "committed" else 0
    return Sample(time.time(), done, visit.cpu_seconds(), cpu_seconds(broker_pid))


def of_commits(samples: Sequence[Sample], total: int, warm_up: float = BEGIN) -> dict[str, float]:
    """From the first look that showed 10 % to the first that showed 95 %. Raises BenchmarkFailed."""
    begin = next((one for one in samples if one.done >= warm_up * total), None)
    end = next((one for one in samples if one.done >= END * total), None)
    if begin is None or end is None or end.at <= begin.at:
        raise BenchmarkFailed("offsets are committed too rarely for a slope: preload more events")
    return _told(samples, (begin.at, begin.done), (end.at, end.done))


def of_outputs(
    samples: Sequence[Sample], counted: Sequence[Counted], total: int, warm_up: float = BEGIN
) -> dict[str, float]:
    """The same, with progress told by the outputs and their append times."""
    progress = list(_progress(counted))
    begin = next((one for one in progress if one[1] >= warm_up * total), None)
    end = next((one for one in progress if one[1] >= END * total), None)
    if begin is None or end is None or end[0] <= begin[0]:
        raise BenchmarkFailed("the outputs arrived all at once: preload more events")
    return _told(samples, begin, end)


def _progress(counted: Sequence[Counted]) -> Iterator[tuple[float, int]]:
    """Unix time and events counted by then."""
    known: dict[bytes, int] = {}
    done = 0
    for one in sorted(counted, key=lambda each: each.appended_ms):  # stable: a key's own order stays
        before = known.get(one.key, 0)
        if one.mark > before:
            known[one.key] = one.mark
            done += one.mark - before
        yield one.appended_ms / 1000, done


def _told(samples: Sequence[Sample], begin: tuple[float, int], end: tuple[float, int]) -> dict[str, float]:
    seconds, events = end[0] - begin[0], end[1] - begin[1]
    used = _between(samples, begin[0], end[0])
    return {
        "events_per_s": events / seconds,
        "cpu_s_per_million": used[0] / events * 1e6,
        "broker_cpu_s_per_million": used[1] / events * 1e6,
        "cores": used[0] / seconds,
        "seconds": seconds,
        "events": events,
    }


def _between(samples: Sequence[Sample], begin: float, end: float) -> tuple[float, float]:
    """CPU seconds of side and broker between two times, interpolated between looks."""
    times = [one.at for one in samples]

    def at(when: float) -> tuple[float, float]:
        index = min(max(1, bisect_left(times, when)), len(times) - 1)
        one, other = samples[index - 1], samples[index]
        part = min(1.0, max(0.0, (when - one.at) / max(1e-9, other.at - one.at)))
        return (
            one.cpu_s + part * (other.cpu_s - one.cpu_s),
            one.broker_cpu_s + part * (other.broker_cpu_s - one.broker_cpu_s),
        )

    first, last = at(begin), at(end)
    return last[0] - first[0], last[1] - first[1]
