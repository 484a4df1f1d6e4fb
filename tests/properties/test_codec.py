"""The codec for any fact and any bytes: what is said arrives, and nothing that arrives makes it raise."""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from uuid import UUID

from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.facts import (
    BASES,
    BUCKETS,
    LINE_STATES,
    Acknowledgement,
    Adjustment,
    Balance,
    Event,
    LineVersion,
    Reservation,
    ReservationRelease,
    ReturnDisposed,
    ReturnReceived,
    Shipment,
    TransferClosed,
    TransferReceived,
    TransferShipped,
)
from schemas import avro_files, checks
from schemas.checks import Checks, problem_with_event
from schemas.codec import Decoder, Encoder, SchemaNotLoaded
from schemas.fields import fields_of, key_of, topic_of
from schemas.intake import builders
from schemas.limits import EARLIEST, LATEST, MAX_QUANTITY, MAX_REVISION
from schemas.policies import PolicyDocument
from schemas.records import RecordError, avro_record_of, canonical_json_of, event_of
from schemas.rejections import REASONS, Rejection
from schemas.topics import input_topics
from schemas.wire import VALUE_SCHEMA_HEADER, prefix
from tests.unit.schemas.samples import EVENTS, LINES, Shelf, decoder, fields_of_line, key_of_line, schema_of, value

TOPICS = [topic.name for topic in input_topics()]

# Printable or not is decided by category, so any text without control characters and surrogates will do.
texts = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)
optional = st.none() | texts
times = st.integers(EARLIEST, LATEST - 1)
counts = st.integers(0, MAX_QUANTITY)
amounts = st.integers(-MAX_QUANTITY, MAX_QUANTITY)
ordinals = st.integers(0, 2**63 - 1)
revisions = st.integers(0, MAX_REVISION)
reasons = st.sampled_from(["RECEIPT", "POS_SALE", "COUNT", "DAMAGE", "GOODS_ISSUE", "OTHER"])
includes = st.none() | st.lists(texts, max_size=4).map(tuple)

said_by_line: dict[str, Any] = {"revision": revisions, "source": texts, "occurred_at": times}
FACTS: dict[str, list[st.SearchStrategy[Any]]] = {
    "stock-adjusted": [
        st.builds(
            Balance,
            location=texts,
            bucket=st.sampled_from(BUCKETS),
            as_of=times,
            sequence=ordinals,
            quantity=amounts,
            basis=st.sampled_from(BASES),
            includes=includes,
            **said_by_line,
        ),
        st.builds(
            Adjustment,
            adjustment_id=texts,
            location=texts,
            bucket=st.sampled_from(BUCKETS),
            quantity=amounts,
            reason=reasons,
            document_ref=optional,
            **said_by_line,
        ),
    ],
    "order-released": [
        st.builds(
            LineVersion,
            order_id=texts,
            line_id=texts,
            version=ordinals,
            quantity=counts,
            cancelled_quantity=counts,
            state=st.sampled_from(LINE_STATES),
            location=optional,
            channel=optional,
            reservation_id=optional,
            kit_ref=optional,
            **said_by_line,
        )
    ],
    "shipment-confirmed": [
        st.builds(
            Shipment,
            shipment_id=texts,
            order_id=texts,
            line_id=texts,
            location=texts,
            quantity=counts,
            final=st.booleans(),
            **said_by_line,
        )
    ],
    "reservation-changed": [
        st.builds(
            Reservation,
            reservation_id=texts,
            quantity=counts,
            location=optional,
            channel=optional,
            expires_at=times,
            **said_by_line,
        ),
        st.builds(ReservationRelease, reservation_id=texts, release_id=texts, quantity=counts, **said_by_line),
    ],
    "return-recorded": [
        st.builds(ReturnReceived, return_id=texts, location=texts, quantity=counts, **said_by_line),
        st.builds(
            ReturnDisposed, return_id=texts, location=texts, restocked=counts, scrapped=counts, **said_by_line
        ),
    ],
    "transfer-recorded": [
        st.builds(
            TransferShipped,
            transfer_id=texts,
            part=st.just("") | texts,
            from_location=texts,
            to_location=texts,
            quantity=counts,
            **said_by_line,
        ),
        st.builds(
            TransferReceived,
            transfer_id=texts,
            part=st.just("") | texts,
            from_location=optional,
            to_location=texts,
            quantity=counts,
            **said_by_line,
        ),
        st.builds(TransferClosed, transfer_id=texts, **said_by_line),
    ],
}
events = st.one_of(
    st.builds(Event, topic=st.just(topic), sku=texts, event_id=texts, correlation_id=optional, fact=fact)
    for topic, facts in FACTS.items()
    for fact in facts
)
acknowledgements = st.builds(
    Acknowledgement,
    channel=texts,
    listing=texts,
    publish_seq=ordinals,
    outcome=st.sampled_from(["ACCEPTED", "REJECTED", "UNKNOWN"]),
    quantity=counts,
    latency_ms=counts,
    reason=optional,
    occurred_at=times,
    previous_quantity=st.none() | counts,
)
policies = st.builds(
    PolicyDocument,
    scope=texts,
    version=ordinals,
    effective_from=st.none() | times,
    document=st.fixed_dictionaries(
        {}, optional={"locations": st.dictionaries(texts, st.just({"status": "CLOSED"}), max_size=3)}
    ),
)
anything_said = events | acknowledgements | policies


