"""What tests of shared limits have in common: a clock, quick terms, and waiting for what tells nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from domain.facts import Micros
from domain.limits_member import Terms

QUICK = Terms(silent_after=50_000, alone_after=75_000, heartbeat=20_000)


def micros() -> Micros:
    """Monotonic time."""
    return time.monotonic_ns() // 1000


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it, for 20 seconds at most."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.002)
