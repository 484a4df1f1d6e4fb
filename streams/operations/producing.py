"""Canonical records to Kafka: encoded with the registered schema, keyed as their topic demands."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from connectors.registry import SchemaRegistry
from schemas.codec import Encoder
from schemas.records import AvroRecord
from schemas.topics import topic
from streams.worker.codecs import registered_ids

_QUEUE_PAUSE_S = 0.1


class ProduceFailed(Exception):
    """A record was not accepted by the broker."""


class RecordProducer:
    """Produces canonical records; leaving the block waits until every one is acknowledged.

    ``client`` are librdkafka properties. Raises ``ProduceFailed`` on leaving, or earlier, when a record was not
    acknowledged within ``timeout_s``; ``Misconfigured`` when a topic's schema is not registered.
    """

    def __init__(self, client: Mapping[str, Any], registry: SchemaRegistry, timeout_s: float = 30.0) -> None:
        self._registry = registry
        self._timeout_s = timeout_s
        self._encoders: dict[str, Encoder] = {}
        self._failure: KafkaError | None = None
        self._producer = Producer(
            {
                **client,
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "message.timeout.ms": int(timeout_s * 1000),
                "log_level": 3,  # a broker that is still starting is retried; only errors are news
            }
        )
        self.produced = 0

    def __enter__(self) -> RecordProducer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = self._producer.flush(self._timeout_s)
        if error is None:
            self._raise_failure()
            if left:
                raise ProduceFailed(f"{left} records were not acknowledged within {self._timeout_s} s")

    def produce(self, record: AvroRecord) -> None:
        """Hand one record to the producer; waits while its queue is full."""
        encoder = self._encoders.get(record.topic)
        if encoder is None:
            ids = registered_ids(self._registry, (topic(record.topic),))
            encoder = self._encoders[record.topic] = Encoder(record.topic, ids[record.topic])
        value = encoder.encode(record.fields)
        while True:
            self._raise_failure()
            try:
                self._producer.produce(record.topic, key=record.key, value=value, on_delivery=self._delivered)
                break
            except BufferError:
                self._producer.poll(_QUEUE_PAUSE_S)
        self._producer.poll(0)
        self.produced += 1

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and self._failure is None:
            self._failure = error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise ProduceFailed(f"the broker did not take a record: {self._failure.str()}")
