"""Bytes to what they say, and every way in which bytes can be wrong."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from domain.facts import Acknowledgement, Balance, Event, LineVersion
from domain.listing_map import Listed
from schemas import wire
from schemas.codec import Decoder, Encoder, SchemaNotLoaded
from schemas.policies import PolicyDocument
from schemas.rejections import (
    EMPTY,
    KEY_MISMATCH,
    MALFORMED,
    OVERSIZED,
    TRAILING_BYTES,
    TRUNCATED,
    UNKNOWN_ENUM,
    UNKNOWN_SCHEMA,
    UNKNOWN_TYPE,
    WRONG_MAGIC,
    WRONG_SCHEMA,
    Rejection,
)
from schemas.topics import MAX_MESSAGE_BYTES
from tests.unit.schemas.samples import (
    ACKNOWLEDGEMENT,
    AT_MICROS,
    BALANCE,
    GUID,
    LINES,
    LISTING,
    ORDER_LINE,
    POLICY,
    SCHEMA_ID,
    SHIPMENT,
    Shelf,
    body,
    decoded,
    decoder,
    fields_of_line,
    said,
    schema_of,
    value,
)

TOPIC = "order-released"
KEY = b"SKU-1"
GOOD = value(TOPIC, fields_of_line(ORDER_LINE))


def code_of(outcome: Any) -> str:
    assert isinstance(outcome, Rejection), outcome
    return outcome.code


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_bytes_say_what_the_same_line_of_json_says(line: dict[str, Any]) -> None:
    assert decoded(line) == said(line)


def test_times_stay_integer_microseconds() -> None:
    event = decoded(BALANCE)

    assert isinstance(event, Event)
    assert isinstance(event.fact, Balance)
    assert (event.fact.as_of, event.fact.occurred_at) == (AT_MICROS, AT_MICROS)


def test_repeated_names_are_one_object() -> None:
    one, other = decoded(ORDER_LINE), decoded(SHIPMENT)

    assert isinstance(one, Event)
    assert isinstance(other, Event)
    assert one.fact.location is other.fact.location  # type: ignore[union-attr]
    assert one.fact.source is other.fact.source


def test_a_value_whose_schema_is_named_by_a_guid_is_read() -> None:
    bare = body(schema_of(TOPIC), fields_of_line(ORDER_LINE))

    assert decoder(TOPIC).decode(TOPIC, KEY, bare, [wire.guid_header(GUID)]) == said(ORDER_LINE)


def test_a_schema_that_is_not_loaded_is_asked_for() -> None:
    shelf = Shelf()
    decode = Decoder(shelf).decode

    with pytest.raises(SchemaNotLoaded) as by_id:
        decode(TOPIC, KEY, GOOD, None)
    with pytest.raises(SchemaNotLoaded) as by_guid:
        decode(TOPIC, KEY, GOOD, [wire.guid_header(GUID)])
    shelf.texts[SCHEMA_ID] = decoder(TOPIC)._source.by_id(SCHEMA_ID)  # type: ignore[assignment]

    assert (by_id.value.ref, by_guid.value.ref) == (SCHEMA_ID, GUID)
    assert decode(TOPIC, KEY, GOOD, None) == said(ORDER_LINE)


def test_a_schema_that_the_registry_denies_is_unknown_until_it_is_registered() -> None:
    shelf = Shelf(absent=frozenset({SCHEMA_ID}))
    decode = Decoder(shelf).decode

    before = decode(TOPIC, KEY, GOOD, None)
    shelf.absent = frozenset()
    shelf.texts[SCHEMA_ID] = decoder(TOPIC)._source.by_id(SCHEMA_ID)  # type: ignore[assignment]

    assert code_of(before) == UNKNOWN_SCHEMA
    assert decode(TOPIC, KEY, GOOD, None) == said(ORDER_LINE)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (None, EMPTY),
        (b"", EMPTY),
        (b"\x05" + GOOD[1:], WRONG_MAGIC),
        (b"SKU-1 has 5 pieces", WRONG_MAGIC),
        (GOOD[:3], TRUNCATED),
        (GOOD[:5], TRUNCATED),
        (GOOD[:-1], TRUNCATED),
        (GOOD[: len(GOOD) // 2], TRUNCATED),
        (GOOD + b"\0", TRAILING_BYTES),
        (GOOD + GOOD, TRAILING_BYTES),
        (GOOD + bytes(MAX_MESSAGE_BYTES), OVERSIZED),
        (GOOD[:5] + b"\x04\xff\xfe" + GOOD[10:], MALFORMED),
        (GOOD[:5] + b"\xff" * 12 + GOOD[10:], MALFORMED),
        (GOOD[:5] + b"\x01" + GOOD[10:], MALFORMED),
    ],
)
def test_damaged_bytes_are_rejected_with_the_reason(wrong: bytes | None, code: str) -> None:
    assert code_of(decoder(TOPIC).decode(TOPIC, KEY, wrong, None)) == code


def test_every_cut_of_a_message_is_truncated() -> None:
    decode = decoder(TOPIC).decode

    assert {code_of(decode(TOPIC, KEY, GOOD[:length], None)) for length in range(1, len(GOOD))} == {TRUNCATED}


def test_a_truncation_names_the_field_that_is_cut() -> None:
    cut = value(TOPIC, fields_of_line(ORDER_LINE) | {"ext": {"note": "x" * 50}})[:-10]

    assert decoder(TOPIC).decode(TOPIC, KEY, cut, None)[:2] == (TRUNCATED, "ext")


def test_a_symbol_beyond_the_enum_is_an_unknown_enum() -> None:
    fields = fields_of_line(ORDER_LINE)
    schema = schema_of(TOPIC)
    at = len(body({**schema, "fields": _before(schema, "state")}, fields))
    bare = body(schema, fields)
    wrong = GOOD[:5] + bare[:at] + b"\x0a" + bare[at + 1 :]

    assert decoder(TOPIC).decode(TOPIC, KEY, wrong, None)[:2] == (UNKNOWN_ENUM, "state")


@pytest.mark.parametrize("key", [None, b"", b"SKU-2", b"SKU-1 ", b"\xff"])
@pytest.mark.parametrize(
    "line", [ORDER_LINE, ACKNOWLEDGEMENT, POLICY, LISTING], ids=["sku", "listing", "scope", "both"]
)
def test_a_key_that_is_not_the_one_of_the_message_is_a_mismatch(line: dict[str, Any], key: bytes | None) -> None:
    topic = line["type"]

    outcome = decoder(topic).decode(topic, key, value(topic, fields_of_line(line)), None)

    assert code_of(outcome) == KEY_MISMATCH


def test_a_key_is_the_sku_in_utf_8() -> None:
    line = {**ORDER_LINE, "sku": "Größe-42-é"}

    assert decoder(TOPIC).decode(TOPIC, "Größe-42-é".encode(), value(TOPIC, fields_of_line(line)), None) == said(
        line
    )


def test_a_topic_that_is_no_input_is_refused() -> None:
    assert code_of(decoder(TOPIC).decode("ats-changed", KEY, GOOD, None)) == UNKNOWN_TYPE
    assert code_of(decoder(TOPIC).decode("nonsense", KEY, GOOD, None)) == UNKNOWN_TYPE


def test_the_schema_of_another_topic_is_wrong() -> None:
    outcome = decoder(TOPIC, schema_of("shipment-confirmed")).decode(TOPIC, KEY, GOOD, None)

    assert code_of(outcome) == WRONG_SCHEMA
    assert "atstream.ShipmentConfirmed" in outcome.message
    assert "atstream.OrderReleased" in outcome.message


def test_a_policy_without_value_withdraws_its_scope() -> None:
    topic = "availability-policy"

    assert decoder(topic).decode(topic, b"recalls", None, None) == PolicyDocument("recalls", 0, None, None)
    assert code_of(decoder(topic).decode(topic, b"recalls", b"", None)) == EMPTY
    assert isinstance(decoder(topic).decode(topic, None, None, None), Rejection)
    assert isinstance(decoder(topic).decode(topic, b"\xff", None, None), Rejection)


def test_a_listing_without_value_is_taken_down() -> None:
    assert decoder("listings").decode("listings", b"web:a:b", None, None) == Listed("web", "a:b", None, 1, 0)
    for key in (None, b"", b"web", b"web:", b":L-1", b"we b:L-1", b"\xff"):
        assert isinstance(decoder("listings").decode("listings", key, None, None), Rejection)


def test_an_acknowledgement_is_read() -> None:
    expected = Acknowledgement("web", "SKU-1", 5, "ACCEPTED", 3, 120, None, AT_MICROS)

    assert decoded(ACKNOWLEDGEMENT) == expected


def test_what_a_channel_showed_before_is_read_and_may_be_below_nothing() -> None:
    answer = decoded({**ACKNOWLEDGEMENT, "previous_quantity": -2})

    assert isinstance(answer, Acknowledgement)
    assert answer.previous_quantity == -2


def test_an_encoder_writes_what_the_decoder_reads() -> None:
    encoder = Encoder(TOPIC, SCHEMA_ID)
    fields = fields_of_line(ORDER_LINE)

    decode = decoder(TOPIC).decode

    assert decode(TOPIC, KEY, encoder.encode(fields), None) == said(ORDER_LINE)
    assert decode(TOPIC, KEY, encoder.encode_body(fields), [wire.guid_header(GUID)]) == said(ORDER_LINE)


@pytest.mark.parametrize(
    "changes", [{"quantity": "five"}, {"quantity": None}, {"state": "LOST"}, {"quantity": 2**70}]
)
def test_an_encoder_refuses_what_its_schema_cannot_say(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="order-released"):
        Encoder(TOPIC, SCHEMA_ID).encode(fields_of_line(ORDER_LINE) | changes)


def test_an_encoder_refuses_what_is_too_large_to_be_sent() -> None:
    with pytest.raises(ValueError, match="allowed"):
        Encoder(TOPIC, SCHEMA_ID).encode(fields_of_line(ORDER_LINE) | {"ext": {"x": "y" * MAX_MESSAGE_BYTES}})


def test_topics_without_schema_are_neither_encoded_nor_decoded() -> None:
    with pytest.raises(KeyError):
        Encoder("atstream-facts-changelog", SCHEMA_ID)

    outcome = decoder(TOPIC).decode_fields("atstream-facts-changelog", GOOD, None)

    assert code_of(outcome) == UNKNOWN_TYPE


def test_outputs_are_read_as_fields() -> None:
    record = {
        "channel": "web",
        "listing": "SKU-1",
        "sku": "SKU-1",
        "quantity": 0,
        "publish_seq": 2**32 + 1,
        "expires_at": AT_MICROS,
        "expected_previous": None,
        "idempotency_key": "web:SKU-1:1",
        "priority": "P0",
        "reason": "SOLD_OUT",
        "caused_by": ["ev-1"],
        "occurred_at": AT_MICROS,
        "planned_at": AT_MICROS,
    }
    written = Encoder("channel-updates.web", SCHEMA_ID).encode(record)

    assert decoder("channel-updates").decode_fields("channel-updates.web", written, None) == record


def test_memory_for_schemas_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.codec.MAX_PLANS", 3)
    text = decoder(TOPIC)._source.by_id(SCHEMA_ID)
    decoder_of_many = Decoder(Shelf(dict.fromkeys(range(20), text)))  # type: ignore[arg-type]
    decode = decoder_of_many.decode

    outcomes = [decode(TOPIC, KEY, struct.pack(">bI", 0, each) + GOOD[5:], None) for each in range(20)]

    assert outcomes == [said(ORDER_LINE)] * 20
    assert len(decoder_of_many._lane(TOPIC).readings) <= 3
    assert all(isinstance(event.fact, LineVersion) for event in outcomes if isinstance(event, Event))


def _before(schema: dict[str, Any], name: str) -> list[dict[str, Any]]:
    names = [each["name"] for each in schema["fields"]]
    return schema["fields"][: names.index(name)]
