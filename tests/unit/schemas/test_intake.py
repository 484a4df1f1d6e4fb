"""What a valid message of each topic is: the same rules and codes for bytes and for JSON."""

from __future__ import annotations

from typing import Any

import pytest

from domain.facts import Balance, Event, TransferShipped
from schemas.records import RecordError, event_of
from schemas.rejections import (
    ABSURD_QUANTITY,
    ABSURD_TIME,
    INVALID_JSON,
    INVALID_POLICY,
    INVALID_TEXT,
    MISSING_AS_OF,
    MISSING_FIELD,
    MISSING_SKU,
    NEGATIVE_QUANTITY,
    OVERSIZED,
    Rejection,
)
from tests.unit.schemas.samples import (
    ACKNOWLEDGEMENT,
    AT,
    AT_MICROS,
    BALANCE,
    DELTA,
    EVENTS,
    LINES,
    LISTING,
    ORDER_LINE,
    POLICY,
    RELEASED,
    REQUESTED,
    RETURN_DISPOSED,
    RETURN_RECEIVED,
    SHIPMENT,
    TRANSFER_CLOSED,
    TRANSFER_RECEIVED,
    TRANSFER_SHIPPED,
    decoded,
    decoder,
    fields_of_line,
    key_of_line,
    rejected,
    value,
)

EARLY, LATE = 946_684_799_999_999, 4_102_444_800_000_000
BILLION = 1_000_000_000

