"""Time that passes even while the process or the machine sleeps."""

from __future__ import annotations

import time
from typing import NamedTuple


class Instant(NamedTuple):
    """A moment on two clocks, in seconds; neither has a meaning of its own."""

    monotonic: float
    outside: float


def now() -> Instant:
    """The present moment."""
    return Instant(time.monotonic(), _outside())


def elapsed_s(since: Instant, until: Instant | None = None) -> float:
    """Seconds between two moments by the clock that saw more of them pass.

    A stopped process (SIGSTOP) is seen by the monotonic clock on Linux; a suspended machine only by the second
    one.
    """
    end = until or now()
    return max(end.monotonic - since.monotonic, end.outside - since.outside)


def now_us() -> int:
    """Microseconds since the epoch (wall clock)."""
    return time.time_ns() // 1000


if hasattr(time, "CLOCK_BOOTTIME"):

    def _outside() -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:

    def _outside() -> float:
        return time.time()
