"""When a call is allowed: what delivery asks, and the bucket of a sink process that shares with nobody."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from domain.facts import SECOND, Micros
from domain.limits_own import OwnBudget


class CallBucket(Protocol):
    """Meters calls. ``now`` is monotonic time in seconds."""

    @property
    def degraded(self) -> bool:
        """Whether a budget that should be shared with others is not at the moment."""
        ...

    def wait_s(self, now: float, wanted: int = 1) -> float:
        """Seconds until asking again is worth it; 0 when a call is allowed now.

        ``wanted``: how many calls would be made now if they were allowed.
        """
        ...

    def take(self, now: float) -> None:
        """A call is made now."""
        ...

    def empty(self, now: float) -> None:
        """The channel said that we were too fast."""
        ...


class OwnBucket:
    """The limits of single calls, kept by this process alone. The bucket starts full."""

    def __init__(self, budget: OwnBudget) -> None:
        self._budget = budget

    @property
    def degraded(self) -> bool:
        """Nothing more was asked for."""
        return False

    def wait_s(self, now: float, wanted: int = 1) -> float:
        """Seconds until a call is allowed; 0 when it is allowed now."""
        return self._budget.wait(_micros(now)) / SECOND

    def take(self, now: float) -> None:
        """Use one call, if it is allowed: a caller that did not wait makes one that is not counted."""
        self._budget.take(_micros(now))

    def empty(self, now: float) -> None:
        """The channel said that we were too fast: nothing is left, and the rate is halved for a while."""
        self._budget.refused(_micros(now))


def _micros(seconds: float) -> Micros:
    return round(seconds * SECOND)


@dataclass(slots=True)
class TokenBucket:
    """At most ``burst + rate_per_s * t`` calls in any ``t`` seconds. Holds no clock: every method is told ``now``.

    ``now`` is monotonic time in seconds. The bucket starts full.

    Raises ``ValueError``: the rate is not above 0, or the burst below one call.
    """

    rate_per_s: float
    burst: int
    _tokens: float = field(init=False)
    _filled_at: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if not self.rate_per_s > 0:
            raise ValueError(f"rate_per_s must be above 0, got {self.rate_per_s}")
        if self.burst < 1:
            raise ValueError(f"burst must be at least 1 call, got {self.burst}")
        self._tokens = float(self.burst)

    @property
    def degraded(self) -> bool:
        """A local bucket is all that was asked for."""
        return False

    def wait_s(self, now: float, wanted: int = 1) -> float:
        """Seconds until a call is allowed; 0 when it is allowed now."""
        self._fill(now)
        return max(0.0, (1.0 - self._tokens) / self.rate_per_s)

    def take(self, now: float) -> None:
        """Use one call. A caller that did not wait pays with a longer next wait."""
        self._fill(now)
        self._tokens -= 1.0

    def empty(self, now: float) -> None:
        """The channel said that we were too fast: whatever the bucket still held was wrong."""
        self._fill(now)
        self._tokens = min(self._tokens, 0.0)

    def _fill(self, now: float) -> None:
        if self._filled_at is not None:
            self._tokens = min(float(self.burst), self._tokens + (now - self._filled_at) * self.rate_per_s)
        self._filled_at = now
