"""Soft reservations: what each still holds, and when the next one runs out (semantics section 4)."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import NamedTuple, cast

from domain.facts import Micros, Reservation, ReservationRelease
from domain.units import Group, Unit


class Hold(NamedTuple):
    """A reservation with the units it would hold until it expires, and the units used up of it."""

    requested: Reservation
    used: int

    @property
    def remaining(self) -> int:
        """Units neither released nor converted."""
        return max(0, self.requested.quantity - self.used)


def hold_of(group: Group, converted: int) -> Hold | None:
    """The reservation of a unit, less what was released and ``converted``; None while it was not requested."""
    requested: Reservation | None = None
    used = converted
    for fact in group:
        if type(fact) is Reservation:
            requested = fact
        else:
            used += cast(ReservationRelease, fact).quantity
    return None if requested is None else Hold(requested, used)


class Expiries:
    """When held reservations run out, soonest first."""

    __slots__ = ("_at", "_queue")

    def __init__(self) -> None:
        self._at: dict[Unit, Micros] = {}
        self._queue: list[tuple[Micros, Unit]] = []

    def hold(self, unit: Unit, expires_at: Micros) -> None:
        """The unit holds something until then."""
        self._at[unit] = expires_at
        heappush(self._queue, (expires_at, unit))
        if len(self._queue) > 2 * len(self._at) + 8:
            self._queue = [(at, one) for one, at in self._at.items()]
            heapify(self._queue)

    def drop(self, unit: Unit) -> None:
        """The unit holds nothing any more; what the queue still says of it is ignored."""
        del self._at[unit]

    def due(self, now: Micros) -> list[Unit]:
        """Units that ran out at ``now``, taken off the queue."""
        units: dict[Unit, None] = {}
        while self._queue and self._queue[0][0] <= now:
            at, unit = heappop(self._queue)
            if self._at.get(unit) == at:
                units[unit] = None
        return list(units)

    def next(self) -> Micros | None:
        """When the next one runs out, or None."""
        while self._queue and self._at.get(self._queue[0][1]) != self._queue[0][0]:
            heappop(self._queue)
        return self._queue[0][0] if self._queue else None
