"""What upstream systems told us about a SKU, as immutable values.

One type per kind of statement. Times are integer microseconds since the epoch, UTC (``Micros``); quantities
are integers in the SKU's base unit. A fact holds only what can change a number: identifiers used for tracing
(``event_id``, ``correlation_id``) travel beside it in an ``Event``.

Two facts with the same ``fact_key`` speak of the same thing; ``preferred`` picks the one that is believed.
Because the choice is a maximum in a total order, a set of facts joins commutatively, associatively and
idempotently (laws L1-L3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

Micros: TypeAlias = int
FactKey: TypeAlias = tuple[str, ...]

SECOND: Micros = 1_000_000

SELLABLE = "SELLABLE"
QUARANTINE = "QUARANTINE"
BLOCKED = "BLOCKED"
BUCKETS = (SELLABLE, QUARANTINE, BLOCKED)

PHYSICAL = "PHYSICAL"
NET_OF_OPEN_ORDERS = "NET_OF_OPEN_ORDERS"
BASES = (PHYSICAL, NET_OF_OPEN_ORDERS)

OPEN = "OPEN"
CANCELLED = "CANCELLED"
CLOSED = "CLOSED"
LINE_STATES = (OPEN, CANCELLED, CLOSED)


class Balance(NamedTuple):
    """The quantity of a bucket at a location, as the ERP counted it at ``as_of``. May be negative."""

    location: str
    bucket: str
    source: str
    as_of: Micros
    sequence: int
    revision: int
    quantity: int
    basis: str
    includes: tuple[str, ...] | None
    occurred_at: Micros


class Adjustment(NamedTuple):
    """A signed change of a bucket. With ``document_ref`` it may echo a shipment, return or transfer."""

    source: str
    adjustment_id: str
    revision: int
    location: str
    bucket: str
    quantity: int
    reason: str
    document_ref: str | None
    occurred_at: Micros


class LineVersion(NamedTuple):
    """One version of an order line: absolute quantity, cumulative cancelled quantity."""

    order_id: str
    line_id: str
    version: int
    revision: int
    quantity: int
    cancelled_quantity: int
    state: str
    location: str | None
    channel: str | None
    reservation_id: str | None
    kit_ref: str | None
    source: str
    occurred_at: Micros


class Shipment(NamedTuple):
    """Units of one order line that left a location. ``final`` closes the line short."""

    shipment_id: str
    order_id: str
    line_id: str
    revision: int
    location: str
    quantity: int
    final: bool
    source: str
    occurred_at: Micros


class Reservation(NamedTuple):
    """A soft reservation: units held for a buyer until ``expires_at``; ``location`` None is not sourced yet."""

    reservation_id: str
    revision: int
    quantity: int
    location: str | None
    channel: str | None
    expires_at: Micros
    source: str
    occurred_at: Micros


class ReservationRelease(NamedTuple):
    """Units of a soft reservation given back."""

    reservation_id: str
    release_id: str
    revision: int
    quantity: int
    source: str
    occurred_at: Micros


class ReturnReceived(NamedTuple):
    """Units that came back and went into quarantine."""

    return_id: str
    revision: int
    location: str
    quantity: int
    source: str
    occurred_at: Micros


class ReturnDisposed(NamedTuple):
    """Units that left quarantine: ``restocked`` became sellable, ``scrapped`` are gone."""

    return_id: str
    revision: int
    location: str
    restocked: int
    scrapped: int
    source: str
    occurred_at: Micros


class TransferShipped(NamedTuple):
    """Units that left ``from_location`` for ``to_location``."""

    transfer_id: str
    part: str
    revision: int
    from_location: str
    to_location: str
    quantity: int
    source: str
    occurred_at: Micros


class TransferReceived(NamedTuple):
    """Units of one part of a transfer that arrived. The sender is decremented by implication if need be."""

    transfer_id: str
    part: str
    revision: int
    from_location: str | None
    to_location: str
    quantity: int
    source: str
    occurred_at: Micros


class TransferClosed(NamedTuple):
    """Nothing more of this transfer will arrive."""

    transfer_id: str
    revision: int
    source: str
    occurred_at: Micros


Fact: TypeAlias = (
    Balance
    | Adjustment
    | LineVersion
    | Shipment
    | Reservation
    | ReservationRelease
    | ReturnReceived
    | ReturnDisposed
    | TransferShipped
    | TransferReceived
    | TransferClosed
)


class Event(NamedTuple):
    """A fact on its way: which SKU it is about and how to find it again."""

    topic: str
    sku: str
    event_id: str
    correlation_id: str | None
    fact: Fact


class Acknowledgement(NamedTuple):
    """What a channel answered to a channel update. ``outcome`` is ACCEPTED, REJECTED or UNKNOWN.

    ``previous_quantity`` is what it said it showed before, where it says that.
    """

    channel: str
    listing: str
    publish_seq: int
    outcome: str
    quantity: int
    latency_ms: int
    reason: str | None
    occurred_at: Micros
    previous_quantity: int | None = None


def fact_key(fact: Fact) -> FactKey:
    """The business key of a fact within its SKU (semantics section 2). The first part names the kind."""
    return KEY_OF[type(fact)](fact)


KEY_OF: dict[type, Callable[[Any], FactKey]] = {
    # location, bucket, source, as_of, sequence
    Balance: lambda fact: ("balance", fact[0], fact[1], fact[2], str(fact[3]), str(fact[4])),
    Adjustment: lambda fact: ("adjustment", fact[0], fact[1]),  # source, adjustment_id
    LineVersion: lambda fact: ("line", fact[0], fact[1], str(fact[2])),  # order_id, line_id, version
    Shipment: lambda fact: ("shipment", fact[0], fact[1], fact[2]),  # shipment_id, order_id, line_id
    Reservation: lambda fact: ("reservation", fact[0]),
    ReservationRelease: lambda fact: ("release", fact[0], fact[1]),  # reservation_id, release_id
    ReturnReceived: lambda fact: ("returned", fact[0]),
    ReturnDisposed: lambda fact: ("disposed", fact[0]),
    TransferShipped: lambda fact: ("sent", fact[0], fact[1]),  # transfer_id, part
    TransferReceived: lambda fact: ("received", fact[0], fact[1]),  # transfer_id, part
    TransferClosed: lambda fact: ("transfer-closed", fact[0]),
}
"""The business key of each kind. Fields by position: this is asked once an event."""


def preferred(one: Fact, other: Fact) -> Fact:
    """The believed one of two facts with the same key: highest revision, else larger quantity.

    The remaining fields break ties so that the choice never depends on the order of arrival.
    """
    return one if _rank(one) >= _rank(other) else other


def _rank(fact: Fact) -> tuple[int, int, tuple[str, ...]]:
    return (fact.revision, _magnitude(fact), tuple(map(str, fact)))


def _magnitude(fact: Fact) -> int:
    match fact:
        case LineVersion():
            return fact.quantity - fact.cancelled_quantity if fact.state == OPEN else -1
        case ReturnDisposed():
            return fact.restocked + fact.scrapped
        case TransferClosed():
            return 0
        case _:
            return fact.quantity
