"""Feeds the story to the event topics at a steady rate, in a thread of its own, and remembers when it fed what."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from confluent_kafka import Producer

from domain.facts import Event
from streams.demo.mishaps import Delivery
from streams.demo.spoiling import spoiled

Encode: TypeAlias = Callable[[Event], bytes]
"""An event as the bytes of its topic, Confluent wire format."""

TICK_S = 0.02
FLUSH_S = 30.0
PARTITION_OF_KEY = -1
"""librdkafka's word for: where the key belongs."""


class FeedFailed(RuntimeError):
    """The broker did not take a record, or encoding it failed; the story cannot go on with a hole."""


class FedRecords:
    """Where the records of one partition ended up and when: offsets only grow, and nothing is forgotten."""

    def __init__(self) -> None:
        self._offsets: list[int] = []
        self._times: list[float] = []

    def add(self, offset: int, at: float) -> None:
        """A record was acknowledged at an offset."""
        self._offsets.append(offset)
        self._times.append(at)

    @property
    def end(self) -> int:
        """The offset after the last record."""
        return self._offsets[-1] + 1 if self._offsets else 0

    def oldest_from(self, committed: int) -> float | None:
        """When the first record at or after an offset was fed; None when there is none."""
        index = bisect_left(self._offsets, committed)
        return self._times[index] if index < len(self._times) else None


class Feed:
    """Produces deliveries in their order, ``per_s`` of them each second, until all are out or it is stopped.

    ``fed_at`` maps event ids to when they were first produced and ``partitions_fed`` (topic, partition) to what
    went there; both in seconds since the epoch and readable while the feed runs.
    """

    def __init__(
        self,
        deliveries: Sequence[Delivery],
        encode: Encode,
        bootstrap_servers: str,
        partitions: int,
        per_s: float,
    ) -> None:
        self.total = len(deliveries)
        self.fed = 0
        self.fed_at: dict[str, float] = {}
        self.partitions_fed: dict[tuple[str, int], FedRecords] = {}
        self._deliveries = deliveries
        self._encode = encode
        self._partitions = partitions
        self._per_s = per_s
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "acks": "all",
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "max.in.flight.requests.per.connection": 1,  # a retry must not change the order of the story
                "message.timeout.ms": int(FLUSH_S * 1000),
                "log_level": 2,  # the broker ends before this client does, and that is no news
            }
        )
        self._thread = threading.Thread(target=self._run, name="demo-feed", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End early, or make sure that it has ended."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(FLUSH_S + 5)

    @property
    def done(self) -> bool:
        """Whether all records are out and acknowledged. Raises ``FeedFailed`` when that can never be."""
        if self._failure is not None:
            raise FeedFailed(f"the feed stopped after {self.fed} of {self.total} events: {self._failure}")
        return self._thread.ident is not None and not self._thread.is_alive() and self.fed == self.total

    def _run(self) -> None:
        try:
            self._feed()
            unsent = self._producer.flush(FLUSH_S)
            if unsent and self._failure is None:
                raise FeedFailed(f"{unsent} records were not acknowledged in {FLUSH_S:g} s")
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to: `done` raises it
            self._failure = error

    def _feed(self) -> None:
        started = time.monotonic()
        while self.fed < self.total and not self._stop.is_set() and self._failure is None:
            due = min(self.total, int((time.monotonic() - started + TICK_S) * self._per_s))
            while self.fed < due:
                self._produce(self._deliveries[self.fed])
                self.fed += 1
            self._producer.poll(0)
            self._stop.wait(TICK_S)

    def _produce(self, delivery: Delivery) -> None:
        event = delivery.event
        record = spoiled(event.sku.encode(), self._encode(event), delivery.spoil, self._partitions)
        partition = PARTITION_OF_KEY if record.partition is None else record.partition
        self.fed_at.setdefault(event.event_id, time.time())
        while True:
            try:
                self._producer.produce(event.topic, record.value, record.key, partition, self._delivered)
                return
            except BufferError:  # the broker is slower than the feed: wait for room
                self._producer.poll(0.1)

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failure = FeedFailed(f"{message.topic()}: {error}")
            return
        place = (message.topic(), message.partition())
        self.partitions_fed.setdefault(place, FedRecords()).add(message.offset(), time.time())
