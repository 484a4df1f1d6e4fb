"""Which schema a value names, in both forms, and agreement with Confluent's own serializers."""

from __future__ import annotations

import ast
import io
import struct
import typing
import uuid
from pathlib import Path
from typing import Any
from uuid import UUID

import confluent_kafka
import pytest
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError

from schemas import wire
from schemas.rejections import EMPTY, TRUNCATED, WRONG_MAGIC, Rejection
from schemas.wire import Frame, frame_of, ref_of
from tests.unit.schemas.samples import GUID

STAMP = b"\x01" + GUID.bytes


def confluents(*names: str) -> dict[str, Any]:
    """Definitions out of the installed client's registry package.

    Importing that package needs an HTTP client and more, which only its extra brings; these definitions do not.
    """
    folder = Path(confluent_kafka.__file__).parent / "schema_registry"
    found: dict[str, Any] = {
        **vars(typing),
        "io": io,
        "struct": struct,
        "uuid": uuid,
        "MessageField": MessageField,
    }
    found |= {"SerializationContext": SerializationContext, "SerializationError": SerializationError}
    for source in (folder / "__init__.py", folder / "common" / "serde.py"):
        for node in ast.parse(source.read_text()).body:
            constant = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith(
                ("_MAGIC", "_VALUE", "_KEY")
            )
            if constant or getattr(node, "name", None) in names:
                exec(compile(ast.Module([node], []), str(source), "exec"), found)
    return found


def test_a_prefix_names_the_schema_by_its_id() -> None:
    frame = frame_of(b"\0\0\0\0\x2a....", None)

    assert frame == Frame(b"\0\0\0\0\x2a", 5)
    assert ref_of(frame.stamp) == 42


def test_a_header_names_the_schema_by_its_guid_and_the_value_is_all_avro() -> None:
    frame = frame_of(b"....", [("trace", b"x"), wire.guid_header(GUID)])

    assert frame == Frame(STAMP, 0)
    assert ref_of(frame.stamp) == GUID


def test_the_header_wins_over_the_prefix() -> None:
    assert frame_of(b"\0\0\0\0\x01", [(wire.VALUE_SCHEMA_HEADER, STAMP)]) == Frame(STAMP, 0)


def test_a_header_may_hold_an_id() -> None:
    frame = frame_of(b"....", [(wire.VALUE_SCHEMA_HEADER, b"\0\0\0\0\x07")])

    assert isinstance(frame, Frame)
    assert ref_of(frame.stamp) == 7


def test_a_header_without_value_is_passed_over() -> None:
    assert frame_of(b"\0\0\0\0\x07", [(wire.VALUE_SCHEMA_HEADER, None)]) == Frame(b"\0\0\0\0\x07", 5)


def test_what_confluents_prefix_serializer_writes_is_read() -> None:
    theirs = confluents("prefix_schema_id_serializer", "SchemaId")
    value = theirs["prefix_schema_id_serializer"](b"body", None, theirs["SchemaId"]("AVRO", schema_id=123456))

    frame = frame_of(value, None)

    assert isinstance(frame, Frame)
    assert (ref_of(frame.stamp), value[frame.start :]) == (123456, b"body")
    assert wire.prefix(123456) == frame.stamp


def test_what_confluents_header_serializer_writes_is_read() -> None:
    context = SerializationContext("order-released", MessageField.VALUE, headers=[])
    theirs = confluents("header_schema_id_serializer", "SchemaId")
    value = theirs["header_schema_id_serializer"](b"body", context, theirs["SchemaId"]("AVRO", guid=str(GUID)))

    frame = frame_of(value, context.headers)

    assert isinstance(frame, Frame)
    assert (ref_of(frame.stamp), value[frame.start :]) == (GUID, b"body")
    assert context.headers == [wire.guid_header(GUID)]


def test_confluents_deserializer_reads_what_is_written_here() -> None:
    by_id, by_guid = (confluents("SchemaId")["SchemaId"]("AVRO") for _ in range(2))

    rest = by_id.from_bytes(io.BytesIO(wire.prefix(99) + b"body"))
    by_guid.from_bytes(io.BytesIO(wire.guid_header(GUID)[1]))

    assert (by_id.id, rest.read(), by_guid.guid) == (99, b"body", GUID)


@pytest.mark.parametrize(
    ("value", "headers", "code"),
    [
        (None, None, EMPTY),
        (b"", None, EMPTY),
        (b"", [(wire.VALUE_SCHEMA_HEADER, STAMP)], EMPTY),
        (b"\0", None, TRUNCATED),
        (b"\0\0\0\0", None, TRUNCATED),
        (b"\x01\0\0\0\x07...", None, WRONG_MAGIC),
        (b'{"a":1}', None, WRONG_MAGIC),
        (b"....", [(wire.VALUE_SCHEMA_HEADER, b"")], WRONG_MAGIC),
        (b"....", [(wire.VALUE_SCHEMA_HEADER, STAMP[:-1])], WRONG_MAGIC),
        (b"....", [(wire.VALUE_SCHEMA_HEADER, b"\x02" + GUID.bytes)], WRONG_MAGIC),
        (b"....", [(wire.VALUE_SCHEMA_HEADER, b"\0" + GUID.bytes)], WRONG_MAGIC),
    ],
)
def test_a_value_that_names_no_schema_is_rejected(value: bytes | None, headers: object, code: str) -> None:
    found = frame_of(value, headers)  # type: ignore[arg-type]

    assert isinstance(found, Rejection)
    assert found.code == code


@pytest.mark.parametrize("schema_id", [-1, 2**32])
def test_an_id_that_does_not_fit_four_bytes_is_an_error(schema_id: int) -> None:
    with pytest.raises(ValueError, match="4 bytes"):
        wire.prefix(schema_id)


def test_ids_are_read_unsigned() -> None:
    assert ref_of(wire.prefix(2**32 - 1)) == 2**32 - 1
    assert isinstance(ref_of(STAMP), UUID)
