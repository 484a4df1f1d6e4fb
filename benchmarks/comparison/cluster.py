"""One real Kafka and one schema registry for a whole run, and the harness's own clients of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, not in __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from benchmarks.environment import ROOT
from streams.local.kafka import LocalKafka
from streams.local.registry.daemon import LocalRegistry
from streams.operations.reading import read_to_end
from streams.operations.schema_registration import register, registered_topics
from streams.settings import Settings, load_settings
from streams.worker.codecs import registered_ids, registry_of

PARTITIONS = 8
REQUEST_S = 20.0
PATIENCE_S = 20.0
BROKER_SETTINGS = {
    # Topics of one measurement are gone before the next one begins.
    "log.segment.delete.delay.ms": "1000",
    # No rewriting of logs while somebody is measured; logs of minutes have nothing to compact.
    "log.cleaner.enable": "false",
}
OWN_TOPICS = "__"


class Cluster:
    """The broker, the registry, and what the harness asks of them. Used as a context."""

    def __init__(self, directory: Path, channels: tuple[str, ...] = ("web", "amazon", "ebay")) -> None:
        self.directory = directory
        jars = ROOT / ".atstream" / "kafka"
        self.broker = LocalKafka(directory / "kafka", jar_cache=jars, settings=BROKER_SETTINGS, heap_mb=1024)
        self._registry = LocalRegistry(directory / "registry")
        self.bootstrap = self.broker.bootstrap
        self.settings: Settings = load_settings(
            kafka={"bootstrap_servers": self.bootstrap},
            registry={"url": self._registry.url},
            topics={"partitions": PARTITIONS},
        )
        self._channels = channels

    def __enter__(self) -> Cluster:
        try:
            self.broker.start()
            self._registry.start()
            topics = registered_topics(self._channels)
            self.registry = registry_of(self.settings)
            register(self.registry, topics)
            self.schema_ids = registered_ids(self.registry, topics)
            self.admin = AdminClient(self.client())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._registry.stop()
        self.broker.stop()

    def client(self, **more: Any) -> dict[str, Any]:
        """Properties of a librdkafka client of the harness."""
        return {"bootstrap.servers": self.bootstrap, "log_level": 2, **more}

    def create(self, topics: Iterable[str], **settings: str) -> None:
        """Create topics and return when the broker shows them."""
        new = [NewTopic(topic, PARTITIONS, 1, config=settings) for topic in topics]
        _done(self.admin.create_topics(new, operation_timeout=REQUEST_S))
        self._until(lambda names: {topic.topic for topic in new} <= names, "topics created")

    def configure(self, topic: str, **settings: str) -> None:
        """Set settings of a topic."""
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in settings.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        _done(self.admin.incremental_alter_configs([resource]))

    def sweep(self) -> None:
        """Delete every topic and every group of earlier measurements."""
        topics = [name for name in self._topics() if not name.startswith(OWN_TOPICS)]
        if topics:
            _done(self.admin.delete_topics(topics, operation_timeout=REQUEST_S))
            self._until(lambda names: not names.intersection(topics), "topics deleted")

    def preload(self, records: Iterable[tuple[str, bytes, bytes]]) -> Counter[str]:
        """Produce records (topic, key, value) as fast as the broker takes them; how many, by topic."""
        producer = self.producer(linger_ms=20)
        count: Counter[str] = Counter()
        for topic, key, value in records:
            count[topic] += 1
            produce(producer, topic, key, value)
        if producer.flush(60):
            raise BenchmarkFailed("the broker did not take the input within 60 s")
        return count

    def producer(self, linger_ms: float) -> Producer:
        """A producer that partitions as Kafka's own does. A failed record raises when it is noticed."""
        return Producer(
            self.client(
                **{
                    "partitioner": "murmur2_random",
                    "linger.ms": linger_ms,
                    "acks": "all",
                    "queue.buffering.max.messages": 500_000,
                    "on_delivery": _require_delivered,
                }
            )
        )

    def ends(self, topic: str) -> dict[int, int]:
        """The end offset of every partition."""
        with closing(Consumer(self.client(**{"group.id": "bench-ends"}))) as consumer:
            return _ends(consumer, topic)

    def read(self, topic: str) -> Iterable[Message]:
        """All records of a topic."""
        return read_to_end(self.client(), [topic], PATIENCE_S)

    def log(self, topic: str) -> OutputLog:
        """A topic to be read on and on, from its beginning."""
        return OutputLog(self, topic)

    def offsets(self, group: str, *topics: str) -> GroupOffsets:
        """The committed offsets of a group, for being asked often."""
        return GroupOffsets(self, group, topics)

    def _topics(self) -> set[str]:
        return set(self.admin.list_topics(timeout=REQUEST_S).topics)

    def _until(self, shown: Callable[[set[str]], bool], what: str) -> None:
        deadline = time.monotonic() + REQUEST_S
        while not shown(self._topics()):
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"the broker does not show within {REQUEST_S:g} s: {what}")
            time.sleep(0.05)