@cache
def ids() -> dict[str, int]:
    return {name: number for number, name in enumerate(TOPICS, start=1)}


@cache
def every_decoder() -> Decoder:
    """One decoder that knows the schemas of all inputs."""
    return Decoder(Shelf({number: avro_files.text(name) for name, number in ids().items()}))


def never_raises(topic: str, key: bytes | None, data: bytes | None, headers: Any = None) -> None:
    """Decode; only a schema that is not loaded may be raised, and a rejection has a documented code and words."""
    try:
        outcome = every_decoder().decode(topic, key, data, headers)
    except SchemaNotLoaded:
        return
    if isinstance(outcome, Rejection):
        assert outcome.code in REASONS
        assert outcome.message
        assert len(outcome.message) < 5_000


@given(anything_said)
def test_whatever_is_said_arrives_as_bytes(spoken: Any) -> None:
    topic = topic_of(spoken)
    data = Encoder(topic, ids()[topic]).encode(fields_of(spoken))

    assert every_decoder().decode(topic, key_of(spoken), data, None) == spoken


@given(anything_said)
def test_whatever_is_said_arrives_as_json(spoken: Any) -> None:
    assert event_of(json.dumps(canonical_json_of(spoken))) == spoken


@given(anything_said)
def test_json_produces_the_bytes_that_say_the_same(spoken: Any) -> None:
    record = avro_record_of(json.dumps(canonical_json_of(spoken)))
    data = Encoder(record.topic, ids()[record.topic]).encode(record.fields)

    assert every_decoder().decode(record.topic, record.key, data, None) == spoken


@given(st.sampled_from(TOPICS), st.none() | st.binary(max_size=40), st.none() | st.binary(max_size=400))
def test_no_bytes_make_the_decoder_raise(topic: str, key: bytes | None, data: bytes | None) -> None:
    never_raises(topic, key, data)
    never_raises(topic, key, prefix(ids()[topic]) + (data or b""))


@given(
    st.sampled_from(TOPICS),
    st.binary(max_size=200),
    st.lists(
        st.tuples(st.just(VALUE_SCHEMA_HEADER) | st.text(max_size=5), st.none() | st.binary(max_size=20)),
        max_size=4,
    ),
)
def test_no_headers_make_the_decoder_raise(
    topic: str, data: bytes, headers: list[tuple[str, bytes | None]]
) -> None:
    never_raises(topic, b"k", data, headers)


mutations = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "insert", "repeat"]),
        st.integers(0, 10_000),
        st.binary(min_size=1, max_size=9),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=500)
@given(st.sampled_from(sorted(LINES)), mutations)
@example("order line", [("insert", 5, b"\xff" * 9)])
@example("balance", [("flip", 60, b"\x01")])
def test_no_damage_to_a_message_makes_the_decoder_raise(name: str, damage: list[tuple[str, int, bytes]]) -> None:
    line = LINES[name]
    topic = line["type"]
    data = prefix(ids()[topic]) + value(topic, fields_of_line(line))[5:]
    for how, where, what in damage:
        at = 5 + where % max(1, len(data) - 5)
        if how == "flip":
            data = data[:at] + bytes([data[at] ^ what[0]] if at < len(data) else []) + data[at + 1 :]
        elif how == "cut":
            data = data[:at] + data[at + len(what) :]
        elif how == "insert":
            data = data[:at] + what + data[at:]
        else:
            data = data[:at] + data[at:] * 2

    never_raises(topic, key_of_line(line), data)


