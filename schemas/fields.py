"""Facts back to fields: the inverse of ``intake``, for producing and for showing.

The fields are those of the topic's Avro schema; what is left out has its default there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

from domain.facts import (
    Acknowledgement,
    Adjustment,
    Balance,
    Event,
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
from domain.listing_map import Listed
from schemas.policies import PolicyDocument
from schemas.policy_display import number

Spoken: TypeAlias = Event | Acknowledgement | PolicyDocument | Listed
"""What an input topic can say."""

_DISCRIMINATORS: dict[type, dict[str, str]] = {
    Balance: {"kind": "BALANCE"},
    Adjustment: {"kind": "DELTA"},
    LineVersion: {},
    Shipment: {},
    Reservation: {"action": "REQUESTED"},
    ReservationRelease: {"action": "RELEASED"},
    ReturnReceived: {"step": "RECEIVED"},
    ReturnDisposed: {"step": "DISPOSED"},
    TransferShipped: {"step": "SHIPPED"},
    TransferReceived: {"step": "RECEIVED"},
    TransferClosed: {"step": "CLOSED"},
}


def topic_of(spoken: Spoken) -> str:
    """The topic on which this is said."""
    if isinstance(spoken, Event):
        return spoken.topic
    if isinstance(spoken, Listed):
        return "listings"
    return "channel-acks" if isinstance(spoken, Acknowledgement) else "availability-policy"


def key_of(spoken: Spoken) -> bytes:
    """The key of its message."""
    if isinstance(spoken, Event):
        return spoken.sku.encode()
    if isinstance(spoken, Listed):
        return f"{spoken.channel}:{spoken.listing}".encode()
    return (spoken.listing if isinstance(spoken, Acknowledgement) else spoken.scope).encode()


def fields_of(spoken: Spoken) -> dict[str, Any]:
    """The Avro record that says this; times as integer microseconds. A withdrawn policy scope has no record.

    Raises ValueError for a withdrawn scope: it is said by a message without a value.
    """
    if isinstance(spoken, Event):
        return _event_fields(spoken)
    if isinstance(spoken, Acknowledgement):
        # The core does not keep the id of the message; its business key names it as well.
        return {"event_id": f"{spoken.channel}:{spoken.listing}:{spoken.publish_seq}", **spoken._asdict()}
    if isinstance(spoken, Listed):
        amount, currency = spoken.price or (None, None)
        return {**spoken._asdict(), "price": amount, "currency": currency}
    if spoken.document is None:
        raise ValueError(f"scope {spoken.scope!r} was withdrawn; that is a message without a value")
    return {**spoken._asdict(), "document": json_text(spoken.document)}


def json_text(document: Mapping[str, Any]) -> str:
    """JSON text of a policy document whose decimals stay what they are."""
    return json.dumps(document, default=_plain, ensure_ascii=False, separators=(",", ":"))


def _event_fields(event: Event) -> dict[str, Any]:
    fact = event.fact
    fields: dict[str, Any] = {"event_id": event.event_id, "sku": event.sku, "correlation_id": event.correlation_id}
    fields |= _DISCRIMINATORS[type(fact)] | fact._asdict()
    if fields.get("includes") is not None:
        fields["includes"] = list(fields["includes"])
    return fields


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return number(Fraction(value))
    raise TypeError(f"{type(value).__name__} cannot be part of a policy document")
