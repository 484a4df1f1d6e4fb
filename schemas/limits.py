"""What any message may contain at most, and the checks that say so. No clock decides about validity."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from domain.facts import Micros
from schemas.rejections import (
    ABSURD_QUANTITY,
    ABSURD_TIME,
    INVALID_TEXT,
    MISSING_FIELD,
    NEGATIVE_QUANTITY,
    NOT_A_NUMBER,
    OVERSIZED,
    Rejection,
    quoted,
    rejection,
)

MAX_ID_CHARACTERS = 256
"""Characters of any identifier or name."""

MAX_INCLUDES = 10_000
"""Documents that one balance may name."""

MAX_REASON_CHARACTERS = 1_024
"""Characters of a channel's own reason."""

MAX_QUANTITY = 1_000_000_000
"""Base units; more on one line, balance or shipment is a wrong unit, not a stock."""

MAX_PRICE = 1_000_000_000_000
"""Smallest units of any currency for one of a listing; more is a wrong unit, not a price."""

MAX_ORDINAL = 2**63 - 1
"""Versions and sequences are Avro longs and may be time stamps of the source."""

MAX_REVISION = 2**31 - 1
"""Revisions and batch parts are Avro ints."""

EARLIEST: Micros = 946_684_800_000_000
"""2000-01-01T00:00:00Z in microseconds."""

LATEST: Micros = 4_102_444_800_000_000
"""2100-01-01T00:00:00Z in microseconds; no time is at or after it."""


def text_problem(named: Iterable[tuple[str, str | None]], limit: int = MAX_ID_CHARACTERS) -> Rejection | None:
    """The first text that is empty, too long or not printable; None if all are fine. None values are skipped."""
    for field, text in named:
        if text is None:
            continue
        if text == "":
            return rejection(MISSING_FIELD, field, "is an empty text; leave it out or send null if there is none")
        if len(text) > limit:
            return rejection(OVERSIZED, field, f"has {len(text)} characters, {limit} are allowed")
        if not is_clean(text):
            return rejection(
                INVALID_TEXT, field, f"{quoted(text)} contains control characters or half a surrogate pair"
            )
    return None


def time_problem(field: str, at: Micros) -> Rejection | None:
    """A rejection if the time is not a plausible one."""
    if EARLIEST <= at < LATEST:
        return None
    return rejection(ABSURD_TIME, field, f"{at} microseconds is outside 2000-01-01 to 2100-01-01")


def count_problem(field: str, value: int | None, limit: int = MAX_QUANTITY) -> Rejection | None:
    """A rejection if a number that counts something is absent, negative or beyond ``limit``."""
    if value is None:
        return rejection(MISSING_FIELD, field, "is needed here")
    if type(value) is not int:
        return rejection(NOT_A_NUMBER, field, f"{quoted(value)} is not a whole number")
    if value < 0:
        return rejection(NEGATIVE_QUANTITY, field, f"{quoted(value)} is negative")
    return amount_problem(field, value, limit)


def amount_problem(field: str, value: int, limit: int = MAX_QUANTITY) -> Rejection | None:
    """A rejection if a signed quantity is beyond ``limit`` in either direction."""
    if -limit <= value <= limit:
        return None
    return rejection(ABSURD_QUANTITY, field, f"{quoted(value)} is beyond {limit}")


def is_clean(text: str) -> bool:
    """Whether a text has neither control characters nor halves of surrogate pairs."""
    return text.isprintable() or not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)
