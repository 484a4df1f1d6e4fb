"""How fast a SKU sells on each channel, from the order lines themselves.

A line counts with what it wants now, at the instant it was first released, for the channel of its current version:
a cancellation takes a sale back, a repeated or late event changes nothing twice. So the velocity is a function of
the set of facts and ``now``: it needs no storage of its own and is the same after a crash or replay (laws L1-L3).

Cost: one small dict for each channel that sold the SKU within a day, with an entry for each five minutes in which
it did (at most 290); nothing for what did not sell.
"""

from __future__ import annotations

from fractions import Fraction

from domain.facts import SECOND, Micros
from domain.guard import HOUR

SLOT: Micros = 300 * SECOND
RECENT_SLOTS = HOUR // SLOT
DAILY_SLOTS = 24 * RECENT_SLOTS
AHEAD_SLOTS = 1
"""Clocks differ: a sale counts that happened up to a slot from now."""

_MOST_SLOTS = 2 * DAILY_SLOTS


class Sales:
    """Units sold of one SKU per channel and slot of five minutes, over a day.

    ``add`` takes a line's share in and, with the sign turned, out again.
    """

    __slots__ = ("_by_channel", "_floor")

    def __init__(self) -> None:
        self._by_channel: dict[str, dict[int, int]] = {}
        self._floor: dict[str, int] = {}
        """Slots below are forgotten, for good."""

    def add(self, channel: str, at: Micros, units: int) -> None:
        """Units (negative: taken back) that were sold at ``at``."""
        slot = at // SLOT
        if slot < self._floor.get(channel, slot):
            return
        sold = self._by_channel.setdefault(channel, {})
        total = sold.get(slot, 0) + units
        if total:
            sold[slot] = total
            if len(sold) > _MOST_SLOTS:
                self._forget(channel, sorted(sold)[-DAILY_SLOTS])
        else:
            sold.pop(slot, None)
            if not sold:
                del self._by_channel[channel]

    def per_hour(self, channel: str, now: Micros) -> Fraction:
        """The velocity in units per hour: the larger one of the last hour's and the last day's.

        The last hour makes it follow a rush at once, the last day keeps it from forgetting a slow seller. The slot
        that an hour (a day) ago lies in counts whole, so the velocity is rather too high by some minutes' sales.
        """
        sold = self._by_channel.get(channel)
        if not sold:
            return _NONE
        slot = now // SLOT
        self._forget(channel, slot - DAILY_SLOTS)
        last = slot + AHEAD_SLOTS
        recent = sum(sold.get(each, 0) for each in range(slot - RECENT_SLOTS, last + 1))
        daily = sum(units for each, units in sold.items() if each <= last)
        return max(Fraction(recent), Fraction(daily, 24), _NONE)

    def channels(self, now: Micros) -> tuple[str, ...]:
        """Channels that sold within the last day, by name."""
        for channel in list(self._by_channel):
            self._forget(channel, now // SLOT - DAILY_SLOTS)
        return tuple(sorted(self._by_channel))

    def _forget(self, channel: str, below: int) -> None:
        if below <= self._floor.get(channel, below - 1):
            return
        self._floor[channel] = below
        sold = self._by_channel[channel]
        for slot in [each for each in sold if each < below]:
            del sold[slot]
        if not sold:
            del self._by_channel[channel]


_NONE = Fraction(0)
