"""Whole topics, from the first record to the end they have now, outside any group."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

_FETCH = 2_000
_PAUSE_S = 0.2


class TopicUnreadable(Exception):
    """A topic is missing, or its end was not reached in time."""


def read_to_end(
    client: Mapping[str, Any], topics: Collection[str], timeout_s: float = 60.0, partition: int | None = None
) -> Iterator[Message]:
    """Every record of the topics (of one partition, if given), in offset order within a partition.

    ``client`` are librdkafka properties. Ends at the ends that are found: a partition that grows meanwhile is read
    until it was empty once. Raises ``TopicUnreadable`` when nothing arrives for ``timeout_s``.
    """
    consumer = Consumer(
        {
            **client,
            "group.id": "atstream-reader",  # never joined: partitions are assigned by hand
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 50,
        }
    )
    try:
        waiting = {
            (topic, number)
            for topic, number in _partitions(consumer, topics, timeout_s)
            if partition is None or number == partition
        }
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for topic, number in waiting])
        heard = time.monotonic()
        while waiting:
            messages = consumer.consume(_FETCH, _PAUSE_S)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > timeout_s:
                names = ", ".join(f"{topic}[{number}]" for topic, number in sorted(waiting))
                raise TopicUnreadable(f"nothing arrived for {timeout_s} s from {names}; is the broker up?")
            for message in messages:
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    waiting.discard((message.topic(), message.partition()))
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()


def partition_count(client: Mapping[str, Any], topic: str, timeout_s: float = 10.0) -> int:
    """How many partitions a topic has. Raises ``TopicUnreadable``."""
    consumer = Consumer({**client, "group.id": "atstream-reader"})
    try:
        return len(_partitions(consumer, [topic], timeout_s))
    finally:
        consumer.close()


def _partitions(consumer: Consumer, topics: Collection[str], timeout_s: float) -> set[tuple[str, int]]:
    try:
        known = consumer.list_topics(timeout=timeout_s).topics
    except KafkaException as error:
        raise TopicUnreadable(f"the broker does not answer: {error.args[0].str()}") from error
    missing = [topic for topic in topics if topic not in known]
    if missing:
        raise TopicUnreadable(
            f"missing topics: {', '.join(sorted(missing))}; create them with atstream topics apply"
        )
    return {(topic, number) for topic in topics for number in known[topic].partitions}
