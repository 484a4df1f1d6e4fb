"""A writer of records as Python source, generated from our own schema; what it doubts is written by fastavro.

fastavro finds out anew for every record what it consists of, and writes what it can make a number of: 1.5 as 1. A
generated writer has one check per value and nothing to find out. Whatever is not the usual is handed over to
``carefully``, which compares the record with its schema first and is the only one that refuses.

    python -m schemas.writers TOPIC    show the writers of a topic
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from functools import cache
from io import BytesIO
from typing import Any, NamedTuple, TypeAlias

from fastavro import schemaless_writer
from fastavro.validation import ValidationError, validate

from schemas import avro_files
from schemas.avro_names import Node, expanded
from schemas.encodings import RUNTIME
from schemas.steps import as_items, is_explained
from schemas.writer_source import WriterSource

Write: TypeAlias = Callable[[bytes, Any], bytes]
"""The given bytes, followed by the record's own. Raises ValueError for a record that is not of its schema."""

MAX_REASON = 1_000
"""Characters of a reason why a record is refused."""


class Writers(NamedTuple):
    """Writers of one schema: of dicts by the names of the fields, and of tuples in the order of the fields."""

    by_name: Write
    by_position: Write


@cache
def writers_of(name: str) -> Writers:
    """The writers of our schema ``name``. Raises Unsupported if it has types that no topic of ours has."""
    return generated(name, expanded(json.loads(avro_files.text(name))), avro_files.reader_schema(name))


def generated(name: str, schema: Any, reference: Any) -> Writers:
    """The writers of an expanded record schema; ``reference`` is the same one as fastavro takes it."""

    def otherwise(start: bytes, record: Any) -> bytes:
        return carefully(start, record, reference)

    def otherwise_by_position(start: bytes, record: Any) -> bytes:
        return carefully(start, named(schema, record), reference)

    return Writers(
        _bound(name, schema, by_position=False, otherwise=otherwise),
        _bound(name, schema, by_position=True, otherwise=otherwise_by_position),
    )


def source_of(schema: Any, by_position: bool) -> tuple[str, dict[str, object]]:
    """Source of a writer, and the constants that it names."""
    body = WriterSource(by_position)
    body.record(schema, "record")
    body.flush()
    lines = (
        "def write(start, record):",
        "    try:",
        "        out = [start]",
        "        append = out.append",
        *body.lines,
        "        return b''.join(out)",
        "    except _doubts:",
        "        return _otherwise(start, record)",
        "",
    )
    return "\n".join(lines), body.constants


def carefully(start: bytes, record: Mapping[str, Any], reference: Any) -> bytes:
    """The bytes as fastavro writes them, once it has been seen that every value is of its type."""
    try:
        validate(record, reference, raise_errors=True)
    except ValidationError as error:
        raise ValueError("; ".join(map(str, error.errors))[:MAX_REASON]) from error
    out = BytesIO()
    out.write(start)
    schemaless_writer(out, reference, record)
    return out.getvalue()


def named(schema: Node, value: Any) -> Any:
    """A value by position as one by name. Raises ValueError for a tuple that is too short or too long."""
    if isinstance(schema, list):
        other = next(branch for branch in schema if branch != "null")
        return None if value is None else named(other, value)
    if isinstance(schema, str):
        return value
    if is_explained(schema):
        return as_items(value)
    if schema["type"] == "array" and isinstance(value, list | tuple):
        return [named(schema["items"], item) for item in value]
    if schema["type"] == "map" and isinstance(value, Mapping):
        return {key: named(schema["values"], item) for key, item in value.items()}
    if schema["type"] != "record":
        return value
    names = [field["name"] for field in schema["fields"]]
    if not isinstance(value, tuple) or len(value) != len(names):
        raise ValueError(f"a record of {schema['name']} by position is a tuple of {', '.join(names)}")
    return {field["name"]: named(field["type"], part) for field, part in zip(schema["fields"], value, strict=True)}


def _bound(name: str, schema: Any, by_position: bool, otherwise: Write) -> Write:
    source, constants = source_of(schema, by_position)
    names: dict[str, Any] = {**RUNTIME, **constants, "_otherwise": otherwise}
    exec(compile(source, f"<writer of {name}>", "exec"), names)
    write: Write = names["write"]
    return write


def main(arguments: list[str]) -> None:
    """Print the source of both writers."""
    (topic,) = arguments
    schema = expanded(json.loads(avro_files.text(topic)))
    for by_position in (False, True):
        print(source_of(schema, by_position)[0])


if __name__ == "__main__":
    main(sys.argv[1:])
