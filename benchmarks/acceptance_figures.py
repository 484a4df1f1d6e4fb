"""From what was produced and what the channel accepted to figures. Times are seconds of one clock.

The quantity of a SKU only ever falls here. So the first accepted quantity that is not above the one an event left
behind contains that event, and an accepted quantity above an earlier one is an old value over a newer one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from benchmarks.comparison.cluster import BenchmarkFailed


class Produced(NamedTuple):
    """An event was handed to the producer; ``quantity`` of the listing is left after it."""

    at: float
    listing: str
    quantity: int
    measured: bool = True


class Accepted(NamedTuple):
    """The channel answered that it shows this quantity."""

    at: float
    listing: str
    quantity: int


def latencies(produced: Sequence[Produced], accepted: Sequence[Accepted]) -> list[float]:
    """Seconds from each measured event to the first acceptance that contains it, ascending.

    Raises ``BenchmarkFailed``: an event is in no acceptance.
    """
    taken: dict[str, list[Accepted]] = {}
    for one in accepted:
        taken.setdefault(one.listing, []).append(one)
    position = dict.fromkeys(taken, 0)
    found, missing = [], 0
    for event in produced:
        told, index = taken.get(event.listing, ()), position.get(event.listing, 0)
        while index < len(told) and told[index].quantity > event.quantity:
            index += 1
        position[event.listing] = index
        if index == len(told):
            missing += 1
        elif event.measured:
            found.append(told[index].at - event.at)
    if missing:
        raise BenchmarkFailed(f"{missing} of {len(produced)} events were accepted in no update")
    return sorted(found)


def quantile(ascending: Sequence[float], share: float) -> float:
    """By nearest rank: the least value that at least this share is not above."""
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)]


def stale(accepted: Iterable[Accepted]) -> int:
    """How often an old value was accepted over a newer one."""
    least: dict[str, int] = {}
    count = 0
    for one in accepted:
        count += one.quantity > least.get(one.listing, one.quantity)
        least[one.listing] = min(one.quantity, least.get(one.listing, one.quantity))
    return count


def waiting_at(produced: Sequence[Produced], accepted: Sequence[Accepted], moments: Sequence[float]) -> list[int]:
    """How many listings wait for their newest quantity to be accepted, at each of the ascending moments."""
    newest: dict[str, int] = {}
    waiting: set[str] = set()
    told = sorted([(one.at, 0, one) for one in produced] + [(one.at, 1, one) for one in accepted])
    found: list[int] = []
    index = 0
    for moment in moments:
        while index < len(told) and told[index][0] < moment:
            one = told[index][2]
            if isinstance(one, Produced):
                newest[one.listing] = one.quantity
                waiting.add(one.listing)
            elif one.quantity <= newest.get(one.listing, one.quantity):
                waiting.discard(one.listing)
            index += 1
        found.append(len(waiting))
    return found


def most_at_once(calls: Iterable[float], rate_per_s: float) -> float:
    """The least burst with which these calls keep to ``burst + rate_per_s * t`` in every window of ``t``."""
    level, most, before = 0.0, 0.0, -math.inf
    for at in calls:
        level = max(0.0, level - (at - before) * rate_per_s) + 1.0
        most, before = max(most, level), at
    return most