class BenchmarkFailed(Exception):
    """A measurement could not be made; the message is reported in its place."""


class OutputLog:
    """An output topic, read from where the last look ended to where it ends now."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._topic = topic
        self._consumer = Consumer(
            cluster.client(
                **{"group.id": "bench-outputs", "enable.auto.commit": False, "enable.partition.eof": True}
            )
        )
        self._consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        self._position = dict.fromkeys(range(PARTITIONS), 0)

    def more(self) -> list[Message]:
        """Every record since the last look, in offset order within a partition."""
        ends = _ends(self._consumer, self._topic)
        found: list[Message] = []
        deadline = time.monotonic() + PATIENCE_S
        while any(self._position[number] < end for number, end in ends.items()):
            for message in self._consumer.consume(10_000, 0.2):
                error, number, offset = message.error(), message.partition(), message.offset()
                assert number is not None
                assert offset is not None
                if error is None:
                    found.append(message)
                    self._position[number] = offset + 1
                    deadline = time.monotonic() + PATIENCE_S
                elif error.code() == KafkaError._PARTITION_EOF:
                    # Transaction markers are offsets without a record.
                    self._position[number] = max(self._position[number], offset)
                else:
                    raise KafkaException(error)
            if time.monotonic() > deadline:
                raise BenchmarkFailed("the outputs could not be read to their end")
        return found

    def close(self) -> None:
        """Let go of the consumer."""
        self._consumer.close()


class GroupOffsets:
    """What a group has committed of some topics, asked as a consumer that never joins it."""

    def __init__(self, cluster: Cluster, group: str, topics: Iterable[str]) -> None:
        self._consumer = Consumer(cluster.client(**{"group.id": group, "enable.auto.commit": False}))
        self._asked = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]

    def total(self) -> int:
        """The sum of committed offsets, which began at 0."""
        try:
            found = self._consumer.committed(self._asked, timeout=REQUEST_S)
        except KafkaException:  # no coordinator at this moment: nothing is known, ask again
            return 0
        return sum(max(0, one.offset) for one in found)

    def close(self) -> None:
        """Let go of the consumer."""
        self._consumer.close()


def produce(producer: Producer, topic: str, key: bytes, value: bytes, timestamp_ms: int = 0) -> None:
    """Hand a record to the producer; waits while its queue is full."""
    while True:
        try:
            producer.produce(topic, key=key, value=value, timestamp=timestamp_ms)
            return
        except BufferError:
            producer.poll(0.05)


def _ends(consumer: Consumer, topic: str) -> dict[int, int]:
    """End offsets; a topic made a moment ago may have no leaders yet, then it is asked again."""
    deadline = time.monotonic() + REQUEST_S
    while True:
        try:
            places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            return {one.partition: consumer.get_watermark_offsets(one, timeout=REQUEST_S)[1] for one in places}
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _require_delivered(error: KafkaError | None, _message: Message) -> None:
    if error is not None:
        raise BenchmarkFailed(f"the broker did not take an input record: {error.str()}")


def _done(answers: Mapping[Any, Any]) -> None:
    for what, answer in answers.items():
        try:
            answer.result(timeout=REQUEST_S)
        except KafkaException as error:
            raise BenchmarkFailed(f"{what}: {error}") from error
