"""``Retry-After`` (RFC 9110 section 10.2.3): seconds or an HTTP date, never believed beyond a bound."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_s(value: str | None, now_s: float, longest_s: float) -> float | None:
    """Seconds to wait, within 0 and ``longest_s``; None when the header is absent or unreadable.

    ``now_s`` is the wall clock in seconds since the epoch, against which an HTTP date is read.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        # Twenty digits are enough for any real wait; int() of a longer text costs time for nothing.
        seconds = float(text[:20])
    else:
        try:
            at = parsedate_to_datetime(text[:64])
        except ValueError:
            return None
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        seconds = at.timestamp() - now_s if at > datetime.min.replace(tzinfo=UTC) else 0.0
    return min(max(seconds, 0.0), longest_s)
