"""Exponential back-off with full jitter: how long to leave a channel alone after consecutive failures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Waits a uniformly random time in ``[0, min(cap_s, base_s * 2**failures))`` (full jitter), in seconds.

    Full jitter spreads the attempts of many sinks after a common outage better than a fixed or half-jittered
    wait. ``uniform`` is ``random.uniform`` or a stand-in. A wait that the channel asked for (``Retry-After``)
    is a lower bound: the jitter is added to it, so that sinks told the same instant do not return together.
    """

    base_s: float
    cap_s: float
    uniform: Callable[[float, float], float]
    failures: int = 0

    def after_failure(self, asked_s: float | None = None) -> float:
        """Count a failure and return the seconds to wait before the next attempt."""
        ceiling = min(self.cap_s, self.base_s * 2.0 ** min(self.failures, 32))
        self.failures += 1
        if asked_s is None:
            return self.uniform(0.0, ceiling)
        return asked_s + self.uniform(0.0, min(self.base_s, ceiling))

    def succeeded(self) -> None:
        """The channel answered: the next failure starts from the shortest wait again."""
        self.failures = 0
