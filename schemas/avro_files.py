"""The committed Avro files, read once. They are the source of truth for every topic's fields."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from fastavro import parse_schema

Schema: TypeAlias = dict[str, Any] | list[Any] | str
"""Avro schema as plain JSON values."""

FOLDER = Path(__file__).parent / "avro"
NAMESPACE = "atstream"


def names() -> tuple[str, ...]:
    """The names of all committed schemas, sorted; a schema has the name of its topic."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.avsc")))


@cache
def text(name: str) -> str:
    """The schema as it is committed, which is also what is registered. Raises FileNotFoundError for no such
    schema.
    """
    return (FOLDER / f"{name}.avsc").read_text(encoding="utf-8")


@cache
def reader_schema(name: str) -> Any:
    """Our schema of ``name`` as fastavro reads and writes with it: times are plain integers of microseconds."""
    return parse_schema(without_logical_types(json.loads(text(name))), {})


@cache
def full_name(name: str) -> str:
    """Namespace and name of the record, such as ``atstream.OrderReleased``."""
    schema = json.loads(text(name))
    return f"{schema['namespace']}.{schema['name']}"


def without_logical_types(schema: Schema) -> Any:
    """The schema with every ``logicalType`` taken out, so that reading makes no datetime objects."""
    if isinstance(schema, list):
        return [without_logical_types(branch) for branch in schema]
    if isinstance(schema, dict):
        kept = {key: value for key, value in schema.items() if key not in ("logicalType", "doc")}
        for key in ("type", "items", "values", "fields"):
            if key in kept:
                kept[key] = without_logical_types(kept[key])
        return kept
    return schema
