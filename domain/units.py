"""Units: the facts that are read together, such as one order line with its versions and shipments.

A fact belongs to one unit and is identified within it. Documents tie units to each other: an adjustment may echo
a shipment, return or transfer.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any, TypeAlias

from domain.facts import (
    Adjustment,
    Balance,
    Fact,
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

Unit: TypeAlias = tuple[str, ...]
Group: TypeAlias = tuple[Fact, ...]
"""The facts of one unit, in the order in which they arrived (balances: newest first)."""

BALANCE = "balance"
LINE = "line"
ADJUSTMENT = "adjustment"
RETURN = "return"
TRANSFER = "transfer"
RESERVATION = "reservation"

UNIT_OF: dict[type, Callable[[Any], Unit]] = {
    Balance: lambda fact: (BALANCE, fact[0], fact[1]),  # location, bucket
    Adjustment: lambda fact: (ADJUSTMENT, fact[0], fact[1]),  # source, adjustment_id
    LineVersion: lambda fact: (LINE, fact[0], fact[1]),  # order_id, line_id
    Shipment: lambda fact: (LINE, fact[1], fact[2]),  # order_id, line_id
    Reservation: lambda fact: (RESERVATION, fact[0]),
    ReservationRelease: lambda fact: (RESERVATION, fact[0]),
    ReturnReceived: lambda fact: (RETURN, fact[0]),
    ReturnDisposed: lambda fact: (RETURN, fact[0]),
    TransferShipped: lambda fact: (TRANSFER, fact[0]),
    TransferReceived: lambda fact: (TRANSFER, fact[0]),
    TransferClosed: lambda fact: (TRANSFER, fact[0]),
}
"""The unit of a fact, by its kind. Fields by position: this is asked once an event."""

IDENTITY: dict[type, Callable[[Any], object]] = {
    Balance: itemgetter(2, 3, 4),  # source, as_of, sequence
    Adjustment: itemgetter(0),
    LineVersion: itemgetter(2),  # version
    Shipment: itemgetter(0),  # shipment_id
    Reservation: itemgetter(0),
    ReservationRelease: itemgetter(1),  # release_id
    ReturnReceived: itemgetter(0),
    ReturnDisposed: itemgetter(0),
    TransferShipped: itemgetter(1),  # part
    TransferReceived: itemgetter(1),  # part
    TransferClosed: itemgetter(0),
}
"""What tells facts of one kind in one unit apart."""


def unit_of(fact: Fact) -> Unit:
    """The unit a fact belongs to."""
    return UNIT_OF[type(fact)](fact)


def document_of(fact: Fact) -> str | None:
    """The document a fact reports, or echoes if it is an adjustment; None for all others."""
    if type(fact) is Adjustment:
        return fact.document_ref
    return fact[0] if type(fact) in _DOCUMENTS else None  # their first field is the id


_DOCUMENTS = frozenset((Shipment, ReturnReceived, ReturnDisposed, TransferShipped, TransferReceived))


def newness(balance: Any) -> tuple[int, int, int, int, tuple[str, ...]]:
    """Rank of a balance: the greatest is accepted.

    The sequence decides between recounts of one instant; the rest only makes the order total.
    """
    return (
        balance.as_of,
        balance.sequence,
        balance.revision,
        balance.quantity,
        tuple(map(str, balance)),
    )
