"""A producer that remembers where each of its records landed."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from typing import cast

from confluent_kafka import KafkaError, Message, Producer

from streams.operations.reading import read_to_end
from tests.chaos.evidence import ProducedRecord
from tests.chaos.mixture import Planned

ACKNOWLEDGED_S = 120.0
"""Longer than any outage of a round: a record of the harness is never given up."""
_LARGEST_BYTES = 4_000_000
_UNKNOWN = -1


class ProductionFailed(Exception):
    """A record of the harness was not acknowledged: the round proves nothing."""


class Recorder:
    """Produces with Kafka's default partitioner, idempotently and compressed; from any thread.

    A record sent twice over a broken connection is acknowledged without its offset; ``produced`` finds it.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._records: list[ProducedRecord] = []
        self._failure: KafkaError | None = None
        self._lock = threading.Lock()
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "message.max.bytes": _LARGEST_BYTES,
                "linger.ms": 5,
                "message.timeout.ms": int(ACKNOWLEDGED_S * 1_000),
                "retry.backoff.max.ms": 500,
                "reconnect.backoff.max.ms": 500,
                "log_level": 2,
            }
        )

    @property
    def count(self) -> int:
        """Records acknowledged so far."""
        return len(self._records)

    def produce(self, planned: Planned) -> None:
        """Hand a record over; waits while the queue is full."""
        while True:
            try:
                self._producer.produce(
                    planned.topic,
                    key=planned.key,
                    value=planned.value,
                    partition=_UNKNOWN if planned.partition is None else planned.partition,
                    headers=list(planned.headers),
                    on_delivery=lambda error, message: self._delivered(planned, error, message),
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                self._producer.poll(0)
                return

    def flush(self) -> None:
        """Wait until everything is acknowledged. Raises ``ProductionFailed``."""
        left = self._producer.flush(ACKNOWLEDGED_S)
        if left or self._failure is not None:
            raise ProductionFailed(f"{left} records left, first failure: {self._failure}")

    def produced(self) -> tuple[ProducedRecord, ...]:
        """Every record with its place. After ``flush``."""
        lost = [record for record in self._records if record.offset == _UNKNOWN]
        found = [record for record in self._records if record.offset != _UNKNOWN]
        return (*found, *self._found(lost, found))

    def _delivered(self, planned: Planned, error: KafkaError | None, message: Message) -> None:
        with self._lock:
            if error is not None:
                self._failure = self._failure or error
                return
            offset = message.offset()
            self._records.append(
                ProducedRecord(
                    planned.topic,
                    cast(int, message.partition()),
                    _UNKNOWN if offset is None or offset < 0 else offset,
                    planned.key,
                    planned.value,
                    planned.headers,
                    planned.intent,
                )
            )

    def _found(self, lost: list[ProducedRecord], found: list[ProducedRecord]) -> Iterable[ProducedRecord]:
        """Give each record without offset one in its partition that has its bytes and belongs to no other."""
        if not lost:
            return
        taken = {(record.topic, record.partition, record.offset) for record in found}
        free: dict[tuple[object, ...], list[int]] = defaultdict(list)
        client = {"bootstrap.servers": self._bootstrap}
        for message in read_to_end(client, sorted({record.topic for record in lost})):
            place = (message.topic(), message.partition())
            if (*place, message.offset()) not in taken:
                free[(*place, message.key(), message.value())].append(cast(int, message.offset()))
        for record in lost:
            offsets = free[(record.topic, record.partition, record.key, record.value)]
            if not offsets:
                raise ProductionFailed(f"an acknowledged record is not in {record.topic}[{record.partition}]")
            yield record._replace(offset=offsets.pop(0))
