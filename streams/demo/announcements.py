"""What the systems of the story say: facts with their SKU and event id, collected as they happen."""

from __future__ import annotations

from domain.facts import (
    OPEN,
    PHYSICAL,
    SELLABLE,
    Adjustment,
    Balance,
    Event,
    Fact,
    LineVersion,
    Micros,
    Reservation,
    ReservationRelease,
    ReturnDisposed,
    ReturnReceived,
    Shipment,
    TransferClosed,
    TransferReceived,
    TransferShipped,
)

ERP, OMS, WMS = "erp", "oms", "wms"

TOPIC_OF: dict[type, str] = {
    Balance: "stock-adjusted",
    Adjustment: "stock-adjusted",
    LineVersion: "order-released",
    Shipment: "shipment-confirmed",
    Reservation: "reservation-changed",
    ReservationRelease: "reservation-changed",
    ReturnReceived: "return-recorded",
    ReturnDisposed: "return-recorded",
    TransferShipped: "transfer-recorded",
    TransferReceived: "transfer-recorded",
    TransferClosed: "transfer-recorded",
}


class Announcements:
    """Every event of the story, numbered in the order in which it is said."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def say(self, sku: str, fact: Fact, correlation_id: str | None = None) -> None:
        """Add a fact about a SKU."""
        event_id = f"demo-{len(self.events) + 1}"
        self.events.append(Event(TOPIC_OF[type(fact)], sku, event_id, correlation_id, fact))


def balance(location: str, quantity: int, as_of: Micros) -> Balance:
    """The ERP's count of the sellable units at ``as_of``, written a second later."""
    return Balance(location, SELLABLE, ERP, as_of, 0, 0, quantity, PHYSICAL, None, as_of + 1_000_000)


def receipt(number: str, location: str, quantity: int, at: Micros) -> Adjustment:
    """Goods from a supplier."""
    return Adjustment(ERP, number, 0, location, SELLABLE, quantity, "RECEIPT", None, at)


def goods_issue(shipment: Shipment, at: Micros) -> Adjustment:
    """The ERP's booking of a shipment: an echo, which must not be counted a second time."""
    number = f"gi-{shipment.shipment_id}"
    return Adjustment(
        ERP, number, 0, shipment.location, SELLABLE, -shipment.quantity, "GOODS_ISSUE", shipment.shipment_id, at
    )


def reserve(
    number: str, quantity: int, location: str | None, channel: str | None, expires_at: Micros, at: Micros
) -> Reservation:
    """Units put into a buyer's cart."""
    return Reservation(number, 0, quantity, location, channel, expires_at, OMS, at)


def give_back(reservation: Reservation, at: Micros) -> ReservationRelease:
    """The cart was emptied."""
    number = f"{reservation.reservation_id}-back"
    return ReservationRelease(reservation.reservation_id, number, 0, reservation.quantity, OMS, at)


def order_line(
    order_id: str,
    line_id: str,
    quantity: int,
    location: str | None,
    channel: str | None,
    reservation_id: str | None,
    at: Micros,
) -> LineVersion:
    """The first version of an order line."""
    return LineVersion(
        order_id, line_id, 1, 0, quantity, 0, OPEN, location, channel, reservation_id, None, OMS, at
    )


def shipment(number: str, line: LineVersion, location: str, quantity: int, final: bool, at: Micros) -> Shipment:
    """Units of a line that left the store."""
    return Shipment(number, line.order_id, line.line_id, 0, location, quantity, final, WMS, at)


def return_received(number: str, location: str, quantity: int, at: Micros) -> ReturnReceived:
    """Units that came back; nobody looked at them yet."""
    return ReturnReceived(number, 0, location, quantity, WMS, at)


def return_disposed(number: str, location: str, restocked: int, scrapped: int, at: Micros) -> ReturnDisposed:
    """Somebody looked."""
    return ReturnDisposed(number, 0, location, restocked, scrapped, WMS, at)


def transfer_shipped(number: str, source: str, target: str, quantity: int, at: Micros) -> TransferShipped:
    """Units on their way from store to store, in one part."""
    return TransferShipped(number, "1", 0, source, target, quantity, WMS, at)


def transfer_received(sent: TransferShipped, quantity: int, at: Micros) -> TransferReceived:
    """Units of a transfer that arrived."""
    return TransferReceived(
        sent.transfer_id, sent.part, 0, sent.from_location, sent.to_location, quantity, WMS, at
    )


def transfer_closed(sent: TransferShipped, at: Micros) -> TransferClosed:
    """Nothing more of the transfer will arrive."""
    return TransferClosed(sent.transfer_id, 0, WMS, at)
