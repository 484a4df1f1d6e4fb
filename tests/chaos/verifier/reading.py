"""A finished round's topics, committed offsets and schemas, from its broker and registry."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import cast

from confluent_kafka import Consumer, KafkaException, TopicPartition

from connectors.registry import SchemaRegistry
from connectors.registry_http import RegistryHttp
from schemas.topics import (
    ATS_CHANGED,
    CHANGELOGS,
    channel_updates_topic,
    dead_letter_twin,
)
from schemas.wire import SchemaAbsent, SchemaRef
from streams.operations.reading import read_to_end
from tests.chaos.evidence import Evidence
from tests.chaos.verifier.logs import Logs, Partition, Record
from tests.chaos.verifier.recomputation import SOURCES

PATIENCE_S = 60.0


def topics_of(channels: list[str]) -> list[str]:
    """Every topic that the laws speak of."""
    updates = [channel_updates_topic(channel).name for channel in channels]
    letters = [dead_letter_twin(topic).name for topic in (*SOURCES, *updates)]
    return [*SOURCES, *letters, *updates, ATS_CHANGED.name, *(each.name for each in CHANGELOGS)]


def read_logs(evidence: Evidence, channels: list[str]) -> Logs:
    """Everything that is in the topics now. Raises what the readers raise when the broker does not answer."""
    client = {"bootstrap.servers": evidence.bootstrap}
    records: dict[Partition, list[Record]] = defaultdict(list)
    for message in read_to_end(client, topics_of(channels), PATIENCE_S):
        record = Record(
            message.topic() or "",
            message.partition() or 0,
            message.offset() or 0,
            message.timestamp()[1],
            message.key(),
            message.value(),
            tuple(cast("list[tuple[str, bytes | None]]", message.headers() or ())),
        )
        records[record.topic, record.partition].append(record)
    return Logs(evidence.partitions, dict(records), committed_offsets(evidence))


def committed_offsets(evidence: Evidence) -> dict[Partition, int]:
    """What the workers' group committed; waits out moments without a coordinator."""
    asked = [TopicPartition(topic, number) for topic in SOURCES for number in range(evidence.partitions)]
    consumer = Consumer(
        {"bootstrap.servers": evidence.bootstrap, "group.id": evidence.group, "enable.auto.commit": False}
    )
    deadline = time.monotonic() + PATIENCE_S
    try:
        while True:
            try:
                found = consumer.committed(asked, timeout=10)
                return {(one.topic, one.partition): one.offset for one in found if one.offset >= 0}
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
    finally:
        consumer.close()


def text_of(registry_url: str) -> Callable[[SchemaRef], str | None]:
    """Asks the registry for the text of a schema."""
    registry = SchemaRegistry(RegistryHttp(registry_url))

    def text(ref: SchemaRef) -> str | None:
        registry.load(ref)
        try:
            return registry.by_id(ref) if isinstance(ref, int) else registry.by_guid(ref)
        except SchemaAbsent:
            return None

    return text
