"""The full syncs of a partition as rows of the publications changelog, one a channel.

Their keys begin with an empty channel, as all keys there that are no listing of a channel's planner. Rows of one
key are joined, never replaced. Values are JSON arrays of a tag and the fields of ``FullSync``.
"""

from __future__ import annotations

import orjson

from domain.full_sync import FullSync
from tables.rows import UnreadableRow

FULL_SYNC_PREFIX = b"\0full-sync\0"
_TAG = "full-sync.1"


def full_sync_key(channel: str) -> bytes:
    """The key of the channel's newest full sync."""
    return FULL_SYNC_PREFIX + channel.encode()


def full_sync_channel(key: bytes) -> str:
    """The channel of such a key."""
    return key.removeprefix(FULL_SYNC_PREFIX).decode()


def full_sync_value(row: FullSync) -> bytes:
    """The value of a row."""
    return orjson.dumps([_TAG, *row])


def full_sync_of(value: bytes) -> FullSync:
    """The row of a value. Raises ``UnreadableRow`` with the reason."""
    try:
        tag, *fields = orjson.loads(value)
        if tag != _TAG:
            raise ValueError(f"unknown tag {tag!r}")
        return FullSync(*fields)
    except (ValueError, TypeError) as error:
        raise UnreadableRow(
            f"full sync row {value[:80]!r} cannot be read ({error!r}): was it written by a newer version? "
            "Start that version, or delete the publications changelog to tell every channel everything again."
        ) from error
