"""Canonical JSON: what is accepted, what is refused and with which words, and the way back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import tests.golden
from schemas import avro_files
from schemas.fields import fields_of
from schemas.policies import PolicyDocument
from schemas.record_models import MODELS
from schemas.records import RecordError, avro_record_of, canonical_json_of, event_of
from schemas.rejections import (
    ABSURD_QUANTITY,
    EMPTY,
    INVALID_JSON,
    INVALID_TEXT,
    INVALID_TIME,
    MISSING_FIELD,
    MISSING_SKU,
    NOT_A_NUMBER,
    NULL_FIELD,
    OVERSIZED,
    UNKNOWN_ENUM,
    UNKNOWN_FIELD,
    UNKNOWN_TYPE,
    WRONG_TYPE,
)
from schemas.topics import MAX_MESSAGE_BYTES, input_topics
from tests.unit.schemas.samples import AT_MICROS, DELTA, EVENTS, LINES, ORDER_LINE, POLICY, REQUESTED, without

GOLDEN = Path(tests.golden.__file__).parent / "data"


def refused(line: Any) -> RecordError:
    with pytest.raises(RecordError) as error:
        event_of(line)
    return error.value


def test_there_is_a_model_for_every_input_and_it_has_the_fields_of_its_schema() -> None:
    assert set(MODELS) == {topic.name for topic in input_topics()}
    for name, model in MODELS.items():
        schema = json.loads(avro_files.text(name))
        assert {field["name"] for field in schema["fields"]} == set(model.model_fields) - {"type"}, name


@pytest.mark.parametrize("name", MODELS)
def test_a_line_needs_no_more_and_no_less_than_its_schema(name: str) -> None:
    """What only has a default in Avro has the same default in JSON, and nothing else has one."""
    model = MODELS[name]
    for field in json.loads(avro_files.text(name))["fields"]:
        info = model.model_fields[field["name"]]
        assert info.is_required() == ("default" not in field), field["name"]
        if not info.is_required() and field["name"] != "effective_from":
            assert info.get_default(call_default_factory=True) == field["default"], field["name"]


def test_the_symbols_of_an_enum_are_those_of_the_schema() -> None:
    for name, model in MODELS.items():
        shown = model.model_json_schema()["properties"]
        for field in json.loads(avro_files.text(name))["fields"]:
            kinds = field["type"] if isinstance(field["type"], list) else [field["type"]]
            for kind in kinds:
                if isinstance(kind, dict) and kind["type"] == "enum":
                    found = shown[field["name"]].get("enum") or shown[field["name"]]["anyOf"][0]["enum"]
                    assert found == kind["symbols"], field["name"]


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_what_a_line_says_is_said_again_by_the_line_made_of_it(line: dict[str, Any]) -> None:
    spoken = event_of(json.dumps(line))

    assert event_of(json.dumps(canonical_json_of(spoken))) == spoken


@pytest.mark.parametrize("line", EVENTS.values(), ids=EVENTS)
def test_an_event_is_the_same_as_text_bytes_and_mapping(line: dict[str, Any]) -> None:
    text = json.dumps(line)

    assert event_of(text) == event_of(text.encode()) == event_of(line)


def test_every_line_of_the_golden_cases_is_read_and_written_again() -> None:
    cases = json.loads((GOLDEN / "availability.json").read_text())
    lines = [line for case in cases for line in case["events"]]

    events = [event_of(line) for line in lines]

    assert len(events) > 100
    assert [event_of(canonical_json_of(event)) for event in events] == events


def test_a_line_made_of_a_fact_holds_plain_json_values() -> None:
    line = {**EVENTS["balance"], "includes": ["S-1", "S-2"], "bucket": "SELLABLE", "revision": 0}

    assert canonical_json_of(event_of(line)) == line


def test_a_number_is_taken_for_the_text_of_a_part() -> None:
    line = {**EVENTS["transfer received"], "part": 1}

    assert event_of(line) == event_of({**line, "part": "1"})


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:10Z",
        "2026-01-01T00:00:10+00:00",
        "2026-01-01T01:00:10+01:00",
        "2025-12-31T19:00:10.000-05:00",
    ],
)
def test_a_time_may_have_any_offset(text: str) -> None:
    assert event_of({**ORDER_LINE, "occurred_at": text}).fact.occurred_at == AT_MICROS  # type: ignore[union-attr]


def test_times_keep_every_microsecond() -> None:
    at = datetime(2026, 3, 29, 1, 59, 59, 999_999, tzinfo=UTC)

    event = event_of({**ORDER_LINE, "occurred_at": at.isoformat()})

    expected = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert event.fact.occurred_at == expected  # type: ignore[union-attr]
    assert canonical_json_of(event)["occurred_at"] == "2026-03-29T01:59:59.999999Z"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", EMPTY),
        ("  \n", EMPTY),
        ("{", INVALID_JSON),
        ("nonsense", INVALID_JSON),
        (b"\xff\xfe{}", INVALID_JSON),
        ("[" * 100_000, INVALID_JSON),
        ('{"type": "order-released", "type": "order-released"}', INVALID_JSON),
        ('{"quantity": ' + "9" * 5_000 + "}", INVALID_JSON),
        ("[]", WRONG_TYPE),
        ("5", WRONG_TYPE),
        ("{}", UNKNOWN_TYPE),
        ('{"type": "ats-changed"}', UNKNOWN_TYPE),
        ('{"type": ["order-released"]}', UNKNOWN_TYPE),
        ('{"type": "' + "x" * MAX_MESSAGE_BYTES + '"}', OVERSIZED),
    ],
)
def test_what_is_no_line_is_refused(text: str | bytes, code: str) -> None:
    assert refused(text).code == code


@pytest.mark.parametrize(
    ("field", "wrong", "code"),
    [
        ("quantity", float("nan"), NOT_A_NUMBER),
        ("quantity", float("inf"), NOT_A_NUMBER),
        ("quantity", 5.5, NOT_A_NUMBER),
        ("quantity", 5.0, NOT_A_NUMBER),
        ("quantity", "5", NOT_A_NUMBER),
        ("quantity", True, NOT_A_NUMBER),
        ("quantity", [5], NOT_A_NUMBER),
        ("quantity", None, NULL_FIELD),
        ("quantity", 2**64, ABSURD_QUANTITY),
        ("revision", None, NULL_FIELD),
        ("order_id", None, NULL_FIELD),
        ("order_id", 17, WRONG_TYPE),
        ("order_id", "\ud800", INVALID_TEXT),
        ("sku", None, MISSING_SKU),
        ("sku", "", MISSING_SKU),
        ("sku", 42, WRONG_TYPE),
        ("state", "LOST", UNKNOWN_ENUM),
        ("state", None, NULL_FIELD),
        ("occurred_at", "2026-01-01T00:00:10", INVALID_TIME),
        ("occurred_at", "2026-01-01", INVALID_TIME),
        ("occurred_at", "yesterday", INVALID_TIME),
        ("occurred_at", AT_MICROS, INVALID_TIME),
        ("occurred_at", None, NULL_FIELD),
        ("quantitiy", 5, UNKNOWN_FIELD),
        ("ext", {str(each): "" for each in range(101)}, OVERSIZED),
        ("ext", {"a": 1}, WRONG_TYPE),
    ],
)
def test_a_wrong_value_is_refused_and_the_field_is_named(field: str, wrong: Any, code: str) -> None:
    error = refused(json.dumps({**ORDER_LINE, field: wrong}))

    assert error.code == code
    assert error.field.split(".")[0] == field
    assert error.message.startswith(f"{field}")


@pytest.mark.parametrize("field", ["event_id", "source", "occurred_at", "order_id", "version", "quantity"])
def test_a_missing_field_is_named(field: str) -> None:
    error = refused(without(ORDER_LINE, field))

    assert (error.code, error.field) == (MISSING_FIELD, field)


def test_a_missing_sku_is_named_before_anything_else_that_is_missing() -> None:
    assert refused(without(ORDER_LINE, "sku", "event_id")).code == MISSING_SKU


def test_an_error_names_the_line_when_it_is_known() -> None:
    with pytest.raises(RecordError, match=r"^line 17: quantity: -1 is negative\. Send it unsigned") as error:
        event_of({**ORDER_LINE, "quantity": -1}, line=17)

    assert error.value.line == 17


def test_an_error_quotes_only_a_little_of_what_was_wrong() -> None:
    assert len(refused({**ORDER_LINE, "state": "x" * 10_000}).message) < 300


def test_a_reason_that_is_not_known_is_read_as_other_like_in_avro() -> None:
    assert event_of({**DELTA, "reason": "THEFT"}).fact.reason == "OTHER"  # type: ignore[union-attr]
    assert refused({**DELTA, "reason": 5}).code == UNKNOWN_ENUM


def test_a_line_to_be_produced_keeps_what_the_core_does_not_need() -> None:
    line = {**EVENTS["balance"], "ext": {"erp_client": "100"}, "batch_id": "b", "batch_part": 1, "batch_parts": 2}

    record = avro_record_of(line)

    assert (record.topic, record.key) == ("stock-adjusted", b"SKU-1")
    assert record.fields["ext"] == {"erp_client": "100"}
    assert (record.fields["batch_id"], record.fields["batch_part"], record.fields["batch_parts"]) == ("b", 1, 2)
    assert record.fields["as_of"] == AT_MICROS
    assert "type" not in record.fields


def test_a_line_to_be_produced_may_leave_as_of_to_the_reader_and_nothing_else() -> None:
    assert avro_record_of(without(EVENTS["balance"], "as_of")).fields["as_of"] is None
    with pytest.raises(RecordError):
        avro_record_of(without(EVENTS["balance"], "basis"))


def test_decimals_of_a_policy_line_stay_exact() -> None:
    text = json.dumps({**POLICY, "document": {"channels": {"x": {"mode": "PERCENT", "percent": "@"}}}})

    spoken = event_of(text.replace('"@"', "33.3333333333333333"))

    assert isinstance(spoken, PolicyDocument)
    assert str(spoken.document["channels"]["x"]["percent"]) == "33.3333333333333333"  # type: ignore[index]
    assert event_of(json.dumps(canonical_json_of(spoken))).scope == "global"  # type: ignore[union-attr]


def test_a_withdrawn_scope_has_no_fields() -> None:
    with pytest.raises(ValueError, match="without a value"):
        fields_of(PolicyDocument("recalls", 0, None, None))


def test_a_reservation_without_location_is_for_the_whole_pool() -> None:
    assert event_of(without(REQUESTED, "location")).fact.location is None  # type: ignore[union-attr]
