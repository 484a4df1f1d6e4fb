"""Schema resolution agrees with fastavro, and untrusted schemas are bounded."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError

from schemas.avro_names import MAX_NODES, SchemaRefused, expanded, parsed
from schemas.resolution import conflicts, readable


def record(*fields: dict[str, Any], name: str = "R") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields)}


def of(kind: Any, **more: Any) -> dict[str, Any]:
    return record({"name": "f", "type": kind, **more})


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


TIME_MICROS = {"type": "long", "logicalType": "timestamp-micros"}
TIME_MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
FIXED = {"type": "fixed", "name": "F", "size": 2}

CASES: list[tuple[str, dict[str, Any], dict[str, Any], Any, str | None]] = [
    # writer -> reader, a value, and the conflict
    ("the same", of("long"), of("long"), {"f": 1}, None),
    ("int to long", of("int"), of("long"), {"f": 1}, None),
    ("long to double", of("long"), of("double"), {"f": 1}, None),
    ("long to int", of("long"), of("int"), {"f": 1}, "f: written as long, read as int"),
    ("double to long", of("double"), of("long"), {"f": 1.0}, "f: written as double, read as long"),
    ("string to bytes", of("string"), of("bytes"), {"f": "a"}, None),
    ("string to long", of("string"), of("long"), {"f": "a"}, "f: written as string, read as long"),
    ("to nullable", of("long"), of(["null", "long"]), {"f": 1}, None),
    ("from nullable", of(["null", "long"]), of("long"), {"f": None}, "f: written as null, read as long"),
    ("a union narrowed", of(["null", "string"]), of(["null", "long"]), {"f": "a"}, "which is none of null, long"),
    ("a field added with default", record(), of("long", default=5), {}, None),
    ("a field added without default", record(), of("long"), {}, "read, never written, and without a default"),
    ("a field removed", of("long"), record(), {"f": 1}, None),
    ("a symbol removed", of(enum("A", "B")), of(enum("A")), {"f": "B"}, "symbols B may be written"),
    ("a symbol removed with default", of(enum("A", "B")), of(enum("A", default="A")), {"f": "B"}, None),
    ("a symbol added", of(enum("A")), of(enum("A", "B")), {"f": "A"}, None),
    (
        "items",
        of({"type": "array", "items": "long"}),
        of({"type": "array", "items": "string"}),
        {"f": [1]},
        "f[]: ",
    ),
    (
        "values",
        of({"type": "map", "values": "long"}),
        of({"type": "map", "values": "string"}),
        {"f": {"a": 1}},
        "f{}",
    ),
    ("a fixed of another size", of(FIXED), of({**FIXED, "size": 3}), {"f": b"ab"}, "fixed of 2 bytes, read as 3"),
    ("another record", of("long"), {**of("long"), "name": "S"}, {"f": 1}, "record R, read as record S"),
    ("another record, aliased", of("long"), {**of("long"), "name": "S", "aliases": ["R"]}, {"f": 1}, None),
    (
        "a field renamed with alias",
        of("long"),
        record({"name": "g", "type": "long", "aliases": ["f"]}),
        {"f": 1},
        None,
    ),
    (
        "inside a record",
        of(of("string") | {"name": "I"}),
        of(of("long") | {"name": "I"}),
        {"f": {"f": "a"}},
        "f.f: ",
    ),
]


@pytest.mark.parametrize(
    ("writer", "reader", "value", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_a_conflict_is_found_and_named(writer: Any, reader: Any, value: Any, expected: str | None) -> None:
    found = [str(each) for each in conflicts(expanded(reader), expanded(writer))]

    assert (expected is None) == (not found), found
    assert expected is None or any(expected in each for each in found), found


@pytest.mark.parametrize(
    ("writer", "reader", "value", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_fastavro_agrees(writer: Any, reader: Any, value: Any, expected: str | None) -> None:
    out = BytesIO()
    schemaless_writer(out, parse_schema(writer, {}), value)
    out.seek(0)
    try:
        schemaless_reader(out, parse_schema(writer, {}), parse_schema(reader, {}))
    except (SchemaResolutionError, KeyError):
        reads = False
    else:
        reads = True

    assert reads == readable(expanded(reader), expanded(writer))


def test_other_units_of_time_are_a_silent_conflict_also_where_null_is_allowed() -> None:
    for reader, writer in ((TIME_MICROS, TIME_MILLIS), (["null", TIME_MICROS], ["null", TIME_MILLIS])):
        found = list(conflicts(expanded(of(reader)), expanded(of(writer))))

        assert [(each.path, each.silent) for each in found] == [("f", True)]


def test_names_are_looked_up_where_they_are_used() -> None:
    inner = {"type": "record", "name": "Inner", "namespace": "a.b", "fields": [{"name": "x", "type": "long"}]}
    schema = record({"name": "one", "type": inner}, {"name": "two", "type": "a.b.Inner"})

    node = expanded(schema)

    assert isinstance(node, dict)
    assert node["fields"][0]["type"] == node["fields"][1]["type"]
    assert node["fields"][0]["type"]["name"] == "a.b.Inner"


def test_a_schema_that_doubles_itself_over_and_over_is_refused() -> None:
    fields = [{"name": "f0", "type": of("long") | {"name": "L0"}}]
    for level in range(1, 25):
        pair = [{"name": name, "type": f"L{level - 1}"} for name in ("a", "b")]
        fields.append({"name": f"f{level}", "type": record(*pair, name=f"L{level}")})

    with pytest.raises(SchemaRefused, match=str(MAX_NODES)):
        expanded(record(*fields))


def test_a_schema_that_is_nested_too_deeply_is_refused() -> None:
    kind: Any = "long"
    for _ in range(100):
        kind = {"type": "array", "items": kind}

    with pytest.raises(SchemaRefused, match="deeper"):
        expanded(of(kind))


def test_a_schema_that_contains_itself_is_refused() -> None:
    with pytest.raises(SchemaRefused, match="R contains itself"):
        expanded(of(["null", "R"]))


@pytest.mark.parametrize("nothing", ["null", {"type": "fixed", "name": "F", "size": 0}, record(name="Empty")])
def test_lists_of_nothing_are_refused(nothing: Any) -> None:
    with pytest.raises(SchemaRefused, match="no bytes"):
        expanded(of({"type": "array", "items": nothing}))


@pytest.mark.parametrize(
    "wrong",
    [
        5,
        {},
        {"type": "record", "name": "R"},
        {"type": "record", "fields": []},
        {"type": "enum", "name": "E"},
        {"type": "fixed", "name": "F"},
        {"type": "array"},
        record({"type": "long"}),
        of("Missing"),
        of(["null", {"type": {"type": "Missing"}}]),
    ],
)
def test_what_is_no_schema_is_refused(wrong: Any) -> None:
    with pytest.raises(SchemaRefused):
        expanded(parsed(json.dumps(wrong)))
