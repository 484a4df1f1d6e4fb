"""Generated writers write exactly what fastavro writes, and refuse whatever is not of its type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from fastavro import parse_schema
from hypothesis import event, given
from hypothesis import strategies as st

from domain.steps import Layout, Steps
from schemas import avro_files
from schemas.avro_names import SchemaRefused, expanded
from schemas.reader_source import Unsupported
from schemas.steps import is_explained
from schemas.writers import Writers, carefully, generated, named, writers_of
from tests.properties.avro_pairs import records, values, written
from tests.unit.schemas.samples import schema_of

START = b"\0\0\0\0\7"
TOPICS = avro_files.names()
NUMBERS = [0, 1, -1, 8_191, 8_192, -8_192, -8_193, 2**31, 2**63, -(2**63), -(2**63) - 1, 1.0, 1.5]
OTHERS = [
    None,
    True,
    False,
    "",
    "A",
    "é" * 5_000,
    "\ud800",
    b"A",
    (),
    ("A", 1),
    [],
    ["A"],
    [1],
    {},
    {"A": 1},
    {1: 2},
]
ODD = st.sampled_from([*NUMBERS, *OTHERS, object()])


def our(name: str) -> Any:
    return expanded(json.loads(avro_files.text(name)))


def positional(schema: Any, value: Any) -> Any:
    """The value with a tuple in place of every record, and with steps in place of terms."""
    if isinstance(schema, list):
        other = next(branch for branch in schema if branch != "null")
        return None if value is None else positional(other, value)
    if isinstance(schema, str) or value is None:
        return value
    if is_explained(schema):
        return [steps(scope, *rows) for scope, rows in grouped(value)]
    if schema["type"] == "record":
        return tuple(positional(field["type"], value[field["name"]]) for field in schema["fields"])
    if schema["type"] == "array":
        return [positional(schema["items"], item) for item in value]
    if schema["type"] == "map":
        return {key: positional(schema["values"], item) for key, item in value.items()}
    return value


def grouped(terms: list[Any]) -> Iterator[tuple[tuple[str, str], list[Any]]]:
    """Neighbours of one scope and location together."""
    yield from ((key, list(rows)) for key, rows in groupby(terms, lambda term: (term["scope"], term["location"])))


def steps(scope_and_name: tuple[str, str], *terms: Any) -> Steps:
    layout = Layout([(term["term"], term["note"]) for term in terms])
    return Steps(*scope_and_name, layout, tuple(term["units"] for term in terms))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something else could stand in a record."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inside for place in places(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    if not path:
        return other
    first, *rest = path
    if isinstance(value, dict):
        return value | {first: replaced(value[first], tuple(rest), other)}
    return [replaced(item, tuple(rest), other) if at == first else item for at, item in enumerate(value)]


def outcome(write: Any, *arguments: Any) -> Any:
    """What is written, or that it is refused."""
    try:
        return write(*arguments)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return "refused"


@given(st.sampled_from(TOPICS), st.data())
def test_records_of_every_topic_are_written_as_fastavro_writes_them(name: str, data: st.DataObject) -> None:
    record = data.draw(values(our(name)))
    writers = writers_of(name)

    expected = START + written(schema_of(name), record)

    assert writers.by_name(START, record) == expected
    assert writers.by_position(START, positional(our(name), record)) == expected


@given(st.sampled_from(TOPICS), st.data())
def test_fields_that_are_left_out_have_their_defaults(name: str, data: st.DataObject) -> None:
    record = data.draw(values(our(name)))
    optional = sorted(field["name"] for field in our(name)["fields"] if "default" in field)
    absent = data.draw(st.sets(st.sampled_from(optional))) if optional else set()
    left = {field: value for field, value in record.items() if field not in absent}

    assert writers_of(name).by_name(b"", left) == written(schema_of(name), left)


@given(st.sampled_from(TOPICS), st.data())
def test_one_odd_value_is_judged_as_the_careful_writer_judges_it(name: str, data: st.DataObject) -> None:
    record = data.draw(values(our(name)))
    path = data.draw(st.sampled_from(places(record)))
    odd = replaced(record, path, data.draw(ODD))

    judged = outcome(carefully, START, odd, avro_files.reader_schema(name))

    event("refused" if judged == "refused" else "written")
    assert outcome(writers_of(name).by_name, START, odd) == judged


@given(st.sampled_from(TOPICS), st.data())
def test_one_odd_part_of_a_tuple_is_judged_as_the_careful_writer_judges_it(name: str, data: st.DataObject) -> None:
    record = list(positional(our(name), data.draw(values(our(name)))))
    at = data.draw(st.integers(0, len(record)))
    odd = (*record[:at], data.draw(ODD), *record[at + data.draw(st.integers(0, 1)) :])

    def slowly() -> bytes:
        return carefully(START, named(our(name), odd), avro_files.reader_schema(name))

    assert outcome(writers_of(name).by_position, START, odd) == outcome(slowly)


@given(records(), st.data())
def test_records_of_any_supported_schema_are_written_as_fastavro_writes_them(
    schema: Any, data: st.DataObject
) -> None:
    reference = parse_schema(avro_files.without_logical_types(schema), {})
    try:
        writers: Writers = generated("any", expanded(schema), reference)
    except (Unsupported, SchemaRefused) as reason:
        event(f"unsupported: {reason}")
        return
    record = data.draw(values(expanded(schema)))

    expected = written(schema, record)

    assert writers.by_name(b"", record) == expected
    assert writers.by_position(b"", positional(expanded(schema), record)) == expected
