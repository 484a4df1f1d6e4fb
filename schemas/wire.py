"""The Confluent wire format: which schema a value was written with, and where its Avro bytes begin.

Two forms are read. The prefix: magic byte 0 and a 4-byte big-endian schema id in front of the Avro bytes. The
header ``__value_schema_id``: magic byte 1 and a 16-byte GUID (or magic byte 0 and an id), the value being Avro
bytes alone. As in Confluent's own clients the header wins when both are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeAlias
from uuid import UUID

from schemas.rejections import EMPTY, TRUNCATED, WRONG_MAGIC, Rejection, rejection

Headers: TypeAlias = Sequence[tuple[str, bytes | None]]
SchemaRef: TypeAlias = int | UUID
"""A registry's 4-byte id or its GUID."""

VALUE_SCHEMA_HEADER = "__value_schema_id"
PREFIX_LENGTH = 5
GUID_LENGTH = 17
MAX_HEADERS = 1_000
"""Headers looked through for the schema; a message with more is read by its prefix."""


class SchemaAbsent(LookupError):
    """Raised by a ``SchemaSource`` that asked the registry and was told that there is no such schema."""


class SchemaNotLoaded(Exception):
    """The source has not loaded the schema yet: load ``ref``, then decode again. Nothing is wrong with the
    message.
    """

    def __init__(self, ref: SchemaRef) -> None:
        super().__init__(f"schema {ref} is not loaded")
        self.ref = ref


class SchemaSource(Protocol):
    """Where the texts of writers' schemas come from. It never waits: what is not at hand is None."""

    def by_id(self, schema_id: int) -> str | None:
        """The schema's text, None if it is not loaded yet. Raises SchemaAbsent if it is known not to exist."""

    def by_guid(self, guid: UUID) -> str | None:
        """The schema's text, None if it is not loaded yet. Raises SchemaAbsent if it is known not to exist."""


class Frame(NamedTuple):
    """``stamp``: the bytes that name the schema. ``start``: where the Avro bytes begin in the value."""

    stamp: bytes
    start: int


def frame_of(value: bytes | None, headers: Headers | None) -> Frame | Rejection:
    """Find the schema of a value. Never raises."""
    if not value:
        return rejection(EMPTY, "", "the value is empty")
    if headers:
        for name, stamp in headers[:MAX_HEADERS]:
            if name == VALUE_SCHEMA_HEADER and stamp is not None:
                return Frame(bytes(stamp), 0) if _is_stamp(stamp) else _wrong_header(stamp)
    if value[0] != 0:
        start = value[:PREFIX_LENGTH].hex(" ")
        return rejection(WRONG_MAGIC, "", f"the value starts with {start}, not with 00 and a 4-byte schema id")
    if len(value) < PREFIX_LENGTH:
        return rejection(TRUNCATED, "", f"the value ends after {len(value)} bytes, inside the schema id")
    return Frame(value[:PREFIX_LENGTH], PREFIX_LENGTH)


def ref_of(stamp: bytes) -> SchemaRef:
    """The id or GUID that a stamp names."""
    return int.from_bytes(stamp[1:], "big") if stamp[0] == 0 else UUID(bytes=stamp[1:])


def prefix(schema_id: int) -> bytes:
    """The 5 bytes in front of a value. Raises ValueError if the id does not fit 4 bytes."""
    if not 0 <= schema_id < 2**32:
        raise ValueError(f"schema id {schema_id} does not fit into 4 bytes")
    return b"\0" + schema_id.to_bytes(4, "big")


def guid_header(guid: UUID) -> tuple[str, bytes]:
    """The header that names the schema of a value without prefix."""
    return VALUE_SCHEMA_HEADER, b"\x01" + guid.bytes


def _is_stamp(stamp: bytes) -> bool:
    return (len(stamp), stamp[:1]) in ((PREFIX_LENGTH, b"\0"), (GUID_LENGTH, b"\x01"))


def _wrong_header(stamp: bytes) -> Rejection:
    problem = f"{len(stamp)} bytes starting with {stamp[:1].hex() or 'nothing'} are neither an id nor a GUID"
    return rejection(WRONG_MAGIC, VALUE_SCHEMA_HEADER, problem)
