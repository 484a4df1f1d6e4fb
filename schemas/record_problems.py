"""What the models say is wrong with a line, in the reason codes that everything else uses."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.rejections import (
    ABSURD_QUANTITY,
    INVALID_TEXT,
    MISSING_FIELD,
    MISSING_SKU,
    NEGATIVE_QUANTITY,
    NOT_A_NUMBER,
    NULL_FIELD,
    OVERSIZED,
    REASONS,
    UNKNOWN_ENUM,
    UNKNOWN_FIELD,
    WRONG_TYPE,
    Rejection,
    quoted,
    rejection,
)

_CODES = {
    "missing": MISSING_FIELD,
    "extra_forbidden": UNKNOWN_FIELD,
    "literal_error": UNKNOWN_ENUM,
    "int_type": NOT_A_NUMBER,
    "int_from_float": NOT_A_NUMBER,
    "finite_number": NOT_A_NUMBER,
    "greater_than_equal": NEGATIVE_QUANTITY,
    "less_than_equal": ABSURD_QUANTITY,
    "too_long": OVERSIZED,
    "string_unicode": INVALID_TEXT,
}
"""pydantic's error type -> our reason code; a type that is not listed is a WRONG_TYPE."""


def rejection_of(error: ValidationError) -> Rejection:
    """The first problem of a line, as a rejection; a missing sku is the first of all."""
    first = min(error.errors(include_url=False), key=lambda each: each["loc"] != ("sku",))
    field = ".".join(str(part) for part in first["loc"])
    code = _code(first)
    if field == "sku" and code in (MISSING_FIELD, NULL_FIELD):
        return rejection(MISSING_SKU, field, "is missing")
    return rejection(code, field, _problem(first, code))


def _code(error: ErrorDetails) -> str:
    kind = error["type"]
    if kind in REASONS:
        return kind
    if kind != "missing" and error["input"] is None:
        return NULL_FIELD
    return _CODES.get(kind, WRONG_TYPE)


def _problem(error: ErrorDetails, code: str) -> str:
    if code == MISSING_FIELD:
        return "is missing"
    if code == UNKNOWN_FIELD:
        return "is not a field of this type"
    if code == NULL_FIELD:
        return "is null"
    return f"{quoted(error['input'])} {error['msg'].replace('Input should be', 'must be')}"