WRONG: list[tuple[dict[str, Any], str, Any, str]] = [
    # what is needed by each kind
    (BALANCE, "basis", None, MISSING_FIELD),
    (BALANCE, "as_of", None, MISSING_AS_OF),
    (BALANCE, "location", "", MISSING_FIELD),
    (DELTA, "adjustment_id", None, MISSING_FIELD),
    (DELTA, "adjustment_id", "", MISSING_FIELD),
    (ORDER_LINE, "order_id", "", MISSING_FIELD),
    (ORDER_LINE, "location", "", MISSING_FIELD),
    (ORDER_LINE, "channel", "", MISSING_FIELD),
    (SHIPMENT, "shipment_id", "", MISSING_FIELD),
    (SHIPMENT, "location", "", MISSING_FIELD),
    (REQUESTED, "expires_at", None, MISSING_FIELD),
    (RELEASED, "release_id", None, MISSING_FIELD),
    (RETURN_RECEIVED, "quantity", None, MISSING_FIELD),
    (RETURN_DISPOSED, "restocked", None, MISSING_FIELD),
    (RETURN_DISPOSED, "scrapped", None, MISSING_FIELD),
    (TRANSFER_SHIPPED, "from_location", None, MISSING_FIELD),
    (TRANSFER_SHIPPED, "to_location", None, MISSING_FIELD),
    (TRANSFER_SHIPPED, "quantity", None, MISSING_FIELD),
    (TRANSFER_RECEIVED, "to_location", None, MISSING_FIELD),
    (TRANSFER_RECEIVED, "quantity", None, MISSING_FIELD),
    (TRANSFER_CLOSED, "transfer_id", "", MISSING_FIELD),
    (ACKNOWLEDGEMENT, "channel", "", MISSING_FIELD),
    (POLICY, "scope", "", MISSING_FIELD),
    (LISTING, "listing", "", MISSING_FIELD),
    (LISTING, "sku", "", MISSING_FIELD),
    (LISTING, "price", None, MISSING_FIELD),
    (LISTING, "currency", None, MISSING_FIELD),
    # numbers
    (BALANCE, "quantity", BILLION + 1, ABSURD_QUANTITY),
    (BALANCE, "quantity", -BILLION - 1, ABSURD_QUANTITY),
    (BALANCE, "sequence", -1, NEGATIVE_QUANTITY),
    (DELTA, "quantity", -BILLION - 1, ABSURD_QUANTITY),
    (ORDER_LINE, "quantity", -1, NEGATIVE_QUANTITY),
    (ORDER_LINE, "quantity", BILLION + 1, ABSURD_QUANTITY),
    (ORDER_LINE, "cancelled_quantity", -1, NEGATIVE_QUANTITY),
    (ORDER_LINE, "version", -1, NEGATIVE_QUANTITY),
    (SHIPMENT, "quantity", -1, NEGATIVE_QUANTITY),
    (SHIPMENT, "quantity", BILLION + 1, ABSURD_QUANTITY),
    (REQUESTED, "quantity", -1, NEGATIVE_QUANTITY),
    (RELEASED, "quantity", -1, NEGATIVE_QUANTITY),
    (RETURN_RECEIVED, "quantity", -1, NEGATIVE_QUANTITY),
    (RETURN_DISPOSED, "scrapped", -1, NEGATIVE_QUANTITY),
    (TRANSFER_SHIPPED, "quantity", -1, NEGATIVE_QUANTITY),
    (ACKNOWLEDGEMENT, "quantity", -1, NEGATIVE_QUANTITY),
    (ACKNOWLEDGEMENT, "publish_seq", -1, NEGATIVE_QUANTITY),
    (ACKNOWLEDGEMENT, "latency_ms", -1, NEGATIVE_QUANTITY),
    (POLICY, "version", -1, NEGATIVE_QUANTITY),
    (LISTING, "pack_size", -1, NEGATIVE_QUANTITY),
    (LISTING, "pack_size", 0, ABSURD_QUANTITY),
    (LISTING, "price", -1, NEGATIVE_QUANTITY),
    (LISTING, "price", 1_000 * BILLION + 1, ABSURD_QUANTITY),
    # times
    (BALANCE, "as_of", EARLY, ABSURD_TIME),
    (BALANCE, "as_of", LATE, ABSURD_TIME),
    (REQUESTED, "expires_at", LATE, ABSURD_TIME),
    (ACKNOWLEDGEMENT, "occurred_at", EARLY, ABSURD_TIME),
    (POLICY, "effective_from", EARLY, ABSURD_TIME),
    (LISTING, "as_of", LATE, ABSURD_TIME),
    # texts
    (ORDER_LINE, "order_id", "O\0", INVALID_TEXT),
    (LISTING, "channel", "we:b", INVALID_TEXT),
    (LISTING, "currency", "eur", INVALID_TEXT),
    (LISTING, "currency", "", INVALID_TEXT),
    (LISTING, "currency", "EURO", INVALID_TEXT),
    (SHIPMENT, "shipment_id", "S\n1", INVALID_TEXT),
    (DELTA, "document_ref", "S\x7f", INVALID_TEXT),
    (TRANSFER_SHIPPED, "part", "1\t", INVALID_TEXT),
    (ORDER_LINE, "order_id", "x" * 257, OVERSIZED),
    (ORDER_LINE, "kit_ref", "x" * 257, OVERSIZED),
    (ACKNOWLEDGEMENT, "reason", "x" * 1_025, OVERSIZED),
    (BALANCE, "includes", ["x"] * 10_001, OVERSIZED),
    (BALANCE, "includes", ["x" * 257], OVERSIZED),
    (BALANCE, "includes", [""], MISSING_FIELD),
    # policies
    (POLICY, "document", "{", INVALID_JSON),
    (POLICY, "document", "[]", INVALID_JSON),
    (POLICY, "document", '{"a": NaN}', INVALID_JSON),
    (POLICY, "document", '{"channels": {}, "channels": {}}', INVALID_JSON),
    (POLICY, "document", '{"chanels": {}}', INVALID_POLICY),
    (POLICY, "document", '{"channels": {"web": {"cap": -1}}}', INVALID_POLICY),
]

