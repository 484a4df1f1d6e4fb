"""Canonical JSON, one object a line: to facts, to Avro records, and back.

``type`` is the name of the topic, the other fields are those of its schema, times are ISO-8601 with an offset.
A line is judged by the same rules as bytes and refused with the same reason codes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

from pydantic import ValidationError

from schemas.fields import Spoken, fields_of, json_text, key_of, topic_of
from schemas.intake import AssumeAsOf, builders, never
from schemas.intake_control import acknowledgement, policy_document
from schemas.intake_listings import listed
from schemas.record_models import MODELS
from schemas.record_problems import rejection_of
from schemas.rejections import (
    EMPTY,
    INVALID_JSON,
    OVERSIZED,
    UNKNOWN_TYPE,
    WRONG_TYPE,
    Rejection,
    quoted,
    rejection,
)
from schemas.times import iso
from schemas.topics import MAX_MESSAGE_BYTES

RecordLike: TypeAlias = str | bytes | Mapping[str, Any]

_TIMES = frozenset({"occurred_at", "as_of", "expires_at", "effective_from"})


class RecordError(ValueError):
    """A line that is refused: its reason code, the field, what was wrong and what to do, and the line if known."""

    def __init__(self, rejected: Rejection, line: int | None = None) -> None:
        super().__init__(rejected.message if line is None else f"line {line}: {rejected.message}")
        self.code, self.field, self.message = rejected
        self.line = line


class AvroRecord(NamedTuple):
    """What to produce: the topic, the message's key, and the fields of its schema."""

    topic: str
    key: bytes
    fields: dict[str, Any]


def event_of(record: RecordLike, *, assume_as_of: AssumeAsOf = never, line: int | None = None) -> Spoken:
    """What a line says. Raises RecordError."""
    _, fields = _checked(record, line)
    return _built(fields.pop("type"), fields, assume_as_of, line)


def avro_record_of(record: RecordLike, *, line: int | None = None) -> AvroRecord:
    """A line as the Avro record to be produced. Raises RecordError.

    A BALANCE may be without ``as_of`` here: whether its source may leave it out is for the reader to say.
    """
    topic, fields = _checked(record, line)
    del fields["type"]
    spoken = _built(topic, fields, lambda _source: True, line)
    return AvroRecord(topic, key_of(spoken), fields)


def canonical_json_of(spoken: Spoken) -> dict[str, Any]:
    """The line that says this, as a mapping; fields that are null are left out."""
    fields = fields_of(spoken)
    if topic_of(spoken) == "availability-policy":
        fields["document"] = json.loads(fields["document"])
    shown = {name: iso(value) if name in _TIMES else value for name, value in fields.items() if value is not None}
    return {"type": topic_of(spoken), **shown}


def _checked(record: RecordLike, line: int | None) -> tuple[str, dict[str, Any]]:
    """The line's topic and all its fields, each of the right type."""
    values = record if isinstance(record, Mapping) else _parsed(record, line)
    topic = values.get("type")
    model = MODELS.get(topic) if isinstance(topic, str) else None
    if model is None:
        problem = f"{quoted(topic)} is none of {', '.join(MODELS)}"
        raise RecordError(rejection(UNKNOWN_TYPE, "type", problem), line)
    try:
        fields = dict(model.model_validate(dict(values)))
    except ValidationError as error:
        raise RecordError(rejection_of(error), line) from error
    if topic == "availability-policy":
        fields["document"] = json_text(fields["document"])
    return str(topic), fields


def _built(topic: str, fields: Mapping[str, Any], assume_as_of: AssumeAsOf, line: int | None) -> Spoken:
    build: Callable[[Mapping[str, Any]], Spoken | Rejection]
    if topic == "channel-acks":
        build = acknowledgement
    elif topic == "availability-policy":
        build = policy_document
    elif topic == "listings":
        build = listed
    else:
        build = builders(assume_as_of)[topic]
    spoken = build(fields)
    if isinstance(spoken, Rejection):
        raise RecordError(spoken, line)
    return spoken


def _parsed(text: str | bytes, line: int | None) -> Mapping[str, Any]:
    if len(text) > MAX_MESSAGE_BYTES:
        problem = f"has {len(text)} bytes or characters, {MAX_MESSAGE_BYTES} are allowed"
        raise RecordError(rejection(OVERSIZED, "", problem), line)
    if not text.strip():
        raise RecordError(rejection(EMPTY, "", "the line is empty"), line)
    try:
        values = json.loads(text, parse_float=Decimal, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise RecordError(rejection(INVALID_JSON, "", f"the line is no JSON: {error}"), line) from error
    if not isinstance(values, dict):
        raise RecordError(rejection(WRONG_TYPE, "", f"the line is {quoted(values)}, not an object"), line)
    return values


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key occurs twice")
    return values
