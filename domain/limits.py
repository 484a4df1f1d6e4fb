"""The limits channels set, as data: what their documents say, and the meters that keep to it.

A limiter's kind is one of these types. The kinds that count calls or bytes become ``Gcra`` meters, which can be
shared by all sinks of an account; a channel that states several limits gets several meters and obeys all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from domain.facts import SECOND, Micros
from domain.gcra import Gcra


class RateAndBurst(NamedTuple):
    """``calls`` in each ``period`` on average, up to ``burst`` at once: a token bucket."""

    calls: int
    period: Micros
    burst: int

    @classmethod
    def per_second(cls, rate: Fraction, burst: int) -> RateAndBurst:
        """``rate`` calls a second."""
        return cls(rate.numerator, rate.denominator * SECOND, burst)

    def meter(self) -> Gcra:
        """Any t see at most burst + rate x t calls."""
        return Gcra.of(self.calls, self.period, self.burst)


class CallsPerWindow(NamedTuple):
    """At most ``calls`` in any ``window``, ``burst`` of them at once; the channel need not say when windows begin.

    The whole allowance at once would leave nothing for a stop-sell until the window is over.
    """

    calls: int
    window: Micros
    burst: int = 1

    def meter(self) -> Gcra:
        """Any half-open period as long as the window sees at most ``calls``.

        k calls of a meter lie at least (k - burst) intervals apart; calls + 1 of them fill the window.
        """
        burst = min(self.burst, self.calls)
        return Gcra.of(self.calls - burst + 1, self.window, burst)


class BytesPerWindow(NamedTuple):
    """At most ``size`` bytes in any ``window``; no call carries more than ``largest``, ``burst`` calls at once.

    Every call is counted as the largest one: its size is known only when its batch is chosen.
    """

    size: int
    window: Micros
    largest: int
    burst: int = 1

    def meter(self) -> Gcra:
        """Any half-open period as long as the window sees at most ``size`` bytes.

        Raises ``ValueError``: the largest call does not fit into the window.
        """
        if self.largest < 1 or self.size < self.largest:
            raise ValueError(f"a call of {self.largest} bytes does not fit into {self.size} bytes a window")
        return CallsPerWindow(self.size // self.largest, self.window, self.burst).meter()


class SerialOnly(NamedTuple):
    """One call at a time: the next one may begin when the last has ended, or ``longest`` after it began."""

    longest: Micros


CallLimit: TypeAlias = RateAndBurst | CallsPerWindow | BytesPerWindow | SerialOnly


class CallBudget(NamedTuple):
    """The limits of one channel account as meters. ``serial`` is the longest call where only one may be open."""

    meters: tuple[Gcra, ...]
    serial: Micros = 0

    @classmethod
    def of(cls, limits: Iterable[CallLimit]) -> CallBudget:
        """Meters for all of ``limits``. Raises ``ValueError``: none, or one that cannot be kept."""
        stated = tuple(limits)
        meters = tuple(limit.meter() for limit in stated if not isinstance(limit, SerialOnly))
        serial = max((limit.longest for limit in stated if isinstance(limit, SerialOnly)), default=0)
        if not 1 <= len(meters) <= MAX_METERS:
            raise ValueError(f"1 to {MAX_METERS} limits of calls or bytes are needed, got {len(meters)}")
        return cls(meters, serial)

    @property
    def parts(self) -> int:
        """Into how many parts the budget can be divided so that each is at least a call: the smallest burst."""
        return 1 if self.serial else min(meter.burst for meter in self.meters)

    def lease_age(self, longest: Micros) -> Micros:
        """How old a lease may get, ``longest`` at most: what it may be late is taken from the burst, or the rate.

        Half of the time that the burst lasts, or where the burst is one call, a quarter of the interval.
        """
        ages = [max((meter.tolerance - meter.interval) // 2, meter.interval // 4) for meter in self.meters]
        return min(longest, max(SHORTEST_AGE, min(ages)))


MAX_METERS = 4
SHORTEST_AGE: Micros = 10_000
