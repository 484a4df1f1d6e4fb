"""How far this worker is behind, whether it gets on, and whether it is ready."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import KafkaException
from faust.types import TP

from streams.data_plane.app import PlaneApp
from streams.data_plane.watchdog import Progress
from streams.operations.waiting import PositionsUnread, Waiting, WaitingReader

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
_ANSWER_S = 5.0


class WorkerProgress:
    """Looks every few seconds at what waits behind the committed offsets; answers from the last look.

    An outage of the broker is no reason to end a worker: while nothing is learnt, nothing is judged anew.
    """

    def __init__(self, app: PlaneApp, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._monotonic = monotonic
        self._progress = Progress()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="worker-progress")
        self._reader: WaitingReader | None = None
        self._waiting: dict[TP, Waiting] = {}
        self._stuck: dict[TP, float] = {}
        self.measured_at: float | None = None
        """Seconds since the epoch of the last look that was answered."""

    async def look(self) -> None:
        """Look once, in a thread that may block."""
        loop = asyncio.get_running_loop()
        if self._reader is None:
            self._reader = WaitingReader(self._app.plane.settings.librdkafka())
        positions = self._app.plane.ledger.positions()
        places = {(tp.topic, tp.partition): offset for tp, offset in positions.items()}
        try:
            found = await loop.run_in_executor(self._executor, self._reader.look, places, _ANSWER_S)
        except (PositionsUnread, KafkaException) as error:
            log.warning("lag is not known at present: %s", error)
        else:
            self.take(positions, {TP(*place): waiting for place, waiting in found.items()})

    def close(self) -> None:
        """Disconnect, once a look under way has ended."""
        if self._reader is not None:
            self._executor.submit(self._reader.close)
        self._executor.shutdown(wait=False)

    def take(self, positions: Mapping[TP, int | None], waiting: Mapping[TP, Waiting]) -> None:
        """Take the answers of one look at these positions."""
        ledger = self._app.plane.ledger
        ours = ledger.positions()
        excused = {tp for tp in positions if tp not in ours or ledger.is_waiting(tp)}
        ends = {tp: found.end for tp, found in waiting.items() if found.records}
        self._stuck = self._progress.look(positions, ends, excused, self._monotonic())
        self._waiting = dict(waiting)
        self.measured_at = time.time()

    def lag(self) -> dict[TP, Waiting]:
        """What waits behind the committed offset of each partition that is still ours."""
        ours = self._app.plane.ledger.positions()
        return {tp: found for tp, found in self._waiting.items() if tp in ours}

    def stuck_s(self) -> float:
        """The longest time that a partition of ours has had records to handle and did not move."""
        ours = self._app.plane.ledger.positions()
        return max((seconds for tp, seconds in self._stuck.items() if tp in ours), default=0.0)

    def ailment(self) -> str | None:
        """Why this worker should be started anew; None while it gets on."""
        plane = self._app.plane
        broken = plane.failure or plane.epochs.broken
        if broken is not None:
            return f"the worker is ending: {broken}"
        if self.stuck_s() >= plane.settings.stall_s:
            return f"records wait, and the committed offset has not moved for {self.stuck_s():.0f} s"
        return None

    def unreadiness(self) -> str | None:
        """What is still to be done before this worker handles records; None when it does."""
        plane, stats = self._app.plane, self._app.plane.stats
        if plane.failure is not None:
            return f"the worker is ending: {plane.failure}"
        if stats.recovering:
            return f"recovering: {stats.recovery_remaining} changelog rows to go"
        if stats.rebalances == 0 or self._app.rebalancing:
            return "partitions are being assigned"
        return None