def said_or_refused(text: str | bytes) -> Any:
    """What a line says, or the documented error."""
    try:
        return event_of(text)
    except RecordError as error:
        refused = error
    assert refused.code in REASONS
    assert str(refused)
    return refused


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
times_or_not = st.datetimes().map(lambda at: at.isoformat() + "Z") | st.text(max_size=30)


@settings(max_examples=500)
@given(st.sampled_from(sorted(LINES)), st.data())
def test_no_line_of_json_makes_anything_but_a_record_error(name: str, data: st.DataObject) -> None:
    line = dict(LINES[name])
    for field in data.draw(
        st.lists(st.sampled_from([*line, "revision", "ext", "part", "includes", "new"]), max_size=4)
    ):
        line[field] = data.draw(json_values | times_or_not | amounts)
    text = json.dumps(line)

    outcome = said_or_refused(text)

    if not isinstance(outcome, RecordError):
        assert event_of(json.dumps(canonical_json_of(outcome))) == outcome


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_no_text_makes_anything_but_a_record_error(text: str | bytes) -> None:
    assert isinstance(said_or_refused(text), RecordError), "no such short text is a whole line"


# Values at and beyond every bound, for fields of each kind.
hostile_texts = st.sampled_from(["", "A", "x" * 86, "x" * 256, "x" * 257, "a\0b", "\x7f", "a b", "\u00a0", "é"])
hostile_numbers = st.sampled_from(
    [-(2**63), -MAX_QUANTITY - 1, -MAX_QUANTITY, -1, 0, 5, MAX_QUANTITY, MAX_QUANTITY + 1]
)
hostile_times = st.sampled_from([0, EARLIEST - 1, EARLIEST, LATEST - 1, LATEST])
CHECKS: dict[str, Checks] = {
    "balance": checks.BALANCE,
    "delta": checks.DELTA,
    "order line": checks.ORDER_LINE,
    "shipment": checks.SHIPMENT,
}


@settings(max_examples=500)
@given(st.sampled_from(sorted(CHECKS)), st.data())
def test_the_cheap_question_lets_nothing_through_that_the_examination_refuses(
    name: str, data: st.DataObject
) -> None:
    fields = fields_of_line(EVENTS[name])
    for field in data.draw(
        st.lists(st.sampled_from(sorted(set(fields) - {"ext", "includes", "kind"})), max_size=3)
    ):
        old = fields[field]
        if isinstance(old, bool) or field.startswith("batch") or field in ("bucket", "state", "basis", "reason"):
            continue
        if field in ("occurred_at", "as_of"):
            fields[field] = data.draw(hostile_times)
        elif isinstance(old, int):
            fields[field] = data.draw(hostile_numbers)
        else:
            fields[field] = data.draw(hostile_texts)

    outcome = builders()[str(EVENTS[name]["type"])](fields)
    examined = problem_with_event(fields, CHECKS[name])

    if examined is not None:
        assert outcome == examined
    elif name != "balance":
        assert isinstance(outcome, Event)


@given(st.sampled_from(["order line", "shipment", "delta", "balance"]), st.sets(st.integers(0, 30)), st.randoms())
def test_writers_may_leave_out_defaults_and_order_fields_as_they_like(
    name: str, dropped: set[int], random: Any
) -> None:
    line = EVENTS[name]
    topic = line["type"]
    schema = schema_of(topic)
    fields = fields_of_line(line)
    expected = dict(fields)
    kept = []
    for number, each in enumerate(schema["fields"]):
        if number in dropped and "default" in each and each["name"] not in ("basis", "as_of", "adjustment_id"):
            expected[each["name"]] = each["default"]
        else:
            kept.append(each)
    random.shuffle(kept)
    written = value(topic, fields, {**schema, "fields": kept})

    outcome = decoder(topic, {**schema, "fields": kept}).decode(topic, b"SKU-1", written, None)

    assert outcome == builders()[topic](expected)


@given(st.uuids(), st.integers(0, 2**32 - 1))
def test_a_schema_that_nobody_loaded_is_always_asked_for(guid: UUID, schema_id: int) -> None:
    empty = Decoder(Shelf())
    asked = []
    for headers in (None, [(VALUE_SCHEMA_HEADER, b"\x01" + guid.bytes)]):
        try:
            empty.decode("order-released", b"k", prefix(schema_id) + b"...", headers)
        except SchemaNotLoaded as missing:
            asked.append(missing.ref)

    assert asked == [schema_id, guid]
