"""Messages written with an older, newer or foreign schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.facts import Adjustment, Event, LineVersion
from domain.listing_map import Listed
from schemas.codec import Decoded, Decoder
from schemas.compatibility import versions
from schemas.rejections import NOT_A_NUMBER, NULL_FIELD, UNKNOWN_ENUM, WRONG_SCHEMA, Rejection
from tests.unit.schemas.samples import (
    ACKNOWLEDGEMENT,
    DELTA,
    LISTING,
    ORDER_LINE,
    SCHEMA_ID,
    Shelf,
    body,
    decoder,
    field,
    fields_of_line,
    key_of_line,
    said,
    schema_of,
    value,
)

TOPIC = "order-released"


def read(line: dict[str, Any], schema: Any, **changes: Any) -> Decoded:
    """Read a line that was written with ``schema``."""
    topic = line["type"]
    fields = fields_of_line(line) | changes
    return decoder(topic, schema).decode(topic, key_of_line(line), value(topic, fields, schema), None)


def refused(line: dict[str, Any], schema: Any, **changes: Any) -> Rejection:
    outcome = read(line, schema, **changes)
    assert isinstance(outcome, Rejection), outcome
    return outcome


def test_an_older_schema_without_optional_fields_is_read_with_their_defaults() -> None:
    schema = schema_of(TOPIC)
    new = {"kit_ref", "reservation_id", "cancelled_quantity", "ext", "revision"}
    schema["fields"] = [each for each in schema["fields"] if each["name"] not in new]

    event = read(ORDER_LINE, schema)

    assert isinstance(event, Event)
    assert isinstance(event.fact, LineVersion)
    assert (event.fact.kit_ref, event.fact.cancelled_quantity, event.fact.revision) == (None, 0, 0)
    assert event.fact.quantity == 5


def test_a_listing_of_before_there_were_prices_has_none() -> None:
    released = json.loads(versions("listings")["v1"].read_text(encoding="utf-8"))
    now, then = said(LISTING), read({**LISTING, "price": None, "currency": None}, released)

    assert isinstance(now, Listed)
    assert then == now._replace(price=None) != now


def test_fields_of_a_newer_schema_are_skipped_wherever_they_stand() -> None:
    schema = schema_of(TOPIC)
    gift = {
        "name": "gift",
        "type": {"type": "record", "name": "Gift", "fields": [{"name": "text", "type": "string"}]},
    }
    schema["fields"].insert(0, gift)
    schema["fields"].append({"name": "tags", "type": {"type": "array", "items": "string"}})

    assert read(ORDER_LINE, schema, gift={"text": "hello"}, tags=["a", "b"]) == said(ORDER_LINE)


def test_fields_in_another_order_are_found() -> None:
    schema = schema_of(TOPIC)
    schema["fields"].reverse()

    assert read(ORDER_LINE, schema) == said(ORDER_LINE)


def test_a_narrower_number_is_widened() -> None:
    schema = schema_of(TOPIC)
    field(schema, "quantity")["type"] = "int"

    assert read(ORDER_LINE, schema) == said(ORDER_LINE)


def test_a_field_that_was_required_when_it_was_written_is_read_as_optional() -> None:
    schema = schema_of(TOPIC)
    field(schema, "location").update(type="string")
    del field(schema, "location")["default"]

    assert read(ORDER_LINE, schema) == said(ORDER_LINE)


def test_a_schema_that_differs_only_in_documentation_is_the_same() -> None:
    schema = schema_of(TOPIC)
    for each in schema["fields"]:
        each.pop("doc")

    assert read(ORDER_LINE, schema) == said(ORDER_LINE)


def test_times_may_be_plain_longs() -> None:
    schema = schema_of(TOPIC)
    field(schema, "occurred_at")["type"] = "long"

    assert read(ORDER_LINE, schema) == said(ORDER_LINE)


def test_times_in_milliseconds_are_the_wrong_schema_and_not_the_year_1970() -> None:
    schema = schema_of(TOPIC)
    field(schema, "occurred_at")["type"] = {"type": "long", "logicalType": "timestamp-millis"}

    outcome = refused(ORDER_LINE, schema)

    assert (outcome.code, outcome.field) == (WRONG_SCHEMA, "occurred_at")
    assert "timestamp-millis" in outcome.message


def test_a_new_symbol_of_an_enum_with_default_is_read_as_the_default() -> None:
    reasons = schema_of("stock-adjusted")
    field(reasons, "reason")["type"]["symbols"].append("THEFT")
    outcomes = schema_of("channel-acks")
    field(outcomes, "outcome")["type"]["symbols"].append("DEFERRED")

    theft = read(DELTA, reasons, reason="THEFT")
    deferred = read(ACKNOWLEDGEMENT, outcomes, outcome="DEFERRED")

    assert isinstance(theft, Event)
    assert isinstance(theft.fact, Adjustment)
    assert theft.fact.reason == "OTHER"
    assert deferred.outcome == "UNKNOWN"  # type: ignore[union-attr]


def test_a_new_symbol_of_an_enum_without_default_is_unknown_only_where_it_is_used() -> None:
    schema = schema_of(TOPIC)
    field(schema, "state")["type"]["symbols"].append("PAUSED")

    outcome = refused(ORDER_LINE, schema, state="PAUSED")

    assert (outcome.code, outcome.field) == (UNKNOWN_ENUM, "state")
    assert "OPEN, CANCELLED, CLOSED" in outcome.message
    assert read(ORDER_LINE, schema) == said(ORDER_LINE)


def test_a_null_is_refused_only_where_it_is_one() -> None:
    schema = schema_of(TOPIC)
    field(schema, "quantity")["type"] = ["null", "long"]

    outcome = refused(ORDER_LINE, schema, quantity=None)

    assert (outcome.code, outcome.field) == (NULL_FIELD, "quantity")
    assert read(ORDER_LINE, schema) == said(ORDER_LINE)


@pytest.mark.parametrize("quantity", [float("nan"), float("inf"), 5.5, 5.0])
def test_a_quantity_written_as_a_floating_point_number_is_not_a_number(quantity: float) -> None:
    schema = schema_of(TOPIC)
    field(schema, "quantity")["type"] = "double"

    outcome = refused(ORDER_LINE, schema, quantity=quantity)

    assert (outcome.code, outcome.field) == (NOT_A_NUMBER, "quantity")


def test_a_schema_that_lacks_a_required_field_is_wrong_and_says_which() -> None:
    schema = schema_of(TOPIC)
    schema["fields"] = [each for each in schema["fields"] if each["name"] != "version"]

    outcome = refused(ORDER_LINE, schema)

    assert outcome.code == WRONG_SCHEMA
    assert "version" in outcome.message


def test_a_schema_with_another_type_for_a_field_is_wrong_and_says_which() -> None:
    schema = schema_of(TOPIC)
    field(schema, "order_id")["type"] = "long"

    outcome = refused(ORDER_LINE, schema, order_id=5)

    assert outcome.code == WRONG_SCHEMA
    assert "order_id: written as long, read as string" in outcome.message


NOT_OURS = {
    "no JSON": "{",
    "a primitive": '"string"',
    "a union": '["null", "string"]',
    "a protobuf file": 'syntax = "proto3";',
    "nonsense": '{"type": "nonsense"}',
    "a record without fields": '{"type": "record", "name": "OrderReleased", "namespace": "atstream"}',
    "a field without type": '{"type":"record","name":"atstream.OrderReleased","fields":[{"name":"a"}]}',
    "an undefined name": '{"type":"record","name":"atstream.OrderReleased",'
    '"fields":[{"name":"a","type":"Other"}]}',
    "another namespace": '{"type":"record","name":"OrderReleased","namespace":"shop","fields":[]}',
    "recursive": '{"type":"record","name":"OrderReleased","namespace":"atstream","fields":'
    '[{"name":"next","type":["null","OrderReleased"]}]}',
    "a list of nothing": '{"type":"record","name":"OrderReleased","namespace":"atstream","fields":'
    '[{"name":"a","type":{"type":"array","items":"null"}}]}',
    "nested too deeply": "[" * 50_000,
    "too large": '{"type": "record", "doc": "' + "x" * 300_000 + '"}',
    "an enum with a default of its own": '{"type":"record","name":"OrderReleased","namespace":"atstream","fields":'
    '[{"name":"a","type":{"type":"enum","name":"E","symbols":["A"],"default":"B"}}]}',
}


@pytest.mark.parametrize("text", NOT_OURS.values(), ids=NOT_OURS)
def test_a_registered_text_that_is_no_schema_of_ours_is_wrong(text: str) -> None:
    decode = Decoder(Shelf({SCHEMA_ID: text})).decode
    value = b"\0\0\0\0\x07" + body(schema_of(TOPIC), fields_of_line(ORDER_LINE))

    outcomes = [decode(TOPIC, b"SKU-1", value, None) for _ in range(2)]

    assert [outcome.code for outcome in outcomes if isinstance(outcome, Rejection)] == [WRONG_SCHEMA] * 2
