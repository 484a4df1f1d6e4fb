"""Reading back what was settled: the newest acknowledgement of each listing of some partitions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import confluent_kafka
from confluent_kafka import KafkaError, TopicPartition

from domain.facts import Acknowledgement
from schemas.codec import Decoder, SchemaNotLoaded
from schemas.rejections import Rejection
from schemas.topics import CHANNEL_ACKS
from schemas.wire import SchemaRef
from streams.data_plane.failures import PlaneFailure, Unavailable
from streams.sink.feed import Record

_SILENCE_S = 30.0


class UnreadablePositions(PlaneFailure):
    """A row of the positions topic cannot be read: without it an old value could overwrite a newer one."""


def read_positions(
    client: Mapping[str, str | int | float | bool],
    topic: str,
    partitions: Sequence[int],
    decoder: Decoder,
    load: Callable[[SchemaRef], None],
) -> dict[int, list[Acknowledgement]]:
    """By partition the newest row of each listing, read from the beginning to the end of all at once; blocking.

    All rows and not the last of each listing: a sink that had lost the partition may have written late, so the
    newest is decided by ``publish_seq``. Raises ``UnreadablePositions``, or ``Unavailable`` when nothing comes.
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
        rows = _newest(consumer, topic, partitions, decoder, load)
        return {partition: list(newest.values()) for partition, newest in rows.items()}
    finally:
        consumer.close()


def _newest(
    consumer: confluent_kafka.Consumer,
    topic: str,
    partitions: Sequence[int],
    decoder: Decoder,
    load: Callable[[SchemaRef], None],
) -> dict[int, dict[str, Acknowledgement]]:
    rows: dict[int, dict[str, Acknowledgement]] = {partition: {} for partition in partitions}
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
        row, newest = _row(topic, record, decoder, load), rows[record.partition()]
        known = newest.get(row.listing)
        if known is None or _rank(row) > _rank(known):
            newest[row.listing] = row
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
    return (row.publish_seq, row.outcome == "ACCEPTED")
