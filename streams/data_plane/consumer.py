"""Faust's consumer, fed by the fetch thread and committing by epochs only.

Relies on Faust: ``Consumer._drain_messages`` being run by the Fetcher service, ``callback`` (the conductor's
``on_message``) waiting for nothing while ``flow_control.is_active``, ``ack`` being called once all streams
acknowledged a message, ``suspend_flow``, the service tasks ``_commit_handler`` and ``_commit_livelock_detector``,
and ``commit``/``force_commit``/``wait_empty`` as the only ways to commit.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from faust.transport.drivers.aiokafka import Consumer
from faust.types import TP, ConsumerMessage
from mode import Service

from streams.data_plane.batch import Batch, End, Fetched
from streams.data_plane.failures import Gap, PlaneFailure
from streams.data_plane.gaps import gap_is_proven, holes
from streams.data_plane.lanes import Lanes
from streams.data_plane.member import MemberThread

if TYPE_CHECKING:
    from streams.data_plane.plane import Plane

_WAIT_S = 1.0


class PlaneConsumer(Consumer):
    """One message per fetched partition batch; range acknowledgements; no commit but that of an epoch."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._plane: Plane = cast(Any, self.app).plane
        self._news = asyncio.Event()
        self.lanes = Lanes(self._plane.settings, self.loop, self._on_fetched, self._plane.fail)

    def _new_consumer_thread(self) -> MemberThread:
        return MemberThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def member(self) -> MemberThread:
        """The group member."""
        return cast(MemberThread, self._thread)

    async def on_start(self) -> None:
        """Start fetching (of nothing, until partitions are handed over)."""
        await super().on_start()
        self._plane.member = self.member
        self.lanes.start()

    async def on_stop(self) -> None:
        """Stop fetching; the member leaves the group afterwards."""
        await super().on_stop()
        await asyncio.get_running_loop().run_in_executor(None, self.lanes.stop)

    # -- delivery

    def begin(self, positions: dict[TP, int | None]) -> None:
        """Deliver from these positions; whatever arrived for an earlier assignment is dropped."""
        token = self._plane.ledger.start(positions)
        self._plane.backlog.clear()
        self.lanes.assign(token, positions)

    def stop_flow(self) -> None:
        """Rebalance or stop: deliver nothing more."""
        super().stop_flow()
        self._plane.backlog.clear()
        self.lanes.assign(-1, {})

    def _on_fetched(self, token: int, fetched: list[Fetched]) -> None:
        plane = self._plane
        if token == plane.ledger.token and self.flow_active:
            for part in fetched:
                if isinstance(part, Batch):
                    part.line_up(plane.turns, part.tp.topic in plane.settings.urgent)
                plane.backlog.add(part)
            self._news.set()

    async def _drain_messages(self, fetcher: Any) -> None:
        while not (self.should_stop or fetcher.should_stop):
            self._news.clear()
            while self.flow_active and (fetched := self._plane.backlog.next()) is not None:
                await self._deliver(self._plane.ledger.token, fetched)
            try:
                async with asyncio.timeout(_WAIT_S):  # unlike ``wait_for`` without a task
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _deliver(self, token: int, fetched: Fetched) -> None:
        ledger = self._plane.ledger
        if isinstance(fetched, End):
            expected = ledger.expected(fetched.tp)
            if expected is None or fetched.offset > expected:
                if expected is not None:
                    await self._prove(fetched.tp, [(expected, fetched.offset)])
                if token == ledger.token:
                    ledger.skip(fetched.tp, fetched.offset)
                    self._plane.epochs.notice()
            return
        expected = ledger.expected(fetched.tp)
        if expected is not None and fetched.first < expected:
            self._plane.stats.repeated += min(len(fetched), expected - fetched.first)
            if not fetched.trim(expected):
                self._release(fetched)
                return
        if expected is None or expected != fetched.first or fetched.next - fetched.first != len(fetched):
            start = fetched.first if expected is None else expected
            await self._prove(fetched.tp, holes(start, [record.offset() for record in fetched.records]))
        if token == ledger.token:
            ledger.deliver(fetched)
            await self._pass_on(self._message(fetched))

    async def _pass_on(self, message: ConsumerMessage) -> None:
        """Put it into its agent's queue. That waits for the flow alone: tasks are made only while it rests."""
        if self.app.flow_control.is_active():
            await self.callback(message)
        else:
            await self.wait_first(self.callback(message), self.suspend_flow.wait())

    async def _prove(self, tp: TP, missing: list[tuple[int, int]]) -> None:
        if tp.topic in self._plane.settings.compacted:
            return
        for expected, found in missing:
            proven = await asyncio.get_running_loop().run_in_executor(
                None, gap_is_proven, self._plane.settings, tp, expected, found
            )
            if not proven:
                raise Gap(
                    f"{tp.topic}[{tp.partition}]: expected offset {expected}, got {found}, and the log was"
                    f" not shown to"
                    " be empty in between. If the topic is compacted, declare it so; if records were"
                    " deleted before"
                    " they were handled, decide what is lost and set the group's offset by hand."
                )
            self._plane.stats.gaps_proven += 1

    def _message(self, batch: Batch) -> ConsumerMessage:
        topic, partition = batch.tp
        return ConsumerMessage(
            topic,
            partition,
            batch.last,
            0.0,
            0,
            [],
            None,
            cast(Any, batch),
            None,
            0,
            batch.size,
            batch.tp,
            generation_id=self.app.consumer_generation_id,
        )

    def ack(self, message: Any) -> bool:
        """Every stream is done with the batch."""
        message.acked = True
        batch: Batch = message.value
        if not self._plane.ledger.finish(batch):
            self._plane.stats.stale_batches += 1
            return False
        self._release(batch)
        self._plane.epochs.notice()
        return True

    def _release(self, batch: Batch) -> None:
        self.lanes.release(batch)
        self._plane.backlog.applied(batch)
        self._news.set()

    def on_buffer_full(self, tp: TP) -> None:
        """Memory is bounded by the fetch thread, not by the length of queues."""

    def on_buffer_drop(self, tp: TP) -> None:
        """As above."""

    # -- commits

    @Service.task
    async def _commit_handler(self) -> None:
        try:
            await self._plane.epochs.run()
        except PlaneFailure as failure:
            self._plane.fail(failure)

    @Service.task
    async def _commit_livelock_detector(self) -> None:
        try:
            await self._plane.watchdog.run()
        except PlaneFailure as failure:
            self._plane.fail(failure)

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Nobody but an epoch commits."""
        return False

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Nobody but an epoch commits."""
        return False

    async def wait_empty(self) -> None:
        """``Epochs.close`` does it."""

    async def on_task_error(self, exc: BaseException) -> None:
        """A failed agent ends the worker; see ``PlaneApp._on_agent_error``."""
