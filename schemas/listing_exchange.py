"""What partitions tell each other about listings, as bytes: a JSON array of a tag and the fields.

An internal topic: whoever writes it is a worker of this version, or of the one before during an upgrade. So a
statement without a price has no place for one, and workers that know no prices read it.
"""

from __future__ import annotations

from sys import intern
from typing import Any, TypeAlias

import orjson

from domain.listing_map import Listed, Subscription, Supply
from domain.prices import Price
from schemas.rejections import MALFORMED, Rejection, quoted, rejection

Exchanged: TypeAlias = Listed | Subscription | Supply
"""A statement on its way to the listing's home, or what home and SKU say to each other."""

_PRICED = "listed.2"
_TAGS: dict[type, str] = {Listed: "listed.1", Subscription: "subscription.1", Supply: "supply.1"}
_KINDS: dict[str, type[Any]] = {**{tag: kind for kind, tag in _TAGS.items()}, _PRICED: Listed}
_LISTED: tuple[tuple[type, ...], ...] = ((str,), (str,), (str, type(None)), (int,), (int,))
_TYPES: dict[str, tuple[tuple[type, ...], ...]] = {
    "listed.1": _LISTED,
    _PRICED: (*_LISTED, (int,), (str,)),
    "subscription.1": ((str,), (str,), (str,), (int,), (bool,)),
    "supply.1": ((str,), (str,), (str,), (int,), (int,), (int,), (list,), (int, type(None)), (bool,)),
}


def exchange_value(message: Exchanged) -> bytes:
    """The message as a value of the topic."""
    if isinstance(message, Listed):
        *said, price = message
        return orjson.dumps([_TAGS[Listed], *said] if price is None else [_PRICED, *said, *price])
    return orjson.dumps([_TAGS[type(message)], *message])


def exchanged_of(value: bytes | None) -> Exchanged | Rejection:
    """What a value of the topic says."""
    try:
        tag, *fields = orjson.loads(value or b"")
        kind = _KINDS[tag]
        types = _TYPES[tag]
        given = [type(field) for field in fields]
        if len(given) != len(types) or any(one not in each for one, each in zip(given, types, strict=True)):
            raise TypeError("its fields are not those of " + tag)
    except (ValueError, TypeError, KeyError) as error:
        return rejection(MALFORMED, "", f"{quoted(value)} is no message of this topic ({error})")
    if kind is Supply:
        fields[6] = tuple(fields[6])
    elif tag == _PRICED:
        fields[5:] = [Price(fields[5], intern(fields[6]))]
    message: Exchanged = kind(*fields)
    return message
