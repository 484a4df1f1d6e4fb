"""How to read what was written with a given schema: made once per schema, then used for every message.

Schemas of writers are resolved against ours by fastavro. A schema that cannot be is answered with the reason, once
and for all; a registry never changes the schema behind an id.
"""

from __future__ import annotations

from io import BytesIO
from json import loads
from typing import Any, NamedTuple, cast

from fastavro import parse_schema, schemaless_reader
from fastavro.schema import SchemaParseException

from schemas import avro_files
from schemas.avro_names import Node, SchemaRefused, expanded, parsed
from schemas.diagnosis import damage_in, diagnose
from schemas.rejections import TRAILING_BYTES, WRONG_SCHEMA, Rejection, rejection
from schemas.resolution import conflicts


class Plan(NamedTuple):
    """Parsed schemas for fastavro (``reader`` None: same as the writer's), and expanded ones for a diagnosis."""

    writer: Any
    reader: Any
    written: Node
    expected: Node

    def read(self, value: bytes, start: int) -> dict[str, Any] | Rejection:
        """The fields of a value whose Avro bytes begin at ``start``. Never raises."""
        # First, because fastavro takes an index below zero for one counted from the end, and skips as many values
        # of a fixed size as a block claims to have, be they there or not: hours, for a few bytes.
        damage = damage_in(value[start:], self.written)
        if damage is not None:
            return damage
        data = BytesIO(value)
        data.seek(start)
        try:
            fields = cast("dict[str, Any]", schemaless_reader(data, self.writer, self.reader))
        except Exception:  # noqa: BLE001 (whatever hostile bytes make a reader raise is said of the bytes)
            return diagnose(value[start:], self.written, self.expected)
        if data.tell() != len(value):
            problem = f"{len(value) - data.tell()} bytes are left over after the message"
            return rejection(TRAILING_BYTES, "", problem)
        return fields


def plan_for(name: str, text: str) -> Plan | Rejection:
    """How to read what was written with the schema ``text`` as our schema ``name``."""
    expected = expanded(loads(avro_files.text(name)))
    try:
        schema = parsed(text)
        written = expanded(schema)
        found = (
            written["name"] if isinstance(written, dict) and "fields" in written else f"a {type(schema).__name__}"
        )
        if found != avro_files.full_name(name):
            problem = f"written as {found}, expected {avro_files.full_name(name)}"
            return rejection(WRONG_SCHEMA, "", problem)
        writer = parse_schema(avro_files.without_logical_types(schema), {})
    except (SchemaRefused, SchemaParseException, ValueError, TypeError, KeyError) as error:
        return rejection(WRONG_SCHEMA, "", f"the writer's schema is refused: {error}")
    mixed = next((conflict for conflict in conflicts(expected, written) if conflict.silent), None)
    if mixed is not None:
        return rejection(WRONG_SCHEMA, mixed.path, mixed.reason)
    reader = avro_files.reader_schema(name)
    return Plan(writer, None if written == expected else reader, written, expected)
