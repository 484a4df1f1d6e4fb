"""Pairs of Avro schemas, a reader's and that of an older, newer or foreign writer, and what that may write."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_writer
from hypothesis import strategies as st

from schemas.avro_files import without_logical_types

PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
TIME = {"type": "long", "logicalType": "timestamp-micros"}
WRITTEN_AS = {"long": ["int"], "double": ["float", "int", "long"], "float": ["int"], "string": ["bytes"]}
SYMBOLS = ["A", "B", "C", "D"]

Draw = Any


@st.composite
def types(draw: Draw, path: str, depth: int = 0) -> Any:
    """Any type; named types have names that say where they are."""
    kinds = ["primitive"] * 3 + ["time", "enum", "fixed"]
    kind = draw(st.sampled_from(kinds + (["array", "map", "union", "union", "record"] if depth < 3 else [])))
    if kind == "primitive":
        return draw(st.sampled_from(PRIMITIVES))
    if kind == "time":
        return TIME
    if kind == "enum":
        symbols = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True))
        default = {"default": symbols[0]} if draw(st.booleans()) else {}
        return {"type": "enum", "name": f"{path}E", "symbols": symbols, **default}
    if kind == "fixed":
        return {"type": "fixed", "name": f"{path}F", "size": draw(st.integers(1, 3))}
    if kind == "record":
        return draw(records(path, depth + 1))
    inner = draw(types(path + "x", depth + 1))
    if kind == "map":
        return {"type": "map", "values": inner}
    if kind == "array":
        return {"type": "array", "items": "long" if inner == "null" else inner}
    if isinstance(inner, list) or inner == "null":
        return inner
    return draw(st.sampled_from([["null", inner], [inner, "null"]]))


DEFAULTS: dict[str, Any] = {"null": None, "boolean": True, "int": 5, "long": 5, "string": "é"}


def default_of(kind: Any) -> dict[str, Any]:
    """A default for a field of this type, if it is a simple one."""
    if isinstance(kind, list):
        return default_of(kind[0])
    if isinstance(kind, dict) and kind["type"] in ("array", "map"):
        return {"default": [] if kind["type"] == "array" else {}}
    if isinstance(kind, dict) and kind["type"] == "enum":
        return {"default": kind["symbols"][-1]}
    return {"default": DEFAULTS[kind]} if isinstance(kind, str) and kind in DEFAULTS else {}


@st.composite
def records(draw: Draw, path: str = "R", depth: int = 0) -> Any:
    """A record of a few fields."""
    fields = []
    for number in range(draw(st.integers(1, 4))):
        kind = draw(types(f"{path}f{number}", depth))
        default = default_of(kind) if draw(st.booleans()) else {}
        fields.append({"name": f"field{number}", "type": kind, **default})
    return {"type": "record", "name": path, "fields": fields}


@st.composite
def writers(draw: Draw, expected: Any, path: str = "W") -> Any:
    """A type that some writer uses where ``expected`` is read: mostly one that can be read."""
    change = draw(st.sampled_from(["none", "none", "none", "promote", "nullable", "foreign"]))
    if change == "foreign" and draw(st.integers(0, 7)) == 0:
        return draw(types(path + "y", 2))
    if isinstance(expected, list):
        inner = [draw(writers(branch, path)) if branch != "null" else branch for branch in expected]
        if any(isinstance(branch, list) or branch == "null" for branch in inner if branch not in expected):
            return expected
        return inner if change != "nullable" else next((each for each in inner if each != "null"), "null")
    if isinstance(expected, str):
        promoted = draw(st.sampled_from([expected, *WRITTEN_AS.get(expected, [])]))
        if change == "nullable" and promoted != "null":
            return draw(st.sampled_from([["null", promoted], [promoted, "null"], ["null", "boolean", "string"]]))
        return promoted if change == "promote" else expected
    if expected["type"] == "record":
        return draw(written_records(expected, path))
    if expected["type"] == "enum":
        return draw(written_enums(expected))
    for part in ("items", "values"):
        if part in expected:
            inner = draw(writers(expected[part], path + "z"))
            return expected if inner == "null" else {**expected, part: inner}
    return expected


@st.composite
def written_enums(draw: Draw, expected: Any) -> Any:
    """The enum with other symbols, or some of the same, in another order."""
    known = [*expected["symbols"], "NEW"] if draw(st.booleans()) else expected["symbols"]
    symbols = draw(st.lists(st.sampled_from(known), min_size=1, unique=True))
    return {"type": "enum", "name": expected["name"], "symbols": symbols}


@st.composite
def written_records(draw: Draw, expected: Any, path: str = "W") -> Any:
    """The record with fields left out, changed, added and put into another order."""
    fields = []
    for number, field in enumerate(expected["fields"]):
        if "default" in field and draw(st.integers(0, 2)) == 0:
            continue
        kind = draw(writers(field["type"], f"{path}g{number}"))
        fields.append({"name": field["name"], "type": kind})
    count = draw(st.integers(0, 2))
    added = [{"name": f"added{number}", "type": draw(types(f"{path}a{number}", 1))} for number in range(count)]
    return {**expected, "fields": draw(st.permutations(fields + added))}


longs = st.integers(-200, 200) | st.integers(-(2**63), 2**63 - 1) | st.integers(0, 2**40)
micros = st.integers(946_684_800_000_000, 4_102_444_799_999_999) | longs
PRIMITIVE_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-200, 200) | st.integers(-(2**31), 2**31 - 1),
    "long": longs,
    "float": st.floats(width=32),
    "double": st.floats(),
    "bytes": st.binary(max_size=5) | st.binary(min_size=60, max_size=70),
    "string": st.text(st.characters(exclude_categories=("Cs",)), max_size=5) | st.just("é" * 40),
}


def values(schema: Any) -> st.SearchStrategy[Any]:
    """What can be written with a schema."""
    if isinstance(schema, list):
        return st.one_of([values(branch) for branch in schema])
    if isinstance(schema, str):
        return PRIMITIVE_VALUES[schema]
    kind = schema["type"]
    if kind == "record":
        return st.fixed_dictionaries({field["name"]: values(field["type"]) for field in schema["fields"]})
    if kind == "enum":
        return st.sampled_from(schema["symbols"])
    if kind == "fixed":
        return st.binary(min_size=schema["size"], max_size=schema["size"])
    if kind == "array":
        return st.lists(values(schema["items"]), max_size=3)
    if kind == "map":
        return st.dictionaries(PRIMITIVE_VALUES["string"], values(schema["values"]), max_size=3)
    return micros


def written(schema: Any, value: Any) -> bytes:
    """A value as Avro bytes."""
    out = BytesIO()
    schemaless_writer(out, parse_schema(without_logical_types(schema), {}), value)
    return out.getvalue()


damage = st.lists(
    st.tuples(
        st.sampled_from(["flip", "set", "cut", "insert", "end"]),
        st.integers(0, 10_000),
        st.sampled_from([b"\x01", b"\x03", b"\x80", b"\xff" * 9, b"\x7f", struct.pack("<q", -1)])
        | st.binary(min_size=1, max_size=9),
    ),
    min_size=1,
    max_size=3,
)


def damaged(data: bytes, blows: list[tuple[str, int, bytes]]) -> bytes:
    """The bytes after each blow: flipped bits, other bytes, bytes gone or added, or an early end."""
    for how, where, what in blows:
        at = where % (len(data) + 1)
        if how == "flip":
            data = data[:at] + bytes(one ^ what[0] for one in data[at : at + 1]) + data[at + 1 :]
        elif how == "set":
            data = data[:at] + what[:1] + data[at + 1 :]
        elif how == "cut":
            data = data[:at] + data[at + len(what) :]
        elif how == "insert":
            data = data[:at] + what + data[at:]
        else:
            data = data[:at]
    return data
