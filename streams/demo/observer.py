"""Watches the demo from outside, as any consumer could: output topics, dead letters, committed offsets.

Reads without a group, so it neither slows a worker nor is seen by one. Everything is read by one thread; ``look``
may be called from another.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.rejections import Rejection
from schemas.topics import ATS_CHANGED, CHANNEL_ACKS, CHANNEL_UPDATES, DEAD_LETTER_SUFFIX, INVENTORY_FINDINGS
from streams.demo.feed import FedRecords
from streams.demo.meter import Meter
from streams.demo.picture import RATE_S, Picture

ReadFields = Callable[[str, bytes | None], Mapping[str, Any] | Rejection]
"""The fields of a record of a topic."""

POLL_S = 0.1
POLL_RECORDS = 1_000
COMMITTED_EVERY_S = 0.5
REASON_HEADER = "__atstream.errors.reason"


class ObserverFailed(RuntimeError):
    """The observer cannot see the topics any more, so nothing it would say can be believed."""


class Progress:
    """How far the workers have committed. ``behind_since`` is when the oldest uncommitted record was fed."""

    def __init__(self) -> None:
        self.applied = 0
        self.lag = 0
        self.behind_since: float | None = None
        self.acks_lag = 0
        self.per_second: deque[float] = deque(maxlen=120)
        self._meter = Meter(RATE_S)
        self._second = 0

    def measure(
        self,
        committed: Mapping[tuple[str, int], int],
        fed: Mapping[tuple[str, int], FedRecords],
        acks_seen: Mapping[int, int],
        now: float,
    ) -> None:
        """Take the group's committed offsets; those of a partition without any count as 0."""
        behind = [
            since
            for place, records in fed.items()
            if (since := records.oldest_from(committed.get(place, 0))) is not None
        ]
        self.behind_since = min(behind, default=None)
        self.lag = sum(max(0, records.end - committed.get(place, 0)) for place, records in fed.items())
        acks = CHANNEL_ACKS.name
        self.acks_lag = sum(max(0, end - committed.get((acks, number), 0)) for number, end in acks_seen.items())
        self.applied = sum(offset for (topic, _), offset in committed.items() if topic != acks)
        self._meter.add(now, self.applied)
        if int(now) != self._second:
            self._second = int(now)
            self.per_second.append(self.rate)

    @property
    def rate(self) -> float:
        """Records committed per second, of late."""
        return self._meter.rate


class Observer:
    """Fills a ``Picture`` and a ``Progress``.

    ``channels`` are the channels whose updates are read, ``event_topics`` those whose lag is measured, ``group``
    the workers' consumer group; ``fed_at`` and ``fed`` are the feed's memory and may grow meanwhile.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        group: str,
        event_topics: Iterable[str],
        partitions: int,
        picture: Picture,
        read_fields: ReadFields,
        fed_at: Mapping[str, float],
        fed: Mapping[tuple[str, int], FedRecords],
    ) -> None:
        self.picture = picture
        self.progress = Progress()
        self._read_fields = read_fields
        self._fed_at = fed_at
        self._fed = fed
        self._acks_seen: dict[int, int] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        events = list(event_topics)
        outputs = [ATS_CHANGED.name, CHANNEL_ACKS.name, INVENTORY_FINDINGS.name]
        outputs += [f"{CHANNEL_UPDATES}.{channel}" for channel in picture.channels]
        dead_letters = [f"{topic}{DEAD_LETTER_SUFFIX}" for topic in events]
        numbers = range(partitions)
        self._watched = [
            TopicPartition(topic, number, 0) for topic in outputs + dead_letters for number in numbers
        ]
        self._measured = [
            TopicPartition(topic, number) for topic in [*events, CHANNEL_ACKS.name] for number in numbers
        ]
        common = {"bootstrap.servers": bootstrap_servers, "enable.auto.commit": False, "log_level": 2}
        self._outputs = Consumer({**common, "group.id": f"{group}-demo-observer", "auto.offset.reset": "earliest"})
        self._committed = Consumer({**common, "group.id": group})
        self._thread = threading.Thread(target=self._run, name="demo-observer", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(10)

    def look(self, reader: Callable[[Picture, Progress], Any]) -> Any:
        """Call ``reader`` while nothing changes. Raises ``ObserverFailed`` when the watch ended on an error."""
        if self._failure is not None:
            raise ObserverFailed(f"the observer stopped: {self._failure}")
        with self._lock:
            return reader(self.picture, self.progress)

    def _run(self) -> None:
        try:
            self._outputs.assign(self._watched)
            due = 0.0
            while not self._stop.is_set():
                messages = self._outputs.consume(POLL_RECORDS, POLL_S)
                with self._lock:
                    for message in messages:
                        self._take(message)
                if time.monotonic() >= due:
                    due = time.monotonic() + COMMITTED_EVERY_S
                    self._measure()
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to: `look` raises it
            self._failure = error
        finally:
            self._outputs.close()
            self._committed.close()

    def _measure(self) -> None:
        try:
            offsets = self._committed.committed(self._measured, timeout=5)
        except KafkaException:
            return  # the coordinator moves while workers come and go; a dead broker shows as no progress
        committed = {(each.topic, each.partition): each.offset for each in offsets if each.offset >= 0}
        with self._lock:
            self.progress.measure(committed, dict(self._fed), self._acks_seen, time.time())

    def _take(self, message: Any) -> None:
        error = message.error()
        if error is not None:
            if error.retriable() or not error.fatal():
                return  # librdkafka reports what it mends by itself; a dead broker shows as no progress
            raise KafkaException(error)
        topic = message.topic()
        if topic.endswith(DEAD_LETTER_SUFFIX):
            headers = dict(message.headers() or ())
            self.picture.dead_letters[(headers.get(REASON_HEADER) or b"unknown").decode(errors="replace")] += 1
            return
        fields = self._read_fields(topic, message.value())
        if isinstance(fields, Rejection):
            raise ObserverFailed(f"{topic} {message.partition()}@{message.offset()}: {fields.message}")
        self._add(topic, message, fields)

    def _add(self, topic: str, message: Any, fields: Mapping[str, Any]) -> None:
        at = message.timestamp()[1] / 1000
        picture = self.picture
        if topic == ATS_CHANGED.name:
            picture.ats_changed(fields, at, self._fed_at)
        elif topic == INVENTORY_FINDINGS.name:
            picture.findings[fields["code"]] += 1
        elif topic == CHANNEL_ACKS.name:
            self._acks_seen[message.partition()] = message.offset() + 1
            channel = picture.channels.get(fields["channel"])
            if channel is not None:
                answer = (fields["publish_seq"], fields["outcome"], fields["quantity"])
                channel.answer(fields["listing"], *answer, at)
        else:
            channel = picture.channels[fields["channel"]]
            channel.planned(fields["listing"], fields["publish_seq"], fields["quantity"])
