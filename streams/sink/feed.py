"""The consumer of a channel's updates: one thread that polls, commits, and learns which partitions are ours."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, TypeAlias, cast

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from agents.ports import Incoming
from connectors.channels.positions import Unresolved
from domain.facts import Acknowledgement
from streams.data_plane.failures import Unavailable
from streams.sink.joining import Joining

log = logging.getLogger(__name__)

MAX_RECORDS = 2_000
POLL_S = 0.1


class Assigned(NamedTuple):
    """A partition is ours from now on; ``settled`` is what was settled for it before.

    ``unresolved``: listings with attempts of the last day that had no answer.
    """

    partition: int
    settled: Sequence[Acknowledgement]
    unresolved: Sequence[Unresolved] = ()


class CaughtUp(NamedTuple):
    """Everything that was in the partition when it became ours has been handed out."""

    partition: int


class Record(Incoming, Protocol):
    """A record of the topic, as librdkafka hands it out."""

    def partition(self) -> int:
        """The partition it was in."""
        ...


Fed: TypeAlias = Assigned | CaughtUp | Record


class Owner(Protocol):
    """Whoever works on the partitions. Called on the event loop."""

    async def release(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """Finish what is in flight, forget the partitions, and say which offsets may be committed."""
        ...

    def lose(self, partitions: Sequence[int]) -> None:
        """Forget the partitions at once: they already belong to somebody else."""
        ...


class UpdateFeed:
    """Polls on a thread of its own, so that neither the channel nor a rebalance can block the other.

    ``restore`` reads back what was settled for partitions; it runs on the feed's thread. ``release_s`` bounds how
    long giving up a partition waits for the call in flight, ``join_s`` how long the group may take to take us in.
    """

    def __init__(
        self,
        client: Mapping[str, str | int | float | bool],
        group: str,
        topic: str,
        session_timeout_s: float,
        release_s: float,
        join_s: float,
        restore: Callable[[Sequence[int]], Mapping[int, Assigned]],
        owner: Owner,
    ) -> None:
        self._topic = topic
        self._release_s = release_s
        self._restore = restore
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="sink-feed")
        self._handed: list[Fed] = []
        self._targets: dict[int, int | None] = {}
        self._joining = Joining(join_s)
        self._failure: Exception | None = None
        self.confirmed_at = float("-inf")
        self.committed_at = float("-inf")
        """When the last commit that succeeded was asked for, in monotonic seconds."""
        properties: dict[str, Any] = {
            **client,
            **self._joining.client,
            "group.id": group,
            "session.timeout.ms": int(session_timeout_s * 1000),
            "heartbeat.interval.ms": int(session_timeout_s * 1000 / 10),
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "partition.assignment.strategy": "cooperative-sticky",
            "fetch.wait.max.ms": 50,
            "queued.max.messages.kbytes": 16_384,
            "allow.auto.create.topics": False,
        }
        self._consumer = confluent_kafka.Consumer(properties)

    async def start(self) -> None:
        """Join the group."""
        await self._call(self._subscribe)

    async def fetch(self, commits: Mapping[int, int]) -> list[Fed]:
        """Commit, then hand out what came since; empty after a while in which nothing came.

        A commit that succeeds proves that we are still a member: ``confirmed_at`` is then the monotonic time, in
        seconds, at which it was asked for. Raises ``Unavailable`` when reading cannot go on.
        """
        handed: list[Fed] = await self._call(self._fetch, commits)
        return handed

    async def close(self) -> None:
        """Give the partitions back and leave the group."""
        await self._call(self._leave)
        self._executor.shutdown(wait=False)

    async def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await self._loop.run_in_executor(self._executor, function, *arguments)

    # -- on the feed's thread

    def _subscribe(self) -> None:
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def _leave(self) -> None:
        # A rebalance callback inside close() can wait for ever for a thread that is gone (librdkafka issue 4041).
        # So everything is given back while polling, and close() finds nothing left to call back for.
        self._consumer.unsubscribe()
        deadline = time.monotonic() + self._release_s
        while self._consumer.assignment() and time.monotonic() < deadline:
            self._consumer.poll(POLL_S)
        self._consumer.close()

    def _fetch(self, commits: Mapping[int, int]) -> list[Fed]:
        if commits:
            self._commit(commits)
        # One by one: a rebalance happens inside poll(), and its place among the records must be known.
        message = self._consumer.poll(POLL_S)
        while message is not None:
            self._hand_out(message)
            message = self._consumer.poll(0) if len(self._handed) < MAX_RECORDS else None
        self._joining.require()
        if self._failure is not None:
            raise self._failure
        handed, self._handed = self._handed, []
        return handed

    def _hand_out(self, message: confluent_kafka.Message) -> None:
        error = message.error()
        # A message without error has a partition, an offset and bytes; its type can't say so.
        record = cast(Record, message)
        partition = record.partition()
        if error is None:
            self._handed.append(record)
            self._aim(partition, record.offset())
        elif error.code() == KafkaError._PARTITION_EOF:
            self._reached(partition)
        elif error.fatal() or error.code() in _HOPELESS:
            raise Unavailable(f"{self._topic}: cannot be read: {error.str()}")
        else:
            log.warning("%s: %s (the client tries again)", self._topic, error.str())

    def _aim(self, partition: int, offset: int) -> None:
        """The end of the log as the first fetch saw it is where catching up ends, however much follows."""
        if partition not in self._targets:
            return
        target = self._targets[partition]
        if target is None:
            _, target = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), cached=True)
            # Negative when the client has not seen it: then the end of the partition is waited for.
            self._targets[partition] = target = target if target > offset else None
        if target is not None and offset + 1 >= target:
            self._reached(partition)

    def _reached(self, partition: int) -> None:
        if partition in self._targets:
            del self._targets[partition]
            self._handed.append(CaughtUp(partition))

    def _commit(self, offsets: Mapping[int, int]) -> None:
        asked_at = time.monotonic()
        try:
            committed = self._consumer.commit(offsets=self._at(offsets), asynchronous=False)
        except KafkaException as error:
            log.warning("offsets not committed: %s", error.args[0].str())
            return
        refused = [one.error.str() for one in committed if one.error is not None]
        if refused:
            log.warning("offsets not committed: %s", refused[0])
        else:
            self.confirmed_at = self.committed_at = asked_at

    def _on_assign(self, _consumer: object, partitions: Sequence[TopicPartition]) -> None:
        joined_at = time.monotonic()
        numbers = [one.partition for one in partitions]
        try:
            restored = self._restore(numbers)
        except Exception as error:  # noqa: BLE001 - raised again by the fetch that this callback runs in
            self._failure = error
            return
        for number in numbers:
            self._targets[number] = None
            self._handed.append(restored[number])
        self.confirmed_at = max(self.confirmed_at, joined_at)
        self._joining.answered()

    def _on_revoke(self, _consumer: object, partitions: Sequence[TopicPartition]) -> None:
        numbers = self._forget(partitions)
        released = asyncio.run_coroutine_threadsafe(self._release(numbers), self._loop)
        try:
            offsets = released.result(self._release_s)
        except TimeoutError:
            released.cancel()
            log.warning(
                "the call in flight did not end within %s s; its partitions go uncommitted", self._release_s
            )
            offsets = {}
        if offsets:
            self._commit(offsets)
        self._joining.answered()

    def _on_lost(self, _consumer: object, partitions: Sequence[TopicPartition]) -> None:
        self._loop.call_soon_threadsafe(self._owner.lose, self._forget(partitions))

    async def _release(self, partitions: Sequence[int]) -> Mapping[int, int]:
        return await self._owner.release(partitions)

    def _forget(self, partitions: Sequence[TopicPartition]) -> list[int]:
        """Take back what was not handed out yet: the next owner reads it again."""
        numbers = [one.partition for one in partitions]
        gone = set(numbers)
        self._handed = [one for one in self._handed if _partition_of(one) not in gone]
        for number in numbers:
            self._targets.pop(number, None)
        return numbers

    def _at(self, offsets: Mapping[int, int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition, offset) for partition, offset in offsets.items()]


_HOPELESS = (
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
)


def _partition_of(fed: Fed) -> int:
    return fed.partition if isinstance(fed, Assigned | CaughtUp) else fed.partition()