WRONG_IN_ANY_EVENT: list[tuple[str, Any, str]] = [
    ("sku", "", MISSING_SKU),
    ("sku", "x" * 257, OVERSIZED),
    ("sku", "SKU\0", INVALID_TEXT),
    ("event_id", "", MISSING_FIELD),
    ("event_id", "x" * 257, OVERSIZED),
    ("source", "", MISSING_FIELD),
    ("source", "e\nrp", INVALID_TEXT),
    ("correlation_id", "", MISSING_FIELD),
    ("correlation_id", "x" * 257, OVERSIZED),
    ("occurred_at", EARLY, ABSURD_TIME),
    ("occurred_at", LATE, ABSURD_TIME),
    ("occurred_at", AT_MICROS // 1_000, ABSURD_TIME),
    ("revision", -1, NEGATIVE_QUANTITY),
]


@pytest.mark.parametrize(("line", "field", "wrong", "code"), WRONG)
def test_a_wrong_value_is_rejected_and_the_field_is_named(
    line: dict[str, Any], field: str, wrong: Any, code: str
) -> None:
    assert rejected(line, **{field: wrong}) == (code, field)


@pytest.mark.parametrize("line", EVENTS.values(), ids=EVENTS)
@pytest.mark.parametrize(("field", "wrong", "code"), WRONG_IN_ANY_EVENT)
def test_what_all_events_share_is_checked_in_each(line: dict[str, Any], field: str, wrong: Any, code: str) -> None:
    assert rejected(line, **{field: wrong}) == (code, field)


@pytest.mark.parametrize(
    ("line", "field", "wrong", "code"),
    [
        case
        for case in WRONG
        if case[1] not in ("as_of", "expires_at", "occurred_at", "effective_from", "document")
    ],
)
def test_json_is_refused_for_the_same_reason_as_bytes(
    line: dict[str, Any], field: str, wrong: Any, code: str
) -> None:
    with pytest.raises(RecordError) as refused:
        event_of({**line, field: wrong})

    assert (refused.value.code, refused.value.field) == (code, field)


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_message_says_what_to_do(line: dict[str, Any]) -> None:
    field = "sku" if "sku" in line else "channel" if "channel" in line else "scope"

    outcome = decoded(line, **{field: "x\0"})

    assert isinstance(outcome, Rejection)
    assert outcome.message.startswith(f"{field}: ")
    assert "Send printable text." in outcome.message


@pytest.mark.parametrize(
    ("line", "field", "right"),
    [
        (BALANCE, "quantity", -BILLION),
        (BALANCE, "quantity", BILLION),
        (BALANCE, "sequence", 2**63 - 1),
        (BALANCE, "includes", []),
        (BALANCE, "includes", ["S-1"] * 10_000),
        (ORDER_LINE, "quantity", 0),
        (ORDER_LINE, "version", 2**63 - 1),
        (ORDER_LINE, "occurred_at", 946_684_800_000_000),
        (ORDER_LINE, "occurred_at", LATE - 1),
        (ORDER_LINE, "revision", 2**31 - 1),
        (ORDER_LINE, "order_id", "x" * 256),
        (ORDER_LINE, "order_id", "注文 №1\u00a0"),
        (SHIPMENT, "quantity", BILLION),
        (TRANSFER_SHIPPED, "part", ""),
        (TRANSFER_RECEIVED, "from_location", None),
        (TRANSFER_CLOSED, "quantity", 3),
        (ACKNOWLEDGEMENT, "reason", ""),
        (ACKNOWLEDGEMENT, "publish_seq", 2**63 - 1),
    ],
)
def test_a_value_at_the_bound_is_accepted(line: dict[str, Any], field: str, right: Any) -> None:
    assert not isinstance(decoded(line, **{field: right}), Rejection)


def test_texts_that_are_long_together_but_not_alone_are_accepted() -> None:
    outcome = decoded(ORDER_LINE, order_id="o" * 200, line_id="l" * 200, kit_ref="k" * 256)

    assert isinstance(outcome, Event)


def test_a_balance_without_as_of_is_true_when_it_occurred_if_its_source_may_say_so() -> None:
    topic, fields = "stock-adjusted", fields_of_line(BALANCE) | {"as_of": None}
    trusted = decoder(topic, assume_as_of=lambda source: source == "erp")

    event = trusted.decode(topic, b"SKU-1", value(topic, fields), None)
    other = trusted.decode(topic, b"SKU-1", value(topic, fields | {"source": "wms"}), None)

    assert isinstance(event, Event)
    assert isinstance(event.fact, Balance)
    assert event.fact.as_of == AT_MICROS
    assert isinstance(other, Rejection)
    assert other.code == MISSING_AS_OF


def test_json_may_leave_as_of_out_for_the_same_sources() -> None:
    line = {name: each for name, each in BALANCE.items() if name != "as_of"}

    event = event_of(line, assume_as_of=lambda source: source == "erp")

    assert isinstance(event, Event)
    assert event.fact.as_of == AT_MICROS  # type: ignore[union-attr]
    with pytest.raises(RecordError) as refused:
        event_of(line)
    assert refused.value.code == MISSING_AS_OF


def test_defaults_hold_where_a_line_is_silent() -> None:
    silent = {name: each for name, each in TRANSFER_SHIPPED.items() if name not in ("part",)}

    event = event_of(silent)

    assert isinstance(event, Event)
    assert event.fact == TransferShipped("T-1", "", 0, "A", "B", 6, "erp", AT_MICROS)
    assert key_of_line(silent) == b"SKU-1"
    assert silent["occurred_at"] == AT
