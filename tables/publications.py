"""What was told to channels, as changelog rows: one row a listing and channel.

Key: channel and listing, joined by NUL. Value: a JSON array of a tag and the fields of ``Listing``. Rows of one
key are joined, never replaced, so a stale row of a paused worker does no harm. Three more rows a partition, under
an empty channel, name the policy under which the whole partition was last published, the highest group generation
that wrote to it, and the ``publish_seq`` up to which all updates are in the topics (see ``told``).
"""

from __future__ import annotations

import orjson

from domain.listings import Listing
from tables.rows import UnreadableRow

_TAG = "listing.1"
POLICY_KEY = b"\0policy"
GENERATION_KEY = b"\0generation"
TOLD_KEY = b"\0told"


def listing_key(channel: str, listing: str) -> bytes:
    """The changelog key of a listing on a channel."""
    return f"{channel}\0{listing}".encode()


def channel_and_listing(key: bytes) -> tuple[str, str]:
    """The channel and listing of a changelog key."""
    channel, _, listing = key.decode().partition("\0")
    return channel, listing


def listing_value(listing: Listing) -> bytes:
    """The changelog value of a listing."""
    return orjson.dumps([_TAG, *listing])


def listing_of(value: bytes) -> Listing:
    """The listing of a changelog value. Raises ``UnreadableRow`` with the reason."""
    try:
        tag, *fields = orjson.loads(value)
        if tag != _TAG:
            raise ValueError(f"unknown tag {tag!r}")
        return Listing(*fields)
    except (ValueError, TypeError) as error:
        raise UnreadableRow(
            f"publications row {value[:80]!r} cannot be read ({error!r}): was it written by a newer version? "
            "Start that version, or delete the publications changelog to tell every channel everything again."
        ) from error
