"""What a channel's answers say about it: how fast it takes things in, and which listings it does not take.

One ``ChannelAnswers`` a channel and worker. It is told what was sent and what was answered; it is not told again
what was delivered twice, so its owner asks it only about answers that changed a listing, or are UNKNOWN.
"""

from __future__ import annotations

from fractions import Fraction

from domain.breaker import Breaker, BreakerPolicy
from domain.facts import SECOND, Micros
from domain.guard import HOUR
from domain.latency import LatencyWindow, rounded_up

P95 = Fraction(95, 100)

LONGEST_REACTION: Micros = 24 * HOUR
"""No guard is measured for a longer one; a channel that is silent for a day has other worries."""

FAILURES_BEFORE_FINDING = 3


class Reactions:
    """How long until a channel shows what it is told.

    The larger of two: its acknowledgement latency (95 of 100 of the last minutes were not slower), and its
    silence, that is how long it has not answered at all although asked. Of one listing that is never answered
    nothing is concluded while others are.
    """

    __slots__ = ("_asked_at", "_held", "_latencies", "_unanswered")

    def __init__(self) -> None:
        self._latencies = LatencyWindow()
        self._unanswered: set[str] = set()
        self._asked_at: Micros | None = None
        self._held: Micros = 0

    def sent(self, listing: str, now: Micros) -> None:
        """The channel was told something about a listing."""
        if self._asked_at is None:
            self._asked_at = now
        self._unanswered.add(listing)

    def answered(self, listing: str, latency: Micros, now: Micros, *, newest: bool = True) -> None:
        """The channel answered after ``latency``. ``newest``: it now answered all it was told of the listing."""
        self._latencies.add(now, latency)
        if newest:
            self._unanswered.discard(listing)
        self._asked_at = now if self._unanswered else None

    def forget(self, listing: str) -> None:
        """The listing is not ours any more."""
        self._unanswered.discard(listing)
        if not self._unanswered:
            self._asked_at = None

    def set_back(self, now: Micros) -> None:
        """The clock was set back to ``now``."""
        if self._asked_at is not None:
            self._asked_at = min(self._asked_at, now)

    def silence(self, now: Micros) -> Micros:
        """How long the channel has been asked without answering anything; 0 when nothing is open."""
        return 0 if self._asked_at is None else max(0, now - self._asked_at)

    def p95(self) -> Micros | None:
        """The acknowledgement latency; None before the first answer."""
        return self._latencies.quantile(P95)

    def reaction(self, now: Micros, assumed: Micros, queued: Micros = 0) -> Micros:
        """How long until the channel shows what is planned now.

        ``assumed``: the latency before the first answer. ``queued``: how long a stop-sell waits for its turn in
        the budget. Rounded up to a bound, and less is believed only when it is a third less, so that guards change
        in steps and not with every answer.
        """
        p95 = self.p95()
        latency = max(assumed if p95 is None else p95, self.silence(now)) + queued
        latency = rounded_up(min(latency, LONGEST_REACTION)) if latency > 0 else 0
        if latency > self._held or 3 * latency <= 2 * self._held:
            self._held = latency
        return self._held


class Failures:
    """Listings that the channel did not take, and how often in a row. Memory follows the failing listings.

    A repetition that is needed because no answer came, an UNKNOWN outcome and a rejection count alike.
    """

    __slots__ = ("_limit", "_times")

    def __init__(self, limit: int = FAILURES_BEFORE_FINDING) -> None:
        self._limit = limit
        self._times: dict[str, int] = {}

    def __len__(self) -> int:
        """How many listings failed as often as a finding takes."""
        return sum(times >= self._limit for times in self._times.values())

    def failed(self, listing: str) -> bool:
        """It failed once more. True exactly when a finding is due: at the limit, not at every failure after it."""
        times = min(self._times.get(listing, 0) + 1, self._limit + 1)
        self._times[listing] = times
        return times == self._limit

    def accepted(self, listing: str) -> None:
        """The channel took the listing's newest value."""
        self._times.pop(listing, None)

    def forget(self, listing: str) -> None:
        """The listing is not ours any more."""
        self._times.pop(listing, None)


SILENT_CHANNEL = BreakerPolicy(
    failures=5, calls=10, cool_down=5 * SECOND, longest=60 * SECOND, probes=10, passes=1, patience=60 * SECOND
)
"""Of the planner, which sees answers and repetitions, not calls. Its probes are updates, the most urgent first."""


def planner_breaker() -> Breaker:
    """A closed breaker as planners use it."""
    return Breaker(SILENT_CHANNEL)
