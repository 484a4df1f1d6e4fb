"""Why a message cannot become a fact: stable reason codes, each with its meaning and what to do about it.

A rejection is a value, never an exception. The codes are an interface: dead letters carry them, runbooks and
dashboards are named after them. A code is never renamed and never reused.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

EMPTY = "EMPTY"
TRUNCATED = "TRUNCATED"
WRONG_MAGIC = "WRONG_MAGIC"
UNKNOWN_SCHEMA = "UNKNOWN_SCHEMA"
WRONG_SCHEMA = "WRONG_SCHEMA"
MALFORMED = "MALFORMED"
TRAILING_BYTES = "TRAILING_BYTES"
OVERSIZED = "OVERSIZED"
KEY_MISMATCH = "KEY_MISMATCH"
MISSING_SKU = "MISSING_SKU"
MISSING_FIELD = "MISSING_FIELD"
MISSING_AS_OF = "MISSING_AS_OF"
NULL_FIELD = "NULL_FIELD"
INVALID_TEXT = "INVALID_TEXT"
UNKNOWN_ENUM = "UNKNOWN_ENUM"
NOT_A_NUMBER = "NOT_A_NUMBER"
NEGATIVE_QUANTITY = "NEGATIVE_QUANTITY"
ABSURD_QUANTITY = "ABSURD_QUANTITY"
ABSURD_TIME = "ABSURD_TIME"
INVALID_TIME = "INVALID_TIME"
INVALID_JSON = "INVALID_JSON"
INVALID_POLICY = "INVALID_POLICY"
UNKNOWN_TYPE = "UNKNOWN_TYPE"
UNKNOWN_FIELD = "UNKNOWN_FIELD"
WRONG_TYPE = "WRONG_TYPE"


class Rejection(NamedTuple):
    """Why a message was refused. ``field`` is empty when it is about the message as a whole.

    ``message`` says what was wrong and what to do; it quotes at most a few characters of the input.
    """

    code: str
    field: str
    message: str


class Reason(NamedTuple):
    """The documented side of a code."""

    meaning: str
    remedy: str


REASONS: dict[str, Reason] = {
    EMPTY: Reason(
        "There are no bytes in the value.", "Send a value; only availability-policy and listings know tombstones."
    ),
    TRUNCATED: Reason(
        "The bytes end before the message does.", "Find what cuts messages between producer and broker."
    ),
    WRONG_MAGIC: Reason(
        "Neither a prefix (0 and a 4-byte schema id) nor a __value_schema_id header in Confluent wire format.",
        "Produce with a schema registry serializer, or with `atstream produce`.",
    ),
    UNKNOWN_SCHEMA: Reason(
        "The registry does not know the schema the message names.",
        "Register the schema, or point producer and worker at the same registry; then redrive.",
    ),
    WRONG_SCHEMA: Reason(
        "The schema belongs to another record, or cannot be resolved against ours.",
        "Produce with the topic's schema or a compatible one.",
    ),
    MALFORMED: Reason(
        "The bytes are not what the schema says.", "Find the producer; it wrote bytes of no schema."
    ),
    TRAILING_BYTES: Reason("Bytes are left over after the message.", "Find what appends to, or joins, messages."),
    OVERSIZED: Reason(
        "The value, a text or a list is larger than allowed.", "Split the message or shorten the text."
    ),
    KEY_MISMATCH: Reason(
        "The key of the message is not its sku (listing, channel:listing, scope) in UTF-8.",
        "Key the message by that field: it decides the partition.",
    ),
    MISSING_SKU: Reason("The sku is absent or empty.", "Send the sku; without it nothing can be counted."),
    MISSING_FIELD: Reason("A field that this kind of message needs is absent or empty.", "Send the field."),
    MISSING_AS_OF: Reason(
        "A BALANCE does not say at which instant it was true.",
        "Send as_of, or configure assume_as_of for the source if occurred_at is that instant.",
    ),
    NULL_FIELD: Reason(
        "A field that must have a value is null.", "Send a value, or leave it out if it has a default."
    ),
    INVALID_TEXT: Reason("A text contains control characters or is not Unicode.", "Send printable text."),
    UNKNOWN_ENUM: Reason(
        "A value is not one of those the field knows.", "Send one of the values that the message lists."
    ),
    NOT_A_NUMBER: Reason(
        "A number is not a whole number.", "Send a whole number: no NaN, fraction, text or boolean."
    ),
    NEGATIVE_QUANTITY: Reason(
        "A number that cannot be negative is.",
        "Send it unsigned; what reduces stock is said by the kind of message.",
    ),
    ABSURD_QUANTITY: Reason("A number is beyond 1,000,000,000 or its own limit.", "Check the unit of the number."),
    ABSURD_TIME: Reason(
        "A time is before 2000-01-01 or not before 2100-01-01.",
        "Check the unit: microseconds since 1970-01-01T00:00:00Z.",
    ),
    INVALID_TIME: Reason("A time is not ISO-8601 with an offset.", "Write it like 2026-01-01T00:00:10Z."),
    INVALID_JSON: Reason("The text is not one JSON object.", "Send one JSON object."),
    INVALID_POLICY: Reason("The policy document is refused.", "Correct the path that the message names."),
    UNKNOWN_TYPE: Reason(
        "`type` is not the name of an input topic.", "Set type to one of those the message lists."
    ),
    UNKNOWN_FIELD: Reason("A field is not known.", "Correct its spelling, or carry it in ext."),
    WRONG_TYPE: Reason("A value has the wrong JSON type.", "Send the type that the message names."),
}
"""Every code there is. Documentation and runbooks are checked against this table."""


MAX_FIELD_CHARACTERS = 256
MAX_PROBLEM_CHARACTERS = 2_000
"""A rejection becomes headers of a dead letter; what is hostile in a message must not grow there."""


def rejection(code: str, field: str, problem: str) -> Rejection:
    """A rejection whose message is the problem, cut to a bounded length, followed by the code's remedy."""
    field, problem = field[:MAX_FIELD_CHARACTERS], problem[:MAX_PROBLEM_CHARACTERS]
    return Rejection(code, field, f"{field + ': ' if field else ''}{problem}. {REASONS[code].remedy}")


def quoted(value: object, limit: int = 40) -> str:
    """The value for a message, cut to ``limit`` characters."""
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= limit else text[:limit] + "..."
