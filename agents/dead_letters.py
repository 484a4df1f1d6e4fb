"""A record that can never succeed, kept byte for byte with the reason and a way back (architecture section 3)."""

from __future__ import annotations

from agents.ports import Headers, Incoming, Outgoing
from domain.facts import Micros
from schemas.rejections import Rejection
from schemas.topics import DEAD_LETTER_HEADROOM_BYTES, MAX_MESSAGE_BYTES, dead_letter_twin

PREFIX = "__atstream.errors."

LARGEST_KEPT_BYTES = MAX_MESSAGE_BYTES + DEAD_LETTER_HEADROOM_BYTES // 2
"""Key, value and headers that are kept whole, together. A record that was compressed on its way can be larger."""

_HEADER_BYTES = 8
"""What Kafka adds to a header, rounded up."""


def dead_letter(
    topic: str, partition: int, record: Incoming, rejection: Rejection, stage: str, now: Micros
) -> Outgoing:
    """The record for ``<topic>.dlq``: original key, value, headers and time, plus why and where it failed.

    A record that comes back from a dead letter topic and fails again counts its attempts. One that is larger than
    its topic would take uncompressed is cut, or it could never be written and its partition would stand still: the
    reason ``cut`` then tells its size, and the whole of it is at the offset that the reasons name.
    """
    kept = [header for header in record.headers() or () if not header[0].startswith(PREFIX)]
    reasons = {
        "reason": rejection.code,
        "field": rejection.field,
        "message": rejection.message,
        "topic": topic,
        "partition": str(partition),
        "offset": str(record.offset()),
        "stage": stage,
        "time": str(now),
        "attempt": str(_attempts(record) + 1),
    }
    key, value = record.key(), record.value()
    size = size_of(key, value, kept)
    if size > LARGEST_KEPT_BYTES:
        key, value, kept = _cut(key, value, kept)
        reasons["cut"] = str(size)
    headers = kept + [(PREFIX + name, text.encode()) for name, text in reasons.items()]
    return Outgoing(dead_letter_twin(topic).name, None, key, value, headers, record.timestamp()[1])


def size_of(key: bytes | None, value: bytes | None, headers: Headers | None) -> int:
    """Bytes of a record as Kafka stores it uncompressed, without what is put around a batch."""
    named = sum(len(name.encode()) + len(text or b"") + _HEADER_BYTES for name, text in headers or ())
    return len(key or b"") + len(value or b"") + named


def _cut(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]:
    """As much as fits: the beginning of the value; without the headers if they are what is too large."""
    if size_of(key, None, headers) > LARGEST_KEPT_BYTES:
        headers = []
    key = key and key[: LARGEST_KEPT_BYTES // 2]
    return key, value and value[: LARGEST_KEPT_BYTES - size_of(key, None, headers)], headers


def _attempts(record: Incoming) -> int:
    for name, value in record.headers() or ():
        if name == PREFIX + "attempt" and value.isdigit():
            return int(value)
    return 0
