"""Hand-over of assigned partitions: recover, tell the state, seek, and only then let records flow.

Stock Faust resumes the source partitions before it clears the agents' queues, so records fetched in between are
skipped (faust-streaming issue 596). Here nothing is fetched before the hand-over is complete.

Relies on Faust: ``TableManager.recovery``, ``TableManager.on_start`` calling ``_update_channels`` and starting
recovery, ``Recovery.on_rebalance`` / ``on_partitions_revoked``, the service tasks ``_restart_recovery``,
``_slurp_changelogs`` and ``_publish_stats``, ``completed``, ``signal_recovery_start``; ``app.flow_control``,
``app._fetcher``, ``app.on_rebalance_complete``, ``app.on_rebalance_end``, ``tables.on_actives_ready`` and
``on_standbys_ready``.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.types import TP
from mode import Service

from streams.data_plane.failures import PlaneFailure
from streams.data_plane.restore import restore

if TYPE_CHECKING:
    from streams.data_plane.plane import Plane


class PlaneTableManager(TableManager):
    """Faust's table manager with our recovery, and without its one second of waiting for late tables."""

    @property
    def recovery(self) -> PlaneRecovery:
        """The recovery service."""
        if self._recovery is None:
            self._recovery = PlaneRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return cast(PlaneRecovery, self._recovery)

    async def on_start(self) -> None:
        """Subscribe to the changelogs (for the assignor) and start recovery."""
        await self._update_channels()
        await self.recovery.start()


class PlaneRecovery(Recovery):
    """Runs one hand-over per generation; a new rebalance cancels it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._plane: Plane = cast(Any, self.app).plane
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="plane-recovery")
        self._running: asyncio.Task[None] | None = None
        self._assigned: frozenset[TP] = frozenset()

    # -- called by Faust during a rebalance

    def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """A rebalance (or the stop) begins: a running hand-over is for a generation that is over."""
        if self._running is not None:
            self._running.cancel()

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """A new generation: drop what is no longer ours now, recover in the background."""
        if self._running is not None:
            self._running.cancel()
        self._assigned = frozenset(assigned)
        self._generation_id = generation_id
        self._plane.holdings.turn(generation_id, assigned)
        self._plane.stats.rebalances += 1
        self._plane.stats.generation = generation_id
        self.signal_recovery_start.set()

    async def on_stop(self) -> None:
        """Stop reading."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})
        self._executor.shutdown(wait=False)

    # -- service tasks

    @Service.task
    async def _restart_recovery(self) -> None:
        while not self.should_stop:
            if await self.wait_for_stopped(cast(Any, self.signal_recovery_start)):
                return
            self.signal_recovery_start.clear()
            self._running = asyncio.ensure_future(self._hand_over(self._generation_id))
            try:
                await self._running
            except asyncio.CancelledError:
                if not self._running.cancelled():
                    raise
                self.log.info("hand-over of generation %s was cut short by a rebalance", self._generation_id)
            except PlaneFailure as failure:
                self._plane.fail(failure)
            finally:
                self._running = None

    @Service.task
    async def _slurp_changelogs(self) -> None:
        return

    @Service.task
    async def _publish_stats(self) -> None:
        return

    # -- the hand-over

    async def _hand_over(self, generation: int) -> None:
        app, plane = cast(Any, self.app), self._plane
        sources = {tp for tp in self._assigned if tp.topic in plane.sources}
        self.in_recovery = app.in_recovery = plane.stats.recovering = True
        ends = await restore(plane, self._executor, sources)
        for partition in sorted(plane.holdings.owned):
            plane.state.assigned(
                partition, generation, {tp: end for tp, end in ends.items() if tp.partition == partition}
            )
            await asyncio.sleep(0)  # milliseconds each; cancelled in between, all of it is done again
        committed = await app.consumer.member.committed_offsets(sources) if sources else {}
        self.in_recovery = app.in_recovery = plane.stats.recovering = False
        plane.stats.partitions = tuple(sorted(plane.holdings.owned))
        await app.on_rebalance_complete.send()
        # From here on without a pause: queues are cleared first, then records may flow.
        app.flow_control.resume()
        app.consumer.resume_flow()
        app.consumer.begin({tp: committed.get(tp) for tp in sources})
        plane.holdings.begin()
        plane.epochs.open()
        self.completed.set()
        self.tables.on_actives_ready()
        self.tables.on_standbys_ready()
        app.on_rebalance_end()
        await app._fetcher.maybe_start()
        self.log.info("generation %s: handling partitions %s", generation, sorted(plane.holdings.owned))
