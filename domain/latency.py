"""How long a channel takes to acknowledge: quantiles of the last minutes, in bounded memory.

Latencies are counted in buckets whose bounds grow by a quarter of a doubling, per slot of event time. A quantile
is the upper bound of its bucket: never below the true one, and at most 19 % (and a millisecond) above it. What is
counted is a function of the set of samples: their order does not matter, and windows of disjoint samples add up.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from fractions import Fraction

from domain.facts import SECOND, Micros

MILLISECOND: Micros = SECOND // 1000

_PER_DOUBLING = 4
_DOUBLINGS = 27  # 2 ** 27 ms are 37 hours: beyond that a channel is down, not slow

LATENCY_BOUNDS: tuple[Micros, ...] = tuple(
    sorted({round(2 ** (k / _PER_DOUBLING)) * MILLISECOND for k in range(_PER_DOUBLING * _DOUBLINGS + 1)})
)
"""Upper bounds of the buckets; longer latencies count in the last one."""

SLOT: Micros = 60 * SECOND
SLOTS = 10
"""What is older than the newest sample by this many slots does not count any more."""


def rounded_up(latency: Micros) -> Micros:
    """The bound of the bucket of a latency, so that it changes seldom; the last one for what is longer."""
    return LATENCY_BOUNDS[_bucket(latency)]


def _bucket(latency: Micros) -> int:
    return min(bisect_left(LATENCY_BOUNDS, latency), len(LATENCY_BOUNDS) - 1)


class LatencyWindow:
    """Samples of the last ``SLOTS`` slots up to the newest one; at most some thousand small integers.

    While nothing happens the last samples go on to count: a channel that is told nothing does not become faster.
    """

    __slots__ = ("_slots", "_total")

    def __init__(self, samples: Iterable[tuple[Micros, Micros]] = ()) -> None:
        self._slots: dict[int, dict[int, int]] = {}
        self._total: dict[int, int] = {}
        for at, latency in samples:
            self.add(at, latency)

    def __len__(self) -> int:
        """How many samples count."""
        return sum(self._total.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LatencyWindow) and self._slots == other._slots

    __hash__ = None  # type: ignore[assignment]  # it changes

    def add(self, at: Micros, latency: Micros) -> None:
        """Count a latency measured at ``at``. The caller bounds ``at``: the newest one moves the window."""
        self._count(at // SLOT, _bucket(latency), 1)

    def merge(self, other: LatencyWindow) -> None:
        """Count the samples of another window, too."""
        for slot, buckets in other._slots.items():
            for bucket, count in buckets.items():
                self._count(slot, bucket, count)

    def quantile(self, part: Fraction) -> Micros | None:
        """The smallest bound that at least ``part`` (above 0, at most 1) of the samples do not exceed.

        None without samples.
        """
        wanted = len(self) * part
        if not wanted:
            return None
        reached = 0
        for bucket in sorted(self._total):
            reached += self._total[bucket]
            if reached >= wanted:
                return LATENCY_BOUNDS[bucket]
        raise ValueError(f"a quantile is a part of all samples, got {part}")

    def _count(self, slot: int, bucket: int, count: int) -> None:
        newest = max(self._slots, default=slot)
        if slot <= newest - SLOTS:
            return
        if slot > newest:
            for gone in [known for known in self._slots if known <= slot - SLOTS]:
                for each, less in self._slots.pop(gone).items():
                    _add(self._total, each, -less)
        _add(self._slots.setdefault(slot, {}), bucket, count)
        _add(self._total, bucket, count)


def _add(counts: dict[int, int], bucket: int, count: int) -> None:
    total = counts.get(bucket, 0) + count
    if total:
        counts[bucket] = total
    else:
        counts.pop(bucket, None)
