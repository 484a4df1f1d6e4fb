"""The generic cell rate algorithm (GCRA), in whole microseconds: one number a meter says what is left of a budget.

That number is the theoretical arrival time: when the budget would be untouched again. A call moves it by the
meter's ``interval``; it is allowed while the time stays within ``tolerance`` of the present. So the calls of any
period of length t are at most ``tolerance / interval + t / interval``: the burst, and the rate times t.
"""

from __future__ import annotations

from typing import NamedTuple

from domain.facts import SECOND, Micros

SHARES = 720_720
"""The whole of a rate. A half, a third ... a sixteenth of it are whole numbers: shares add up to it exactly."""

LONGEST_INTERVAL: Micros = 3_600 * SECOND
"""Within it times, intervals and shares stay exact in the double-precision numbers of a Redis script."""

LARGEST_BURST = 1_000_000

SLOWEST = SHARES // 16
RECOVERY: Micros = 300 * SECOND
"""How long it takes from nothing to the whole rate; from a half, half as long."""
ONE_INCIDENT: Micros = SECOND
"""Refusals within this time of the last decrease are one incident: the calls were under way together."""


class Gcra(NamedTuple):
    """One meter: what a call costs and how far calls may run ahead, both in microseconds."""

    interval: Micros
    tolerance: Micros

    @classmethod
    def of(cls, calls: int, period: Micros, burst: int) -> Gcra:
        """``calls`` in each ``period`` on average, ``burst`` of them at once. Rounded to the slower side.

        Raises ``ValueError``: not above 0, slower than ``LONGEST_INTERVAL``, or more than ``LARGEST_BURST``.
        """
        if calls < 1 or period < 1 or burst < 1:
            raise ValueError(f"calls, period and burst must be at least 1, got {calls}, {period} us, {burst}")
        interval = -(-period // calls)
        if interval > LONGEST_INTERVAL:
            raise ValueError(f"{calls} calls in {period} us are fewer than one in an hour: not for a rate")
        if burst > LARGEST_BURST:
            raise ValueError(f"a burst of {burst} calls is more than {LARGEST_BURST}")
        return cls(interval, burst * interval)

    @property
    def burst(self) -> int:
        """Calls that a full budget allows at once."""
        return self.tolerance // self.interval

    def used_within(self, late: Micros) -> Gcra:
        """A meter to lease by, when a call follows its lease by up to ``late``: calls then obey this meter.

        Grants lie up to ``late`` before their calls, so the calls of a period t are grants of a period t + late.
        That much tolerance is given up; where the burst is one call and there is none, the interval grows.
        """
        spare = self.tolerance - self.interval
        if late <= spare:
            return Gcra(self.interval, self.tolerance - late)
        interval = self.interval + late - spare
        return Gcra(interval, interval)

    def part(self, share: int) -> Gcra | None:
        """The meter of somebody who has ``share`` of ``SHARES`` of rate and burst. None: less than a call."""
        if share <= 0:
            return None
        interval = -(-self.interval * SHARES // share)
        return None if interval > self.tolerance else Gcra(interval, self.tolerance)

    def slowed(self, factor: int) -> Gcra:
        """The meter at ``factor`` of ``SHARES`` of its rate; one call at a time stays possible."""
        interval = -(-self.interval * SHARES // factor)
        return Gcra(interval, max(interval, self.tolerance))

    def take(self, arrival: Micros, now: Micros, wanted: int) -> tuple[int, Micros]:
        """How many of ``wanted`` calls are allowed at ``now``, and the arrival time after them."""
        start = max(arrival, now)
        granted = max(0, min(wanted, (now + self.tolerance - start) // self.interval))
        return granted, start + granted * self.interval

    def wait(self, arrival: Micros, now: Micros, calls: int = 1) -> Micros:
        """Microseconds until so many calls are allowed at once; 0 when they are allowed now."""
        return max(0, max(arrival, now) + calls * self.interval - self.tolerance - now)

    def emptied(self, arrival: Micros, now: Micros) -> Micros:
        """The arrival time of a budget of which nothing is left at ``now``; more than that is never owed."""
        return self.lowered(arrival, now, 0)

    def lowered(self, arrival: Micros, now: Micros, left: int) -> Micros:
        """The arrival time of a budget of which no more than ``left`` calls are left at ``now``; never more."""
        return max(arrival, now + self.tolerance - left * self.interval)


class Slowdown(NamedTuple):
    """What refusals (429) leave behind: ``factor`` of ``SHARES`` of the rate at ``at``, growing back evenly."""

    factor: int = SHARES
    at: Micros = 0

    def now(self, now: Micros) -> int:
        """The factor at ``now``."""
        return min(SHARES, self.factor + min(max(0, now - self.at), RECOVERY) * SHARES // RECOVERY)

    def refused(self, now: Micros) -> Slowdown:
        """Half of the rate, not below ``SLOWEST``; unchanged within ``ONE_INCIDENT`` of the last decrease."""
        if self.factor < SHARES and 0 <= now - self.at < ONE_INCIDENT:
            return self
        return Slowdown(max(SLOWEST, self.now(now) // 2), now)
