"""Numbers, names and durations as they are written in a policy document, made exact.

Decimals never pass through binary floats: ``12.5`` becomes ``Fraction(25, 2)`` whether YAML, JSON or a quoted text
wrote it. Durations are seconds in the document and integer microseconds here.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, StringConstraints

from domain.facts import SECOND, Micros
from schemas.limits import EARLIEST, LATEST, MAX_ID_CHARACTERS, MAX_QUANTITY, is_clean
from schemas.times import micros
from schemas.topics import is_channel_name

MAX_SECONDS = 10 * 366 * 86_400
"""Ten years; a longer delay is a wrong unit."""

MAX_DIGITS = 30
"""Characters of a written decimal number."""


def exact(value: Any) -> Fraction:
    """An int, a decimal or its text as a fraction. Raises ValueError for anything else, also for NaN and
    infinity.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError("must be a number")
    text = str(value).strip()
    if len(text) > MAX_DIGITS:
        raise ValueError(f"must be a number of at most {MAX_DIGITS} characters")
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError("must be a number such as 10 or 12.5") from error
    if not number.is_finite() or abs(number.adjusted()) > MAX_DIGITS:
        raise ValueError("must be a finite number of ordinary size")
    return Fraction(number)


def percent(value: Any) -> Fraction:
    """A percentage from 0 to 100."""
    number = exact(value)
    if not 0 <= number <= 100:
        raise ValueError("must be a percentage from 0 to 100")
    return number


def probability(value: Any) -> Fraction:
    """A probability above 0 and below 1."""
    number = exact(value)
    if not 0 < number < 1:
        raise ValueError("must be a probability above 0 and below 1, such as 0.95")
    return number


def rate(value: Any) -> Fraction:
    """Calls per second, not negative."""
    number = exact(value)
    if not 0 <= number <= MAX_QUANTITY:
        raise ValueError("must be a rate per second of 0 or more")
    return number


def seconds(value: Any) -> Micros:
    """A duration in seconds, not negative, in whole microseconds."""
    number = exact(value)
    if not 0 <= number <= MAX_SECONDS:
        raise ValueError(f"must be a duration of 0 to {MAX_SECONDS} seconds")
    duration = number * SECOND
    if duration.denominator != 1:
        raise ValueError("must be a whole number of microseconds")
    return duration.numerator


def instant(value: Any) -> Micros:
    """An ISO-8601 time with its offset as microseconds. Raises ValueError, also for times outside 2000 to 2100."""
    if not isinstance(value, str):
        raise ValueError("must be a time as text, such as 2026-01-01T00:00:10Z")
    at = micros(value)
    if not EARLIEST <= at < LATEST:
        raise ValueError("must be from 2000 to 2099")
    return at


def channel_name(value: str) -> str:
    """A name that can be part of a topic's name."""
    if not is_channel_name(value):
        raise ValueError("must be 1 to 100 of the characters A-Z a-z 0-9 _ -")
    return value


def _clean(value: str) -> str:
    if not is_clean(value):
        raise ValueError("must be text without control characters")
    return value


Percent = Annotated[Fraction, PlainValidator(percent)]
Probability = Annotated[Fraction, PlainValidator(probability)]
Rate = Annotated[Fraction, PlainValidator(rate)]
Seconds = Annotated[Micros, BeforeValidator(seconds)]
Instant = Annotated[Micros, BeforeValidator(instant)]
Units = Annotated[int, Field(ge=0, le=MAX_QUANTITY)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID_CHARACTERS), AfterValidator(_clean)]
