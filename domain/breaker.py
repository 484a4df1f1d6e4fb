"""A circuit breaker as a value: whether a channel account may be called now, judged by how the last calls went.

    CLOSED      calls go; enough failures among the last ones open it
    OPEN        no calls until the cool-down is over; what is to be told coalesces meanwhile
    HALF_OPEN   a few probes, most urgent first; passed ones close it, a failed one opens it for twice as long

A failure is a call without an answer, or one that the channel failed at. A throttled call is none: it was
answered, and the limiter waits. Times are integers of any clock that does not go back, in microseconds.
"""

from __future__ import annotations

from typing import NamedTuple

from domain.facts import SECOND, Micros

CLOSED = "CLOSED"
OPEN = "OPEN"
HALF_OPEN = "HALF_OPEN"
BREAKER_STATES = (CLOSED, HALF_OPEN, OPEN)
"""From good to bad."""

_MAX_DOUBLINGS = 32


class BreakerPolicy(NamedTuple):
    """When a breaker opens and closes.

    It opens at ``failures`` failed calls among the last ``calls``. The first ``cool_down`` doubles with every
    opening in a row, up to ``longest``. ``probes`` calls go at once while half open; a probe without an answer
    after ``patience`` is replaced by another. It closes when ``passes`` probes in a row passed.
    """

    failures: int = 5
    calls: int = 10
    cool_down: Micros = SECOND
    longest: Micros = 60 * SECOND
    probes: int = 1
    passes: int = 2
    patience: Micros = 60 * SECOND


DEFAULT_BREAKER = BreakerPolicy()


class Breaker(NamedTuple):
    """The state of one channel account's breaker; a new one is closed.

    ``history`` holds a bit for each of the last calls, 1 for a failed one. ``reopens_at`` is the end of the
    cool-down, None while closed; ``openings`` how often it opened since it was last closed.
    """

    policy: BreakerPolicy = DEFAULT_BREAKER
    history: int = 0
    reopens_at: Micros | None = None
    openings: int = 0
    under_way: int = 0
    probed_at: Micros = 0
    passed: int = 0

    def state(self, now: Micros) -> str:
        """CLOSED, OPEN or HALF_OPEN at ``now``."""
        if self.reopens_at is None:
            return CLOSED
        return OPEN if now < self.reopens_at else HALF_OPEN

    def calls(self, now: Micros) -> int | None:
        """How many calls may begin at ``now``; None: the breaker does not limit them."""
        if self.reopens_at is None:
            return None
        if now < self.reopens_at:
            return 0
        return max(0, self.policy.probes - self._under_way(now))

    def next_at(self, now: Micros) -> Micros | None:
        """When a call may begin, as far as the clock decides; None: now."""
        if self.reopens_at is None or self.calls(now):
            return None
        return max(self.reopens_at, self.probed_at + self.policy.patience if self.under_way else 0)

    def began(self, now: Micros, calls: int = 1) -> Breaker:
        """Calls began at ``now``; while half open they are probes."""
        if self.reopens_at is None or now < self.reopens_at:
            return self
        return self._replace(under_way=self._under_way(now) + calls, probed_at=now)

    def succeeded(self, now: Micros) -> Breaker:
        """The channel answered a call, whatever it said of the updates in it.

        An answer while open, to a call from before, is as good as a passed probe: the next probe need not wait.
        """
        if self.reopens_at is None:
            return self if not self.history else self._replace(history=self._after(0))
        passed = self.passed + 1
        if passed >= self.policy.passes:
            return Breaker(self.policy)
        return self._replace(
            reopens_at=min(self.reopens_at, now), under_way=max(0, self._under_way(now) - 1), passed=passed
        )

    def failed(self, now: Micros, at_least: Micros = 0) -> Breaker:
        """A call failed. ``at_least``: how long the caller wants to wait, such as for what the channel asked.

        Failures of calls from before an opening change nothing, but may make the wait longer.
        """
        if self.reopens_at is None:
            history = self._after(1)
            if history.bit_count() < self.policy.failures:
                return self._replace(history=history)
        elif now < self.reopens_at:
            return self._replace(reopens_at=max(self.reopens_at, now + at_least))
        wait = min(self.policy.longest, self.policy.cool_down << min(self.openings, _MAX_DOUBLINGS))
        return Breaker(self.policy, 0, now + max(wait, at_least), self.openings + 1)

    def held_until(self) -> Micros | None:
        """The earliest time at which a call may begin, whenever that is asked; None: it is closed."""
        return None if self.reopens_at is None else self.next_at(self.reopens_at) or self.reopens_at

    def set_back(self, now: Micros) -> Breaker:
        """The clock was set back to ``now``: nothing waits longer than it would have from now on."""
        if self.reopens_at is None:
            return self
        latest = now + self.policy.longest
        return self._replace(reopens_at=min(self.reopens_at, latest), probed_at=min(self.probed_at, now))

    def _after(self, bit: int) -> int:
        return (self.history << 1 | bit) & ((1 << self.policy.calls) - 1)

    def _under_way(self, now: Micros) -> int:
        """Probes that may still be answered; those past their patience are not waited for."""
        return self.under_way if now < self.probed_at + self.policy.patience else 0
