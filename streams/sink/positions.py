"""Reading back what was written about updates of some partitions: what is settled, and what may be under way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import confluent_kafka
from confluent_kafka import KafkaError, TopicPartition

from connectors.channels.positions import ATTEMPT, Positions
from domain.facts import Acknowledgement, Micros
from schemas.codec import Decoder, SchemaNotLoaded
from schemas.rejections import Rejection
from schemas.topics import CHANNEL_ACKS
from schemas.wire import SchemaRef
from streams.data_plane.failures import PlaneFailure, Unavailable
from streams.sink.feed import Assigned, Record

_SILENCE_S = 30.0


class UnreadablePositions(PlaneFailure):
    """A row of the positions topic cannot be read: without it an old value could overwrite a newer one."""


def read_positions(
    client: Mapping[str, str | int | float | bool],
    topic: str,
    partitions: Sequence[int],
    decoder: Decoder,
    load: Callable[[SchemaRef], None],
    since: Micros,
) -> dict[int, Assigned]:
    """By partition what its rows say, read from the beginning to the end of all at once; blocking.

    All rows and not the last of each listing: a sink that had lost the partition may have written late.
    Attempts without answer before ``since`` are left out. Raises ``UnreadablePositions``, or ``Unavailable`` when
    nothing comes.
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
        rows = {partition: Positions(since) for partition in partitions}
        _read(consumer, topic, rows, decoder, load)
        return {one: Assigned(one, read.settled(), read.unresolved()) for one, read in rows.items()}
    finally:
        consumer.close()


def _read(
    consumer: confluent_kafka.Consumer,
    topic: str,
    rows: Mapping[int, Positions],
    decoder: Decoder,
    load: Callable[[SchemaRef], None],
) -> None:
    unfinished = set(rows)
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
        key, read = record.key(), rows[record.partition()]
        if key is not None and key.startswith(ATTEMPT):
            read.note(_row(topic, record, key.removeprefix(ATTEMPT), decoder, load))
        else:
            read.settle(_row(topic, record, key, decoder, load))


def _row(
    topic: str, record: Record, key: bytes | None, decoder: Decoder, load: Callable[[SchemaRef], None]
) -> Acknowledgement:
    # A position is an acknowledgement, byte for byte.
    arguments = (CHANNEL_ACKS.name, key, record.value(), record.headers())
    try:
        row = decoder.decode(*arguments)
    except SchemaNotLoaded as missing:
        load(missing.ref)
        row = decoder.decode(*arguments)
    if isinstance(row, Acknowledgement):
        return row
    reason = row.message if isinstance(row, Rejection) else "it is no acknowledgement"
    raise UnreadablePositions(f"{topic}[{record.partition()}] offset {record.offset()} cannot be read: {reason}")
