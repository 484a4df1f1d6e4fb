"""Reading back what was settled: the newest acknowledgement of each listing of some partitions.

And what may be under way: attempts without answer of the last while.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import confluent_kafka
from confluent_kafka import KafkaError, TopicPartition

from domain.facts import Acknowledgement, Micros
from domain.listings import ACCEPTED, UNKNOWN
from schemas.codec import Decoder, SchemaNotLoaded
from schemas.rejections import Rejection
from schemas.topics import CHANNEL_ACKS
from schemas.wire import SchemaRef
from streams.data_plane.failures import PlaneFailure, Unavailable
from streams.sink.feed import Assigned, Record

MOST_UNANSWERED = 20_000
"""Attempts without answer that are remembered of a partition, the last ones."""
_SILENCE_S = 30.0


class UnreadablePositions(PlaneFailure):
    """A row of the positions topic cannot be read: without it an old value could overwrite a newer one."""


def read_positions(
    client: Mapping[str, str | int | float | bool],
    topic: str,
    partitions: Sequence[int],
    decoder: Decoder,
    load: Callable[[SchemaRef], None],
    unanswered_since: Micros,
) -> dict[int, Assigned]:
    """By partition the newest row of each listing, read from the beginning to the end of all at once; blocking.

    All rows and not the last of each listing: a sink that had lost the partition may have written late, so the
    newest is decided by ``publish_seq``. Rows of attempts without answer are handed out besides when they are not
    older than ``unanswered_since``. Raises ``UnreadablePositions``, or ``Unavailable`` when nothing comes.
    """
    if not partitions:
        return {}
    properties: dict[str, Any] = {
        **client,
        "group.id": f"{topic}-read",  # required by the client, never joined
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "allow.auto.create.topics": False,
    }
    consumer = confluent_kafka.Consumer(properties)
    try:
        consumer.assign([TopicPartition(topic, each, confluent_kafka.OFFSET_BEGINNING) for each in partitions])
        rows = _read(consumer, topic, partitions, decoder, load, unanswered_since)
        return {
            one: Assigned(one, list(read.newest.values()), list(read.unanswered)) for one, read in rows.items()
        }
    finally:
        consumer.close()


@dataclass(slots=True)
class _Rows:
    newest: dict[str, Acknowledgement] = field(default_factory=dict)
    unanswered: deque[Acknowledgement] = field(default_factory=lambda: deque(maxlen=MOST_UNANSWERED))

    def add(self, row: Acknowledgement, unanswered_since: Micros) -> None:
        known = self.newest.get(row.listing)
        # Of two for the same update the later one: it may say that the channel was told again.
        if known is None or _rank(row) >= _rank(known):
            self.newest[row.listing] = row
        if row.outcome == UNKNOWN and row.occurred_at >= unanswered_since:
            self.unanswered.append(row)


def _read(
    consumer: confluent_kafka.Consumer,
    topic: str,
    partitions: Sequence[int],
    decoder: Decoder,
    load: Callable[[SchemaRef], None],
    unanswered_since: Micros,
) -> dict[int, _Rows]:
    rows = {partition: _Rows() for partition in partitions}
    unfinished = set(partitions)
    heard_at = time.monotonic()
    while unfinished:
        message = consumer.poll(1.0)
        if message is None:
            if time.monotonic() - heard_at > _SILENCE_S:
                raise Unavailable(f"{topic}: nothing came for {_SILENCE_S:.0f} s while reading positions")
            continue
        heard_at = time.monotonic()
        error, record = message.error(), cast(Record, message)
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                unfinished.discard(record.partition())
            elif error.fatal() or not error.retriable():
                raise Unavailable(f"{topic}: cannot read positions: {error.str()}")
            continue
        rows[record.partition()].add(_row(topic, record, decoder, load), unanswered_since)
    return rows


def _row(topic: str, record: Record, decoder: Decoder, load: Callable[[SchemaRef], None]) -> Acknowledgement:
    # A position is an acknowledgement, byte for byte.
    arguments = (CHANNEL_ACKS.name, record.key(), record.value(), record.headers())
    try:
        row = decoder.decode(*arguments)
    except SchemaNotLoaded as missing:
        load(missing.ref)
        row = decoder.decode(*arguments)
    if isinstance(row, Acknowledgement):
        return row
    reason = row.message if isinstance(row, Rejection) else "it is no acknowledgement"
    raise UnreadablePositions(f"{topic}[{record.partition()}] offset {record.offset()} cannot be read: {reason}")


def _rank(row: Acknowledgement) -> tuple[int, bool]:
    return (row.publish_seq, row.outcome == ACCEPTED)
