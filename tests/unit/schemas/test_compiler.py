"""Generated readers: what they are made for, what they leave to fastavro, and what hostile schemas cannot do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.facts import Event
from schemas import avro_files, compiler
from schemas.builders import DirectBuilder
from schemas.codec import Decoder
from schemas.compiler import compiled
from schemas.intake import builders
from schemas.plans import Plan, plan_for
from schemas.reader_source import MAX_FIXED_BYTES, Unsupported
from schemas.rejections import MALFORMED, TRUNCATED, UNKNOWN_ENUM, Rejection
from schemas.topics import input_topics
from tests.unit.schemas.samples import (
    BALANCE,
    DELTA,
    LINES,
    ORDER_LINE,
    SCHEMA_ID,
    Shelf,
    body,
    decoder,
    fields_of_line,
    said,
    schema_of,
    value,
)

TOPIC = "order-released"
KEY = b"SKU-1"


def never_asked(_value: bytes, _start: int) -> Any:
    raise AssertionError("left to fastavro")


def damaged_at(line: dict[str, Any], name: str, byte: int) -> bytes:
    """The message with another first byte of one field."""
    schema, fields = schema_of(str(line["type"])), fields_of_line(line)
    names = [each["name"] for each in schema["fields"]]
    at = len(body({**schema, "fields": schema["fields"][: names.index(name)]}, fields))
    whole = body(schema, fields)
    return whole[:at] + bytes([byte]) + whole[at + 1 :]


@pytest.mark.parametrize("topic", [topic.name for topic in input_topics()])
def test_our_own_schema_of_every_input_is_compiled(topic: str) -> None:
    assert compiled(topic, avro_files.text(topic)).source.startswith("def read(b, start):")


@pytest.mark.parametrize("topic", [t for t, build in builders().items() if isinstance(build, DirectBuilder)])
def test_frequent_messages_are_read_straight_into_the_arguments_of_their_builder(topic: str) -> None:
    build = builders()[topic]
    assert isinstance(build, DirectBuilder)
    line = next(line for line in LINES.values() if line["type"] == topic)
    read = compiled(topic, avro_files.text(topic), build.wanted).bind(never_asked, build.build)

    assert read(body(schema_of(topic), fields_of_line(line)), 0) == said(line)


def test_fields_that_nobody_wants_are_not_kept() -> None:
    source = compiled(TOPIC, avro_files.text(TOPIC), ("sku",)).source

    assert "return _build(sku)" in source
    assert "{}" not in source


def test_a_reader_is_generated_once_for_all_that_use_the_same_schema() -> None:
    text = avro_files.text(TOPIC)

    assert compiled(TOPIC, text) is compiled(TOPIC, text)


def test_the_source_of_a_reader_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    compiler.main([TOPIC])

    assert capsys.readouterr().out == compiled(TOPIC, avro_files.text(TOPIC)).source


@pytest.mark.parametrize(
    ("line", "name", "byte", "code"),
    [
        (ORDER_LINE, "state", 0x01, UNKNOWN_ENUM),
        (BALANCE, "bucket", 0x03, UNKNOWN_ENUM),
        (DELTA, "reason", 0x05, UNKNOWN_ENUM),
        (ORDER_LINE, "location", 0x01, MALFORMED),
        (BALANCE, "basis", 0x03, MALFORMED),
    ],
)
def test_an_index_below_zero_is_refused_with_and_without_a_generated_reader(
    line: dict[str, Any], name: str, byte: int, code: str
) -> None:
    topic = str(line["type"])
    damaged = damaged_at(line, name, byte)
    plan = plan_for(topic, avro_files.text(topic))
    assert isinstance(plan, Plan)

    slow = plan.read(damaged, 0)
    fast = decoder(topic).decode(topic, KEY, b"\0\0\0\0\x07" + damaged)

    assert isinstance(slow, Rejection)
    assert slow == fast
    assert (slow.code, slow.field) == (code, name)


UNSUPPORTED: dict[str, Any] = {
    "nested too deeply": "deep",
    "too long": {
        "type": "record",
        "name": "Long",
        "fields": [{"name": f"f{n}", "type": "long"} for n in range(500)],
    },
    "a large fixed": {"type": "fixed", "name": "Large", "size": MAX_FIXED_BYTES + 1},
    "many branches": ["null", *({"type": "fixed", "name": f"F{n}", "size": 1} for n in range(64))],
}


def nested(kind: Any, levels: int) -> Any:
    return kind if levels == 0 else {"type": "array", "items": nested(kind, levels - 1)}


@pytest.mark.parametrize("kind", UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_what_is_not_compiled_is_counted_and_read_all_the_same(kind: Any) -> None:
    schema = schema_of(TOPIC)
    schema["fields"].append({"name": "new", "type": ["null", nested("long", 12) if kind == "deep" else kind]})
    if isinstance(kind, list):
        schema["fields"][-1]["type"] = kind
    read = Decoder(Shelf({SCHEMA_ID: json.dumps(schema)}))

    outcome = read.decode(TOPIC, KEY, value(TOPIC, fields_of_line(ORDER_LINE) | {"new": None}, schema))

    assert outcome == said(ORDER_LINE)
    assert [*read.uncompiled()] == [(TOPIC, SCHEMA_ID)]
    assert all(read.uncompiled().values())


def test_what_is_compiled_is_not_counted() -> None:
    read = decoder(TOPIC)

    assert isinstance(read.decode(TOPIC, KEY, value(TOPIC, fields_of_line(ORDER_LINE))), Event)
    assert read.uncompiled() == {}


def test_no_text_of_a_writers_schema_becomes_source() -> None:
    schema = schema_of(TOPIC)
    hostile = "x'''\n__import__('os')\n"
    enum = {"type": "enum", "name": hostile, "symbols": [hostile, '"]*9']}
    schema["fields"].insert(0, {"name": hostile, "type": enum, "default": hostile})

    assert "import" not in compiled(TOPIC, json.dumps(schema)).source


@pytest.mark.parametrize("items", ["double", {"type": "fixed", "name": "F", "size": 1}, "string", "boolean"])
def test_a_list_that_claims_to_be_endless_ends_with_the_bytes(items: Any) -> None:
    schema = schema_of(TOPIC)
    schema["fields"].append({"name": "new", "type": {"type": "array", "items": items}})
    fields = fields_of_line(ORDER_LINE) | {"new": []}
    endless = value(TOPIC, fields, schema)[:-1] + b"\xfe\xff\xff\xff\xff\xff\xff\x7f\x02"

    outcome = decoder(TOPIC, schema).decode(TOPIC, KEY, endless)

    assert isinstance(outcome, Rejection)
    assert (outcome.code, outcome.field) == (TRUNCATED, "new")


def test_a_block_that_says_how_many_bytes_it_has_is_read() -> None:
    schema = schema_of("stock-adjusted")
    plain = value("stock-adjusted", fields_of_line(BALANCE) | {"includes": ["S-1"]})
    sized = plain.replace(b"\x02\x02\x06S-1\0", b"\x02\x01\x08\x06S-1\0")
    assert sized != plain

    assert decoder("stock-adjusted", schema).decode("stock-adjusted", KEY, sized) == said(
        {**BALANCE, "includes": ["S-1"]}
    )


def test_a_schema_that_lacks_a_field_of_ours_is_not_compiled() -> None:
    schema = schema_of(TOPIC)
    schema["fields"] = [each for each in schema["fields"] if each["name"] != "version"]

    with pytest.raises(Unsupported, match="version"):
        compiled(TOPIC, json.dumps(schema))
