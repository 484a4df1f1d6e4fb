"""The oddities the core reports: a code, who looks after it, and what it means.

A finding is a value, never an exception (law L10). Some are found when an event arrives (it repeats or
contradicts what is known), the others are properties of the state and vanish when the state is mended.
"""

from __future__ import annotations

from typing import NamedTuple

DUPLICATE = "DUPLICATE"
CONFLICTING_DUPLICATE = "CONFLICTING_DUPLICATE"
SUPERSEDED_SNAPSHOT = "SUPERSEDED_SNAPSHOT"
AMBIGUOUS_MOVEMENT = "AMBIGUOUS_MOVEMENT"
CHANNEL_DRIFT = "CHANNEL_DRIFT"
DISPOSITION_BEFORE_RECEIPT = "DISPOSITION_BEFORE_RECEIPT"
ECHO_MISMATCH = "ECHO_MISMATCH"
LISTING_NOT_TAKEN = "LISTING_NOT_TAKEN"
NEGATIVE_BALANCE = "NEGATIVE_BALANCE"
OVER_OFFSET = "OVER_OFFSET"
OVER_RECEIPT = "OVER_RECEIPT"
OVER_RESERVATION = "OVER_RESERVATION"
OVER_SHIPMENT = "OVER_SHIPMENT"
RECEIPT_BEFORE_SHIPMENT = "RECEIPT_BEFORE_SHIPMENT"
RESERVATION_EXPIRED = "RESERVATION_EXPIRED"
SHIP_AFTER_CANCEL = "SHIP_AFTER_CANCEL"
SHIP_BEFORE_RELEASE = "SHIP_BEFORE_RELEASE"
TRANSFER_SHORT = "TRANSFER_SHORT"


class Kind(NamedTuple):
    """Who looks after findings of a code, and what they mean. ``on_arrival``: seen only as the event comes in."""

    owner: str
    meaning: str
    on_arrival: bool = False


KINDS: dict[str, Kind] = {
    DUPLICATE: Kind("integration", "the event was delivered before; it changed nothing", True),
    CONFLICTING_DUPLICATE: Kind("integration", "two bodies for one business key; the preferred one counts", True),
    SUPERSEDED_SNAPSHOT: Kind("erp", "a balance older than the accepted one arrived; it does not count", True),
    AMBIGUOUS_MOVEMENT: Kind("erp", "a movement so close to the balance that clocks cannot tell its side"),
    CHANNEL_DRIFT: Kind("channel-integration", "a channel shows more than it had taken from us", True),
    DISPOSITION_BEFORE_RECEIPT: Kind("warehouse", "more returns were disposed than were received"),
    ECHO_MISMATCH: Kind("erp", "the ERP booked another quantity for a document than the first-hand report"),
    LISTING_NOT_TAKEN: Kind("channel-integration", "a channel does not take what it is told of a listing", True),
    NEGATIVE_BALANCE: Kind("erp", "the ERP reports less than nothing; it is shown and sells 0"),
    OVER_OFFSET: Kind("order-management", "more of a reservation was released or converted than it held"),
    OVER_RECEIPT: Kind("warehouse", "more of a transfer was received than was sent"),
    OVER_RESERVATION: Kind("order-management", "demand at a location exceeds what is on hand"),
    OVER_SHIPMENT: Kind("warehouse", "more of a line was shipped than was wanted"),
    RECEIPT_BEFORE_SHIPMENT: Kind("warehouse", "a transfer was received whose sending is not known yet"),
    RESERVATION_EXPIRED: Kind("order-management", "a reservation ran out with units not converted"),
    SHIP_AFTER_CANCEL: Kind("warehouse", "a line was shipped after it had been cancelled"),
    SHIP_BEFORE_RELEASE: Kind("order-management", "a shipment for a line whose release is not known yet"),
    TRANSFER_SHORT: Kind("warehouse", "a transfer was closed with units missing"),
}
