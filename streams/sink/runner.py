"""One sink at work: what the feed brings goes into the backlog, what the backlog holds goes to the channel.

Its tasks share one event loop. Taking in never waits for the channel, so that an outage of the channel only makes
the backlog coalesce. Delivery sends only while membership in the group is confirmed: a sink that was stopped or
cut off asks the broker first whether its partitions are still its own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict

from agents.brake import Brake
from agents.dead_letters import dead_letter
from agents.ports import Outgoing
from connectors.channels.backlog import Arrival, Waiting
from connectors.channels.base import Result, Update
from connectors.channels.delivery import Delivery
from connectors.channels.latest import Standing
from domain.facts import Acknowledgement
from schemas.codec import Decoder, SchemaNotLoaded
from schemas.rejections import Rejection
from schemas.wire import SchemaRef
from streams.sink.feed import Assigned, CaughtUp, Fed, Record, UpdateFeed
from streams.sink.ledger import Ledger
from streams.sink.records import update_of

log = logging.getLogger(__name__)

COMMIT_EVERY_S = 1.0
REPORT_EVERY_S = 30.0
IDLE_S = 0.2


class SinkRunner:
    """Runs until told to stop, or until something makes the guarantee impossible. ``fenced_after_s``: how long a
    confirmation of membership counts; less than the group's session.

    ``load`` fetches a writer's schema and waits out an outage of the registry.
    """

    def __init__(
        self,
        channel: str,
        topic: str,
        delivery: Delivery,
        ledger: Ledger,
        decoder: Decoder,
        load: Callable[[SchemaRef], Awaitable[None]],
        fenced_after_s: float,
    ) -> None:
        self._channel = channel
        self._topic = topic
        self._delivery = delivery
        self._backlog = delivery.backlog
        self._ledger = ledger
        self._decoder = decoder
        self._load = load
        self._fenced_after_s = fenced_after_s
        self._brake = Brake(topic)
        self._calling = asyncio.Lock()
        self._submitting = asyncio.Lock()
        self._arrived = asyncio.Event()
        self._confirm = False
        # True when all tasks ended because they were asked to: only then does leaving commit anything.
        self._clean = False
        self._running = False
        self._committed: dict[int, int] = {}
        self._commit_at = self._report_at = time.monotonic()
        self.fetching_since: float | None = None
        """Since when the feed has not come back, in monotonic seconds; None while it is not asked."""

    async def run(self, feed: UpdateFeed, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, finish the call in flight, commit, leave the group.

        Raises ``PlaneFailure`` (with an exit code) or ``BrakePulled``; nothing unsettled is committed then.
        """
        self._running = True
        self._delivery.may_call = lambda: self._is_confirmed(feed)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._take_in(feed, stop))
                tasks.create_task(self._deliver(feed, stop))
                tasks.create_task(self._listen(feed, stop))
            self._clean = True
        except ExceptionGroup as failures:
            raise _first(failures) from None
        finally:
            self._running = False
            await feed.close()
            self._report()

    # -- the feed's view

    async def release(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """Finish the call in flight, forget the partitions, and say which offsets may be committed."""
        async with self._calling, self._submitting:
            offsets = self._committable(partitions) if self._running or self._clean else {}
            self.lose(partitions)
            return offsets

    def lose(self, partitions: Sequence[int]) -> None:
        """Forget the partitions at once."""
        for partition in partitions:
            self._backlog.disown(partition)
            self._delivery.latest.disown(partition)
            self._committed.pop(partition, None)
            if self._delivery.read_back is not None:
                self._delivery.read_back.disown(partition)
        if self._delivery.bulk is not None:
            self._delivery.bulk.given_up()

    # -- taking in

    async def _take_in(self, feed: UpdateFeed, stop: asyncio.Event) -> None:
        while not stop.is_set():
            asked_at, commits = time.monotonic(), self._commits()
            self.fetching_since = time.monotonic()
            fed = await feed.fetch(commits)
            self.fetching_since = None
            if commits and feed.committed_at < asked_at:
                # Refused: ask again, also when nothing changes any more. Joining another generation in the same
                # fetch confirms our membership, and commits nothing.
                self._committed.clear()
            await self._sort(fed)
            if fed:
                self._arrived.set()

    async def _sort(self, fed: Sequence[Fed]) -> None:
        """Everything that must be written because of these records is durable when this returns."""
        dead: list[Outgoing] = []
        repeated: list[Acknowledgement] = []
        suspects: list[Waiting] = []
        for one in fed:
            if isinstance(one, Assigned):
                self._backlog.own(one.partition)
                self._delivery.latest.own(one.partition, one.settled)
                self._take_over(one)
                if self._delivery.bulk is not None:
                    self._delivery.bulk.taken_over()
                log.info("partition %d is ours, %d listings known", one.partition, len(one.settled))
            elif isinstance(one, CaughtUp):
                await self._write_suspects(suspects)  # before anything of the partition can be settled
                self._backlog.open(one.partition)
            elif one.partition() in self._backlog.partitions:
                await self._sort_record(one, dead, repeated, suspects)
        await self._write_suspects(suspects)
        if dead:
            await self._ledger.write(dead)
        if repeated:
            await self._ledger.repeat(repeated)

    async def _sort_record(
        self, record: Record, dead: list[Outgoing], repeated: list[Acknowledgement], suspects: list[Waiting]
    ) -> None:
        partition, offset, tallies = record.partition(), record.offset(), self._delivery.tallies
        update = await self._decoded(record)
        if isinstance(update, Rejection):
            tallies.undecodable += 1
            now = self._delivery.wall_clock()
            dead.append(dead_letter(self._topic, partition, record, update, "sink", now))
            self._backlog.passed(partition, offset)
            self._brake.rejected(update.code)
            return
        self._brake.accepted(1)
        latest = self._delivery.latest
        match latest.standing(partition, update):
            case Standing.NEW:
                arrival = self._backlog.add(partition, offset, update)
                tallies.replaced += arrival is not Arrival.QUEUED
                suspects += self._suspect(partition, offset, update)
            case Standing.STALE:
                tallies.stale += 1
                self._backlog.passed(partition, offset)
            case Standing.ANSWERED:
                settled = latest.settled(partition, update.listing)
                assert settled is not None
                tallies.repeated += 1
                repeated.append(settled)
                self._backlog.passed(partition, offset)

    def _take_over(self, assigned: Assigned) -> None:
        delivery, back = self._delivery, self._delivery.read_back
        if back is not None:
            unresolved, now = assigned.unresolved, delivery.monotonic()
            back.take_over(assigned.partition, unresolved, delivery.wall_clock(), now)

    def _suspect(self, partition: int, offset: int, update: Update) -> Sequence[Waiting]:
        """What was there already when the partition became ours may be on its way to the channel.

        Returns what is to be written down of that, because this update takes its place.
        """
        delivery, back = self._delivery, self._delivery.read_back
        if back is None:
            return ()
        now = delivery.monotonic()
        suspicions = back.suspicions((update.listing,), now)
        if not self._backlog.is_open(partition):
            back.suspect(Waiting(partition, offset, update, update.priority, update.planned_at), now)
        return suspicions

    async def _write_suspects(self, suspects: list[Waiting]) -> None:
        delivery, back = self._delivery, self._delivery.read_back
        if back is not None:
            await back.write_suspicions(suspects, delivery.wall_clock())
        suspects.clear()

    async def _decoded(self, record: Record) -> Update | Rejection:
        while True:
            try:
                return update_of(
                    self._decoder, self._channel, self._topic, record.key(), record.value(), record.headers()
                )
            except SchemaNotLoaded as missing:
                await self._load(missing.ref)

    def _commits(self) -> Mapping[int, int]:
        """What to commit now: changed offsets once in a while, any offset when membership must be confirmed."""
        now = time.monotonic()
        if now - self._report_at >= REPORT_EVERY_S:
            self._report()
        if not self._confirm and now - self._commit_at < COMMIT_EVERY_S:
            return {}
        offsets = self._committable(self._backlog.partitions)
        if not self._confirm and offsets == self._committed:
            return {}
        self._commit_at, self._confirm, self._committed = now, False, dict(offsets)
        return offsets

    def _committable(self, partitions: Sequence[int] | frozenset[int]) -> dict[int, int]:
        offsets = {partition: self._backlog.committable(partition) for partition in partitions}
        return {partition: offset for partition, offset in offsets.items() if offset is not None}

    # -- delivery

    async def _deliver(self, feed: UpdateFeed, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._arrived.clear()
            if not await self._turn(feed):
                await self._pause(IDLE_S)

    async def _listen(self, feed: UpdateFeed, stop: asyncio.Event) -> None:
        """Go on with bulk submissions beside everything else, and settle what they bring."""
        bulk = self._delivery.bulk
        while bulk is not None and not stop.is_set():
            results: Sequence[Result] = ()
            async with self._submitting:
                if self._is_confirmed(feed):
                    results = await bulk.go_on()
                else:
                    self._confirm = True
            if results:
                async with self._calling:
                    await self._delivery.settle_later(results)
                self._arrived.set()
            else:
                await asyncio.sleep(IDLE_S)

    async def _turn(self, feed: UpdateFeed) -> bool:
        """One attempt when everything allows it. False: there is nothing to do before something arrives."""
        if self._delivery.idle:
            return False
        wait_s = self._delivery.wait_s()
        if wait_s > 0:
            await asyncio.sleep(min(wait_s, IDLE_S))
            return True
        async with self._calling:
            if self._is_confirmed(feed):
                return await self._delivery.attempt()
        self._confirm = True
        await asyncio.sleep(0.01)
        return True

    def _is_confirmed(self, feed: UpdateFeed) -> bool:
        return time.monotonic() - feed.confirmed_at <= self._fenced_after_s

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._arrived.wait()
        except TimeoutError:
            return

    def _report(self) -> None:
        self._report_at = time.monotonic()
        log.info("waiting %d, %s", len(self._backlog), asdict(self._delivery.tallies))


def _first(failures: ExceptionGroup[Exception]) -> Exception:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
