"""Times as JSON writes them (ISO-8601 with an offset) and as the core counts them (microseconds, UTC)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from domain.facts import Micros

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def iso(at: Micros) -> str:
    """ISO-8601 in UTC, as short as it is exact: ``2026-01-01T00:00:10Z``."""
    return (_EPOCH + at * _MICROSECOND).isoformat().replace("+00:00", "Z")


def micros(text: str) -> Micros:
    """Microseconds since the epoch of an ISO-8601 time. Raises ValueError without an offset or for anything
    else.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("must be an ISO-8601 time such as 2026-01-01T00:00:10Z") from error
    if at.tzinfo is None:
        raise ValueError("must say its offset from UTC, such as the Z of 2026-01-01T00:00:10Z")
    return (at - _EPOCH) // _MICROSECOND
