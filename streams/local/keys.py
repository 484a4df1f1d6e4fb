"""Whether the newest records of topics lie where Kafka's default partitioner puts their keys."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from streams.worker.partitioning import partition_of_key

NEWEST = 50
"""Records looked at in each partition."""

_TIMEOUT_S = 15.0
_BATCH = 500
# librdkafka's "this many before the end" (RD_KAFKA_OFFSET_TAIL); the Python client has no name for it.
_TAIL_BASE = -2000


class Placement(NamedTuple):
    """How many keys were looked at, and where a misplaced one lies as `topic[partition]@offset`."""

    seen: int
    misplaced: list[str]


def placement(client: Mapping[str, Any], counts: Mapping[str, int], topics: Collection[str]) -> Placement:
    """Look at the newest records; `counts` are numbers of partitions, `client` librdkafka properties.

    A record without a key is misplaced anywhere. Stops after 15 s with what it has seen.
    """
    consumer = Consumer(
        {**client, "group.id": "atstream-doctor", "enable.auto.commit": False, "enable.partition.eof": True}
    )
    waiting = {(topic, number) for topic in topics for number in range(counts.get(topic, 0))}
    seen, misplaced = 0, []
    deadline = time.monotonic() + _TIMEOUT_S
    try:
        consumer.assign([TopicPartition(topic, number, _TAIL_BASE - NEWEST) for topic, number in waiting])
        while waiting and time.monotonic() < deadline:
            for message in consumer.consume(_BATCH, 0.2):
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        waiting.discard((message.topic(), message.partition()))
                    continue
                seen += 1
                if not _well_placed(message, counts):
                    misplaced.append(f"{message.topic()}[{message.partition()}]@{message.offset()}")
    finally:
        consumer.close()
    return Placement(seen, misplaced)


def _well_placed(message: Message, counts: Mapping[str, int]) -> bool:
    key = message.key()
    if key is None:
        return False
    return partition_of_key(bytes(key), counts[str(message.topic())]) == message.partition()
