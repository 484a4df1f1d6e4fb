"""Whether the event loop turns: how late it is, and the end of a worker in which it is frozen.

Heartbeats come from a thread of their own and would go on for ever.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable

from streams.data_plane.failures import Stalled

log = logging.getLogger(__name__)

_EVERY_S = 1.0
_SAMPLE_S = 0.05


class LoopDelay:
    """Asks the running event loop to come back in 50 ms, over and over, and tells ``late`` how late it was."""

    def __init__(self, late: Callable[[float], None]) -> None:
        self._late = late
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to measure."""
        self._ask(asyncio.get_running_loop())

    def stop(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _ask(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + _SAMPLE_S
        self._timer = loop.call_at(due, self._asked, loop, due)

    def _asked(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._late(max(0.0, loop.time() - due))
        self._ask(loop)


class LoopGuard:
    """Expects a sign of life of the event loop; after ``limit_s`` without one the process ends as ``Stalled``.

    Counts its own wakings, not the clock: a process that was stopped as a whole is not taken for a frozen one.
    """

    def __init__(self, limit_s: float, end: Callable[[int], None] = os._exit) -> None:
        self._wakings = max(2, round(limit_s / _EVERY_S))
        self._end = end
        self._signs = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="plane-loop-guard", daemon=True)

    def start(self) -> None:
        """Watch the running event loop."""
        self._sign(asyncio.get_running_loop())
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stop.set()

    def _sign(self, loop: asyncio.AbstractEventLoop) -> None:
        self._signs += 1
        if not self._stop.is_set():
            loop.call_later(_EVERY_S / 2, self._sign, loop)

    def _watch(self) -> None:
        seen, missed = -1, 0
        while not self._stop.wait(_EVERY_S):
            missed = missed + 1 if self._signs == seen else 0
            seen = self._signs
            if missed >= self._wakings:
                log.critical("worker ends: stalled: the event loop has been frozen for %d s", missed)
                self._end(Stalled.exit_code)
                return
