"""What a side's outputs say about how far it has counted: of which key, up to where, appended when."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import NamedTuple

from confluent_kafka import Message
from fastavro import schemaless_reader

from schemas import avro_files
from schemas.topics import ATS_CHANGED
from schemas.wire import PREFIX_LENGTH

OPENING_STOCK = 1_000_000
"""What atstream's opening balances say of every SKU, all locations together; units shipped are what is missing."""


class Counted(NamedTuple):
    """How a key stood in an output: ``mark`` grows with every event of the key and so says which are in it."""

    key: bytes
    mark: int
    appended_ms: int


class Reader(NamedTuple):
    """How outputs of one kind are read. ``by_units``: a mark is units shipped, not a count of events."""

    mark_of: Callable[[bytes], int]
    by_units: bool


def marks(reader: Reader, messages: Iterable[Message]) -> list[Counted]:
    """The outputs as marks, in their order."""
    found = []
    for message in messages:
        key, value = message.key(), message.value()
        if key is None or value is None:
            continue
        found.append(Counted(key, reader.mark_of(value), message.timestamp()[1]))
    return found


def last_marks(reader: Reader, messages: Iterable[Message]) -> dict[bytes, int]:
    """The last mark of each key; only last outputs are decoded."""
    last: dict[bytes, bytes] = {}
    for message in messages:
        key, value = message.key(), message.value()
        if key is not None and value is not None:
            last[key] = value
    return {key: reader.mark_of(value) for key, value in last.items()}


def _events(value: bytes) -> int:
    return int(json.loads(value)["events"])


def _units_missing(value: bytes) -> int:
    data = BytesIO(value)
    data.seek(PREFIX_LENGTH)
    fields = schemaless_reader(data, _ATS_CHANGED, None)
    assert isinstance(fields, dict)
    on_hand: int = sum(place["on_hand"] for place in fields["locations"].values())
    return OPENING_STOCK - on_hand


_ATS_CHANGED = avro_files.reader_schema(ATS_CHANGED.name)

READERS = {"json": Reader(_events, by_units=False), "ats-changed": Reader(_units_missing, by_units=True)}
