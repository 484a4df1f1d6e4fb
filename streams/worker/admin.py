"""The admin port of a worker: as long as the app runs, from before the consumer starts until after it stopped.

Relies on Faust: ``App.add_dependency`` before the start; ``App.rebalancing`` (in ``progress``).
"""

from __future__ import annotations

import socket

from mode import Service

from streams.admin import AdminSite
from streams.data_plane.app import PlaneApp
from streams.worker.exposure import ExposureAnswer
from streams.worker.meter import WorkerMeter
from streams.worker.progress import LOOK_EVERY_S, WorkerProgress
from streams.worker.state import WorkerState


class Admin(Service):
    """Serves as long as the app runs. Add it before the app starts, so that it answers during recovery."""

    def __init__(self, app: PlaneApp, state: WorkerState, listening: socket.socket) -> None:
        super().__init__()
        self._progress = WorkerProgress(app)
        meter = WorkerMeter(app, state, self._progress)
        answers = {"/exposure": ExposureAnswer(state.fan_out.watches).answer}
        self._site = AdminSite(meter, self._progress, listening, answers)

    async def on_start(self) -> None:
        """Begin to answer."""
        await self._site.start()

    async def on_stop(self) -> None:
        """Answer no more."""
        await self._site.stop()
        self._progress.close()

    @Service.task
    async def _look(self) -> None:
        while not self.should_stop:
            await self._progress.look()
            await self.sleep(LOOK_EVERY_S)
