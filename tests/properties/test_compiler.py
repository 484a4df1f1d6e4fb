"""Generated readers answer exactly as fastavro does, for every pair of schemas and for any bytes."""

from __future__ import annotations

import json
from typing import Any

from fastavro import parse_schema
from hypothesis import assume, event, given
from hypothesis import strategies as st

from schemas import avro_files
from schemas.avro_names import SchemaRefused, expanded
from schemas.compiler import Read, compiled, generated
from schemas.intake import builders
from schemas.intake_control import acknowledgement, policy_document
from schemas.intake_listings import listed
from schemas.plans import Plan, plan_for
from schemas.reader_source import Unsupported
from schemas.readings import Reading
from schemas.rejections import Rejection
from tests.properties.avro_pairs import damage, damaged, records, values, written, written_records
from tests.unit.schemas.samples import LINES, body, fields_of_line, schema_of

BUILD: dict[str, Any] = {
    **builders(),
    "channel-acks": acknowledgement,
    "availability-policy": policy_document,
    "listings": listed,
}
DOUBT = Rejection("DOUBT", "", "left to fastavro")


def doubt(_value: bytes, _start: int) -> Any:
    return DOUBT


def same(one: Any, other: Any) -> bool:
    """Equal and of the same types, all the way down; NaN is NaN, and keys have no order."""
    return repr(sorted_keys(one)) == repr(sorted_keys(other))


def sorted_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: sorted_keys(value[key]) for key in sorted(value)}
    return list(map(sorted_keys, value)) if isinstance(value, list) else value


def plain(schema: Any) -> Any:
    return parse_schema(avro_files.without_logical_types(schema), {})


@given(records(), st.data())
def test_any_pair_of_schemas_is_read_as_fastavro_reads_it(reader: Any, data: st.DataObject) -> None:
    writer = data.draw(written_records(reader))
    try:
        plan = Plan(plain(writer), plain(reader), expanded(writer), expanded(reader))
    except SchemaRefused:
        assume(False)
    try:
        read: Read[Any] = generated("pair", plan.written, plan.expected).bind(doubt)
    except Unsupported as reason:
        event(f"unsupported: {str(reason)[:20]}")
        return
    value = written(writer, data.draw(values(writer)))
    for each in (value, value + b"\0", damaged(value, data.draw(damage)), data.draw(st.binary(max_size=30))):
        outcome = read(b"-----" + each, 5)
        if outcome is not DOUBT:
            assert same(outcome, plan.read(b"-----" + each, 5))
    event("doubted" if read(value, 0) is DOUBT else "read")


def writable(field: Any, value: Any) -> bool:
    """Whether the type that this writer gave a field can hold what ours holds."""
    try:
        written({"type": "record", "name": "One", "fields": [field]}, {field["name"]: value})
    except (ValueError, TypeError, AttributeError):
        return False
    return True


def versions(draw: Any, topic: str) -> dict[str, Any]:
    """The topic's schema as some other release might have it."""
    schema: dict[str, Any] = draw(written_records(schema_of(topic)))
    return schema


@given(st.sampled_from(sorted(LINES)), st.data())
def test_messages_of_every_version_become_the_same_with_and_without_a_generated_reader(
    name: str, data: st.DataObject
) -> None:
    line = LINES[name]
    topic = str(line["type"])
    schema = versions(data.draw, topic)
    text = json.dumps(schema)
    plan = plan_for(topic, text)
    assume(isinstance(plan, Plan))
    assert isinstance(plan, Plan)
    drawn = data.draw(values(schema))
    said = fields_of_line(line)
    odd = data.draw(st.sets(st.sampled_from(sorted(drawn) or [""]), max_size=1))
    kept = [field for field in schema["fields"] if field["name"] in said and field["name"] not in odd]
    value = written(schema, drawn | {f["name"]: said[f["name"]] for f in kept if writable(f, said[f["name"]])})

    fast = Reading[Any](topic, text, BUILD[topic])
    for each in (value, damaged(value, data.draw(damage))):
        fields = plan.read(each, 0)
        slow = fields if isinstance(fields, Rejection) else BUILD[topic](fields)
        assert same(fast.decode(each, 0), slow)
        assert same(fast.fields(each, 0), fields)
    event(f"{'fastavro' if fast.uncompiled else 'generated'}, {type(fast.decode(value, 0)).__name__}")


@given(st.sampled_from(sorted(LINES)), damage)
def test_damaged_messages_of_our_own_schema_are_refused_alike(name: str, blows: Any) -> None:
    topic = str(LINES[name]["type"])
    text = avro_files.text(topic)
    plan = plan_for(topic, text)
    assert isinstance(plan, Plan)
    value = damaged(body(schema_of(topic), fields_of_line(LINES[name])), blows)

    fields = plan.read(value, 0)

    fast = Reading[Any](topic, text, BUILD[topic])
    assert same(fast.fields(value, 0), fields)
    assert same(fast.decode(value, 0), fields if isinstance(fields, Rejection) else BUILD[topic](fields))


@given(st.sampled_from(sorted(LINES)))
def test_usual_messages_are_read_without_a_doubt(name: str) -> None:
    topic = str(LINES[name]["type"])
    value = body(schema_of(topic), fields_of_line(LINES[name]))

    outcome = compiled(topic, avro_files.text(topic)).bind(doubt)(value, 0)

    assert outcome == fields_of_line(LINES[name])
