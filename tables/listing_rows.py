"""What listings sell and for how much, and who subscribes to a SKU, as rows of the publications changelog.

Their keys begin with an empty channel, as all keys there that are no listing of a channel's planner. Rows of one
key are joined, never replaced; only the end of a subscription is removed, once its SKU's partition was told.
Values are JSON arrays of a tag and the fields of ``Mapped`` or ``Subscription``, or of a price with the ``as_of``
of its statement. Prices have rows of their own: versions that do not know them pass over them, and a listing
without one has none.
"""

from __future__ import annotations

from sys import intern
from typing import Any, TypeVar

import orjson

from domain.facts import Micros
from domain.listing_map import ListingName, Mapped, Subscription
from domain.prices import Price
from tables.rows import UnreadableRow

MAPPED_PREFIX = b"\0mapped\0"
SUBSCRIBED_PREFIX = b"\0subscribed\0"
PRICE_PREFIX = b"\0price\0"
ENDED_PREFIX = b"\0ended\0"

_PRICE_TAG = "price.1"

_TAGS: dict[type, str] = {Mapped: "mapped.1", Subscription: "subscription.1"}
_Row = TypeVar("_Row", Mapped, Subscription)


def mapped_key(name: ListingName) -> bytes:
    """The key of what a listing sells, in the partition of the listing's id."""
    return MAPPED_PREFIX + "\0".join(name).encode()


def listing_name(key: bytes) -> ListingName:
    """The listing of such a key."""
    channel, _, listing = key.removeprefix(MAPPED_PREFIX).decode().partition("\0")
    return channel, listing


def price_key(name: ListingName) -> bytes:
    """The key of what a listing sells for, in the partition of the listing's id."""
    return PRICE_PREFIX + "\0".join(name).encode()


def priced_name(key: bytes) -> ListingName:
    """The listing of such a key."""
    channel, _, listing = key.removeprefix(PRICE_PREFIX).decode().partition("\0")
    return channel, listing


def subscription_key(row: Subscription) -> bytes:
    """The key of a subscription, in the partition of its SKU."""
    return SUBSCRIBED_PREFIX + "\0".join((row.channel, row.listing, row.sku)).encode()


def ended_key(end: Subscription) -> bytes:
    """The key of the end of a subscription, in the partition of the listing's id. Of this one alone."""
    return ENDED_PREFIX + "\0".join((end.channel, end.listing, end.sku, str(end.number))).encode()


def listing_row(row: Mapped | Subscription) -> bytes:
    """The value of a row."""
    return orjson.dumps([_TAGS[type(row)], *row])


def price_row(price: Price, as_of: Micros) -> bytes:
    """The value of the row of a price, by a statement that holds since ``as_of``."""
    return orjson.dumps([_PRICE_TAG, *price, as_of])


def price_of(value: bytes) -> tuple[Micros, Price]:
    """Since when a price was said to hold, and the price. Raises ``UnreadableRow`` with the reason."""
    try:
        tag, amount, currency, as_of = orjson.loads(value)
        if tag != _PRICE_TAG:
            raise ValueError(f"unknown tag {tag!r}")
        return as_of, Price(amount, intern(currency))
    except (ValueError, TypeError) as error:
        raise _unreadable(value, error) from error


def mapped_of(value: bytes) -> Mapped:
    """What a listing sells. Raises ``UnreadableRow`` with the reason."""
    return _row_of(value, Mapped)


def subscription_of(value: bytes) -> Subscription:
    """A subscription. Raises ``UnreadableRow`` with the reason."""
    return _row_of(value, Subscription)


def _row_of(value: bytes, kind: type[_Row]) -> _Row:
    try:
        fields: list[Any]
        tag, *fields = orjson.loads(value)
        if tag != _TAGS[kind]:
            raise ValueError(f"unknown tag {tag!r}")
        if kind is Subscription:
            fields[0] = intern(fields[0])
        return kind(*fields)
    except (ValueError, TypeError) as error:
        raise _unreadable(value, error) from error


def _unreadable(value: bytes, error: Exception) -> UnreadableRow:
    return UnreadableRow(
        f"row {value[:80]!r} of a listing cannot be read ({error!r}): was it written by a newer version? "
        "Start that version."
    )
