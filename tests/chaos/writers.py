"""Producers of different age: each topic's values written with an older, the present and a newer schema."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

import fastavro

from connectors.registry import SchemaRegistry
from schemas import avro_files
from schemas.topics import LISTINGS, event_topics
from schemas.wire import guid_header, prefix

OLDER_LACKS = ("correlation_id", "ext")
"""Fields that an older producer does not know; each has a default."""

OLDER, PRESENT, NEWER, NEWEST = "older", "present", "newer", "newest"
_WEIGHTS = {OLDER: 15, PRESENT: 70, NEWER: 15}


class Written(NamedTuple):
    """A value and the headers that belong to it."""

    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class _Schema(NamedTuple):
    schema_id: int
    guid: UUID | None
    parsed: Any


class Writers:
    """Encodes fields with a schema of chance. ``newest`` schemas are registered and nobody has met them yet."""

    def __init__(self, registry: SchemaRegistry, seed: int) -> None:
        self._schemas: dict[tuple[str, str], _Schema] = {}
        for topic in (*event_topics(), LISTINGS):
            text = avro_files.text(topic.name)
            newer = _with_field(text, "chaos_note")
            variants = {
                OLDER: _without(text, OLDER_LACKS),
                PRESENT: text,
                NEWER: newer,
                NEWEST: _with_field(newer, f"chaos_note_{seed}"),
            }
            for age, schema in variants.items():
                made = registry.register(f"{topic.name}-value", schema)
                parsed = fastavro.parse_schema(json.loads(schema))
                self._schemas[topic.name, age] = _Schema(made.schema_id, made.guid, parsed)

    def write(self, topic: str, fields: Mapping[str, Any], chance: random.Random) -> Written:
        """A value by a producer of some age; one in thirty names its schema in a header."""
        [age] = chance.choices(list(_WEIGHTS), weights=list(_WEIGHTS.values()))
        schema = self._schemas[topic, age]
        if schema.guid is not None and chance.random() < 1 / 30:
            return Written(_body(schema, fields), (guid_header(schema.guid),))
        return self._prefixed(schema, fields)

    def write_present(self, topic: str, fields: Mapping[str, Any]) -> Written:
        """A value by a producer of our own age."""
        return self._prefixed(self._schemas[topic, PRESENT], fields)

    def write_newest(self, topic: str, fields: Mapping[str, Any]) -> Written:
        """A value by a producer that was deployed a moment ago."""
        return self._prefixed(self._schemas[topic, NEWEST], fields)

    def schema_id(self, topic: str) -> int:
        """Under which id the present schema of a topic is registered."""
        return self._schemas[topic, PRESENT].schema_id

    def _prefixed(self, schema: _Schema, fields: Mapping[str, Any]) -> Written:
        return Written(prefix(schema.schema_id) + _body(schema, fields))


def _body(schema: _Schema, fields: Mapping[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema.parsed, dict(fields))
    return out.getvalue()


def _without(schema: str, names: tuple[str, ...]) -> str:
    document = json.loads(schema)
    document["fields"] = [field for field in document["fields"] if field["name"] not in names]
    return json.dumps(document)


def _with_field(schema: str, name: str) -> str:
    document = json.loads(schema)
    document["fields"].append(
        {"name": name, "type": "string", "default": "", "doc": "What a newer producer adds."}
    )
    return json.dumps(document)
