"""Cyclic garbage in a worker: looked for among young objects only; what survived is never looked at again.

The state is millions of objects that stay and are in no cycle; the interpreter would look through all of them
again and again, for seconds at a time. Memory that is not in a cycle is freed at once as ever.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

_EVERY_S = 0.1


class Tenure:
    """Looks for cycles in place of the interpreter: at what is new, once, ten times a second.

    The interpreter counts objects made less objects freed; where new ones replace old ones, as in our state, it
    begins late and then takes long. By the clock each look is at the work of 100 ms. What was in use during a look
    and becomes garbage in a cycle later is never freed: measured, nothing or some 200 objects in half a minute
    under load. A second look would cost as much again. While ``recovering()``, everything that is made comes to
    stay.
    """

    def __init__(self, recovering: Callable[[], bool]) -> None:
        self._recovering = recovering
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, on the running event loop."""
        gc.freeze()
        gc.disable()
        self._wait(asyncio.get_running_loop())

    def stop(self) -> None:
        """Look no more, and keep the interpreter from a last look on its way out: the process is ending."""
        if self._timer is not None:
            self._timer.cancel()
        gc.freeze()

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(_EVERY_S, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._recovering():
            gc.collect(0)
        gc.freeze()
        self._wait(loop)
