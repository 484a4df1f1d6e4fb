"""What waits behind a position: how many records, and since when. Measured by fetching there.

A fetch is the only measure that is right everywhere: end offsets as listed may be early (embedded broker), and
the distance to the end counts markers of transactions and compacted records that no consumer will ever get.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

_POLL_S = 0.1
_FETCH_BYTES = 131_072
"""One record of each partition is wanted, but batches come whole, larger ones for one partition at a time."""
_ANSWER_BYTES = 8_388_608

Partition = tuple[str, int]


class PositionsUnread(Exception):
    """The broker did not answer for every position in time."""


class Waiting(NamedTuple):
    """What is behind a position. ``end`` is the offset after the last record.

    ``seconds`` is the age of the record at the position by its Kafka time stamp, and 0 when no record waits.
    """

    end: int
    records: int
    seconds: float


class WaitingReader:
    """Looks at positions again and again with one connection. Blocking; used from one thread at a time."""

    def __init__(self, client: Mapping[str, Any], clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._consumer = Consumer(
            {
                **client,
                "group.id": "atstream-lag",  # never joined: partitions are assigned by hand
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "allow.auto.create.topics": False,
                "fetch.wait.max.ms": 50,
                "fetch.message.max.bytes": _FETCH_BYTES,
                "fetch.max.bytes": _ANSWER_BYTES,
                "fetch.queue.backoff.ms": 5,
                "fetch.error.backoff.ms": 50,
                "queued.min.messages": 1,
            }
        )

    def look(self, positions: Mapping[Partition, int | None], timeout_s: float) -> dict[Partition, Waiting]:
        """What waits behind each position (None: nothing was committed, so everything in the log waits).

        A position that is not in the log any more counts as the first that is. Raises ``PositionsUnread`` when the
        broker does not answer in time, and ``KafkaException`` for what no waiting mends.
        """
        found: dict[Partition, Waiting] = {}
        deadline = time.monotonic() + timeout_s
        self._consumer.assign([_start(place, offset) for place, offset in positions.items()])
        try:
            while len(found) < len(positions):
                message = self._consumer.poll(_POLL_S)
                if message is not None:
                    self._take(message, found)
                elif time.monotonic() > deadline:
                    silent = ", ".join(f"{topic}[{number}]" for topic, number in sorted(positions.keys() - found))
                    raise PositionsUnread(f"no answer within {timeout_s} s about {silent}; is the broker up?")
        finally:
            # A partition stays paused beyond its assignment.
            self._consumer.resume([TopicPartition(*place) for place in found])
            self._consumer.unassign()
        return found

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()

    def _take(self, message: Message, found: dict[Partition, Waiting]) -> None:
        topic, number, offset = message.topic(), message.partition(), message.offset()
        error = message.error()
        if topic is None or number is None or offset is None:
            if error is not None and error.fatal():
                raise KafkaException(error)
            return  # about the connection: the client tries again, and the time-out tells
        place = (topic, number)
        if place in found:
            return
        if error is None:
            # The fetch that brought the record also told where the partition ends.
            _, end = self._consumer.get_watermark_offsets(TopicPartition(topic, number), cached=True)
            end = max(end, offset + 1)
            age_s = self._clock() - message.timestamp()[1] / 1_000
            found[place] = Waiting(end, end - offset, max(0.0, age_s))
        elif error.code() == KafkaError._PARTITION_EOF:
            found[place] = Waiting(offset, 0, 0.0)
        elif not error.retriable():
            raise KafkaException(error)
        self._consumer.pause([TopicPartition(topic, number)])


def _start(place: Partition, offset: int | None) -> TopicPartition:
    return TopicPartition(*place, OFFSET_BEGINNING if offset is None else offset)
