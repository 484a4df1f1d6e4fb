"""Run a worker until it is told to stop or can't go on; the exit code says which."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Collection
from typing import Any

from streams.data_plane.app import PlaneApp
from streams.data_plane.failures import PlaneFailure, Unavailable
from streams.data_plane.garbage import Tenure
from streams.data_plane.liveness import LoopDelay, LoopGuard
from streams.data_plane.topics import require_topics

log = logging.getLogger(__name__)

_UNEXPECTED = 70
_SWITCH_S = 0.0005
"""How long a thread waits for the interpreter before it demands it.

It demands it only if nobody let go of it meanwhile. Under load the event loop lets go every few milliseconds, for
microseconds: to look for news. With CPython's usual 5 ms the thread that waits for acknowledgements hardly ever
demanded, and learned seconds late that everything had been acknowledged.
"""


def run_worker(app: PlaneApp, outputs: Collection[str] = ()) -> int:
    """Check the topics, start the app, and run it until SIGTERM or SIGINT. Returns the exit code.

    ``outputs`` are topics that must exist besides sources and changelogs. Whatever hangs while stopping, the
    process ends within ``stop_s``.
    """
    sys.setswitchinterval(_SWITCH_S)
    try:
        plane = app.plane
        require_topics(plane.settings, [*plane.sources, *plane.changelogs.values()], outputs)
        code, limit = asyncio.run(_run(app))
        limit.cancel()
        return code
    except PlaneFailure as failure:
        log.critical("worker did not start: %s", failure)
        return failure.exit_code


async def _run(app: PlaneApp) -> tuple[int, threading.Timer]:
    loop = asyncio.get_running_loop()
    guard = LoopGuard(app.plane.settings.stall_s)
    guard.start()
    delay = LoopDelay(app.plane.stats.loop_was_late)
    delay.start()
    tenure = Tenure(lambda: app.plane.stats.recovering)
    tenure.start()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    starting = asyncio.ensure_future(app.start())
    stopping = asyncio.ensure_future(stop.wait())
    crashed = asyncio.ensure_future(app._crashed.wait())
    await asyncio.wait({starting, stopping, crashed}, return_when=asyncio.FIRST_COMPLETED)
    if starting.done() and starting.exception() is not None and app.plane.failure is None:
        app.plane.fail(starting.exception() or PlaneFailure("start was cancelled"))
    elif not (stopping.done() or crashed.done()):
        await asyncio.wait({stopping, crashed}, return_when=asyncio.FIRST_COMPLETED)
    limit = _end_within(app, app.plane.settings.stop_s)
    await app.stop()
    guard.stop()
    delay.stop()
    tenure.stop()
    app.plane.outbox.close()
    for task in (starting, stopping, crashed):
        task.cancel()
    return _exit_code(app), limit


def _exit_code(app: PlaneApp) -> int:
    failure = app.plane.failure or app.crash_reason
    if failure is None:
        return 0
    return failure.exit_code if isinstance(failure, PlaneFailure) else _UNEXPECTED


def _place(task: asyncio.Task[object]) -> str:
    """Where a task waits: the innermost frames, outermost first."""
    frames: list[str] = []
    awaited: Any = task.get_coro()
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None:
            frames.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return f"{task.get_name()}: {' > '.join(frames)}"


def _end_within(app: PlaneApp, seconds: float) -> threading.Timer:
    """End the process for certain, even if a thread or a broker never answers. Says what was waited for.

    Nothing is lost: what was not committed is delivered again.
    """
    loop = asyncio.get_running_loop()

    def end() -> None:
        waiting = "\n".join(sorted(_place(task) for task in asyncio.all_tasks(loop)))
        log.critical("stopping took longer than %s s; ending now. Tasks wait at:\n%s", seconds, waiting)
        os._exit(_exit_code(app) or Unavailable.exit_code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer
