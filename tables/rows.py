"""Facts as changelog rows: one row a fact, so that a row stays small and an event costs the same on every SKU.

Key: the SKU and the fact's business key, joined by NUL. Value: a JSON array of a tag and the fact's fields, which
an SRE can read with any console consumer. The tag names the kind and its layout; a new layout gets a new tag and
the old one stays readable.
"""

from __future__ import annotations

from sys import intern
from typing import Any

import orjson

from domain.facts import (
    KEY_OF,
    Adjustment,
    Balance,
    Fact,
    FactKey,
    LineVersion,
    Reservation,
    ReservationRelease,
    ReturnDisposed,
    ReturnReceived,
    Shipment,
    TransferClosed,
    TransferReceived,
    TransferShipped,
)

_KIND_OF_TAG: dict[str, type[Any]] = {
    "balance.1": Balance,
    "adjustment.1": Adjustment,
    "line.1": LineVersion,
    "shipment.1": Shipment,
    "reservation.1": Reservation,
    "release.1": ReservationRelease,
    "returned.1": ReturnReceived,
    "disposed.1": ReturnDisposed,
    "sent.1": TransferShipped,
    "received.1": TransferReceived,
    "transfer-closed.1": TransferClosed,
}
_OF_FEW_VALUES = frozenset(
    (
        "location",
        "from_location",
        "to_location",
        "bucket",
        "source",
        "basis",
        "state",
        "channel",
        "line_id",
        "reason",
    )
)
_SHARED = {
    tag: tuple(index for index, name in enumerate(kind._fields) if name in _OF_FEW_VALUES)
    for tag, kind in _KIND_OF_TAG.items()
}
"""Fields of which millions of facts have a few values, by position: their texts are kept once."""

_START_OF_KIND = {kind: f'["{tag}",'.encode() for tag, kind in _KIND_OF_TAG.items()}


class UnreadableRow(Exception):
    """A changelog row this version cannot read; the message names the row and what to do."""


def row_key(sku: str, fact: Fact) -> bytes:
    """The changelog key of a fact of a SKU."""
    return "\0".join((sku, *KEY_OF[type(fact)](fact))).encode()


def row_key_of(sku: str, key: FactKey) -> bytes:
    """The changelog key of a fact of a SKU whose business key is known."""
    return "\0".join((sku, *key)).encode()


def row_value(fact: Fact) -> bytes:
    """The changelog value of a fact."""
    # The bytes that orjson returns hold on to a block of 1 kB. Added to others they are copied, and take what they
    # need: rows wait for the end of their epoch by the ten thousand.
    # A slice of a named tuple is a plain one, which orjson takes.
    return _START_OF_KIND[type(fact)] + orjson.dumps(fact[:])[1:]


def fact_of(value: bytes) -> Fact:
    """The fact of a changelog value. Raises ``UnreadableRow`` with the reason."""
    try:
        tag, *fields = orjson.loads(value)
        kind = _KIND_OF_TAG[tag]
        if kind is Balance and fields[8] is not None:
            fields[8] = tuple(fields[8])
        for index in _SHARED[tag]:
            if fields[index] is not None:
                fields[index] = intern(fields[index])
        fact: Fact = kind(*fields)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise UnreadableRow(
            f"changelog row {value[:80]!r} cannot be read ({error!r}): was it written by a newer version? "
            "Start that version, or rebuild the changelog by replaying the event topics."
        ) from error
    return fact
