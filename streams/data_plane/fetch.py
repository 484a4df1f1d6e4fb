"""Fetching with librdkafka in a thread of its own: assigned partitions only, no group, bounded buffers."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import cast

import confluent_kafka
from confluent_kafka import KafkaError, TopicPartition
from faust.types import TP

from streams.data_plane.batch import Batch, End, Fetched, Record
from streams.data_plane.failures import Gap, PlaneFailure, Unavailable
from streams.data_plane.settings import PlaneSettings

log = logging.getLogger(__name__)

_RECORD_OVERHEAD_BYTES = 350
"""What a record costs in memory besides its key and value, headers left aside; measured."""
_POLL_S = 0.1


class FetchThread:
    """Fetches from given positions and hands batches to the event loop.

    ``deliver(token, fetched)`` and ``fail(reason)`` are called on the loop. What was handed out counts against the
    bounds until ``release``; above the bound of a partition only that one rests, above the total everything does.
    """

    def __init__(
        self,
        settings: PlaneSettings,
        loop: asyncio.AbstractEventLoop,
        deliver: Callable[[int, list[Fetched]], None],
        fail: Callable[[PlaneFailure], None],
        name: str = "fetch",
    ) -> None:
        self._settings = settings
        self._loop = loop
        self._deliver = deliver
        self._fail = fail
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._wanted: tuple[int, dict[TP, int | None]] = (0, {})
        self._held: dict[TP, int] = {}
        self._held_total = 0
        self._token = 0
        self._resting: dict[TP, float] = {}
        self._resting_since: float | None = None
        self.pauses = 0
        """How often a partition, or all of them, had to rest."""
        self.paused_s = 0.0
        """Seconds of rests that are over, of partitions and of all summed up."""
        self._closing = False
        self._thread = threading.Thread(target=self._guarded, name=f"plane-{name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def assign(self, token: int, positions: Mapping[TP, int | None]) -> None:
        """Fetch these partitions and nothing else, from these offsets (None: from the beginning of the log)."""
        with self._lock:
            self._wanted = (token, dict(positions))
            self._held = dict.fromkeys(positions, 0)
            self._held_total = 0
        self._wake.set()

    def release(self, batch: Batch) -> None:
        """The batch was applied: its memory no longer counts."""
        with self._lock:
            if batch.token == self._wanted[0]:
                self._held[batch.tp] -= batch.size
                self._held_total -= batch.size
        self._wake.set()

    @property
    def buffered_bytes(self) -> int:
        """Bytes handed out and not yet applied."""
        return self._held_total

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop fetching and wait for the thread (blocking)."""
        self._closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    # -- the thread

    def _guarded(self) -> None:
        try:
            self._run()
        except PlaneFailure as failure:
            self._loop.call_soon_threadsafe(self._fail, failure)
        except Exception as error:  # noqa: BLE001 - whatever ends this thread must end the worker
            self._loop.call_soon_threadsafe(self._fail, Unavailable(f"fetching failed: {error!r}"))

    def _run(self) -> None:
        settings = self._settings
        consumer = confluent_kafka.Consumer(
            settings.librdkafka(
                {
                    "group.id": settings.app_id,  # required by the client, never joined
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "auto.offset.reset": "error",
                    "enable.partition.eof": True,
                    "max.poll.interval.ms": 86_400_000,
                    "allow.auto.create.topics": False,
                    "fetch.wait.max.ms": 100,
                    "fetch.queue.backoff.ms": 10,
                    "fetch.error.backoff.ms": 100,
                    "queued.max.messages.kbytes": settings.fetch_ahead_max_kbytes,
                    "queued.min.messages": 5 * settings.batch_max_records,
                }
            )
        )
        try:
            while not self._closing:
                self._follow(consumer)
                self._rest_all(self._held_total >= settings.buffered_max_bytes)
                if not self._held or self._resting_since is not None:
                    self._wake.wait(_POLL_S)
                    self._wake.clear()
                    continue
                first = consumer.poll(_POLL_S)
                if first is not None:
                    # All of them are made while the interpreter does nothing else: not too many at once.
                    more = consumer.consume(settings.batch_max_records - 1, 0)
                    self._hand_out(consumer, [first, *more])
        finally:
            consumer.close()

    def _follow(self, consumer: confluent_kafka.Consumer) -> None:
        """Take over a new assignment; rest and wake partitions by what is still held of them."""
        with self._lock:
            token, positions = self._wanted
            held = dict(self._held)
        if token != self._token:
            self._token = token
            self._resting.clear()
            consumer.assign([_at(tp, offset) for tp, offset in positions.items()])
            return
        limit = self._settings.partition_max_bytes
        full = [tp for tp, size in held.items() if size >= limit and tp not in self._resting]
        drained = [tp for tp in self._resting if held[tp] <= limit // 2]
        if full:
            consumer.pause([_at(tp, None) for tp in full])
            self._resting.update(dict.fromkeys(full, time.monotonic()))
            self.pauses += len(full)
        if drained:
            consumer.resume([_at(tp, None) for tp in drained])
            self.paused_s += sum(time.monotonic() - self._resting.pop(tp) for tp in drained)

    def _rest_all(self, full: bool) -> None:
        """Count the time in which nothing is fetched at all."""
        if full and self._resting_since is None:
            self._resting_since = time.monotonic()
            self.pauses += 1
        elif not full and self._resting_since is not None:
            self.paused_s += time.monotonic() - self._resting_since
            self._resting_since = None

    def _hand_out(self, consumer: confluent_kafka.Consumer, messages: list[confluent_kafka.Message]) -> None:
        fetched = list(self._batches(messages))
        self._measure(consumer, fetched)
        with self._lock:
            if self._token != self._wanted[0]:
                return
            for part in fetched:
                if isinstance(part, Batch):
                    self._held[part.tp] += part.size
                    self._held_total += part.size
        if fetched:
            self._loop.call_soon_threadsafe(self._deliver, self._token, fetched)

    def _measure(self, consumer: confluent_kafka.Consumer, fetched: Iterable[Fetched]) -> None:
        """How much each partition holds after its batches, as the broker said with the last fetch."""
        ends: dict[TP, int] = {}
        for part in fetched:
            if isinstance(part, Batch):
                if part.tp not in ends:
                    _, ends[part.tp] = consumer.get_watermark_offsets(_at(part.tp, 0), cached=True)
                part.behind = max(0, ends[part.tp] - part.next)

    def _batches(self, messages: Iterable[confluent_kafka.Message]) -> Iterable[Fetched]:
        """Group by partition and cut to size, keeping each partition's order (records, then its end)."""
        groups: dict[tuple[str, int], list[confluent_kafka.Message]] = {}
        for message in messages:
            error = message.error()
            place = cast(tuple[str, int], (message.topic(), message.partition()))
            if error is None:
                groups.setdefault(place, []).append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                yield from self._cut(TP(*place), groups.pop(place, []))
                yield End(TP(*place), cast(int, message.offset()))
            else:
                _judge(error, place)
        for place, group in groups.items():
            yield from self._cut(TP(*place), group)

    def _cut(self, tp: TP, group: list[confluent_kafka.Message]) -> Iterable[Batch]:
        start = size = 0
        for index, message in enumerate(group):
            size += len(message) + len(message.key() or b"") + _RECORD_OVERHEAD_BYTES
            full = size >= self._settings.batch_max_bytes or index + 1 - start >= self._settings.batch_max_records
            if full or index + 1 == len(group):
                yield Batch(tp, cast(list[Record], group[start : index + 1]), size, self._token)
                start, size = index + 1, 0


def _at(tp: TP, offset: int | None) -> TopicPartition:
    return TopicPartition(tp.topic, tp.partition, confluent_kafka.OFFSET_BEGINNING if offset is None else offset)


def _judge(error: KafkaError, place: tuple[str, int]) -> None:
    """Raise what cannot heal; librdkafka itself retries the rest."""
    where = f"{place[0]}[{place[1]}]"
    if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
        raise Gap(
            f"{where}: the committed offset is no longer in the log ({error.str()}): records were deleted"
            f" before they"
            " were handled, or the topic was created anew. Decide what is lost, then set the group's offset"
            " by hand."
        )
    if error.fatal() or error.code() in (
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    ):
        raise Unavailable(f"{where}: cannot be fetched: {error.str()}")
    log.warning("fetching %s: %s (librdkafka tries again)", where, error.str())
