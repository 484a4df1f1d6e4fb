"""The fields of a message become an event: the one place that says what a valid message of each topic is.

The codec (bytes) and the canonical JSON both end here with the same fields: those of the topic's Avro schema,
times as integer microseconds. What is wrong with them comes back as a ``Rejection``.

Builders ask one cheap question about all fields at once, and examine them one by one only when the answer is
doubtful: a doubt costs time, never correctness.
"""

from __future__ import annotations

from collections.abc import Mapping

from schemas.builders import AssumeAsOf, Builder, direct, never
from schemas.intake_movements import reservation_changed, return_recorded, transfer_recorded
from schemas.intake_orders import order_released, shipment_confirmed
from schemas.intake_stock import stock_adjusted

__all__ = ["AssumeAsOf", "Builder", "builders", "never"]

_ORDER_RELEASED = direct(order_released)
_SHIPMENT_CONFIRMED = direct(shipment_confirmed)
_RESERVATION_CHANGED = direct(reservation_changed)
_RETURN_RECORDED = direct(return_recorded)
_TRANSFER_RECORDED = direct(transfer_recorded)


def builders(assume_as_of: AssumeAsOf = never) -> Mapping[str, Builder]:
    """What turns the fields of each event topic into its event."""
    return {
        "stock-adjusted": stock_adjusted(assume_as_of),
        "order-released": _ORDER_RELEASED,
        "shipment-confirmed": _SHIPMENT_CONFIRMED,
        "reservation-changed": _RESERVATION_CHANGED,
        "return-recorded": _RETURN_RECORDED,
        "transfer-recorded": _TRANSFER_RECORDED,
    }
