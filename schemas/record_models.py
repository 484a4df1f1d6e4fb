"""The canonical JSON of every input, one strict model per topic: the fields of its Avro schema as JSON writes
them.

Times are ISO-8601 with an offset and come out as integer microseconds. What a kind of message needs beyond its
types is not said here but in ``intake``, which the codec shares.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from domain.facts import Micros
from schemas.limits import MAX_INCLUDES, MAX_REVISION
from schemas.rejections import ABSURD_QUANTITY, INVALID_TIME, OVERSIZED
from schemas.times import micros

MAX_EXT_ENTRIES = 100
"""What a source may carry along in one message."""

_MIN_LONG, _MAX_LONG = -(2**63), 2**63 - 1


def _time(value: Any) -> Any:
    if value is None:
        return value
    if not isinstance(value, str):
        raise PydanticCustomError(INVALID_TIME, "must be a text such as 2026-01-01T00:00:10Z")
    try:
        return micros(value)
    except ValueError as error:
        raise PydanticCustomError(INVALID_TIME, "{reason}", {"reason": str(error)}) from error


def _long(value: Any) -> Any:
    if type(value) is int and not _MIN_LONG <= value <= _MAX_LONG:
        raise PydanticCustomError(ABSURD_QUANTITY, "does not fit into 64 bits")
    return value


def _part(value: Any) -> Any:
    """Parts are texts; a number is taken as the text it is written with."""
    return str(value) if type(value) is int else value


def _bounded(value: Any) -> Any:
    if isinstance(value, list) and len(value) > MAX_INCLUDES:
        raise PydanticCustomError(OVERSIZED, "has more than {limit} entries", {"limit": MAX_INCLUDES})
    return value


def _known_or(default: str, *known: str) -> BeforeValidator:
    """A text that is not known reads as the default, as it does in Avro for these enums."""
    return BeforeValidator(lambda value: default if isinstance(value, str) and value not in known else value)


Time = Annotated[Micros, BeforeValidator(_time)]
Long = Annotated[int, BeforeValidator(_long)]
Part = Annotated[str, BeforeValidator(_part)]
Includes = Annotated[list[str], BeforeValidator(_bounded)]
Ext = Annotated[dict[str, str], Field(max_length=MAX_EXT_ENTRIES)]
Ordinal = Annotated[int, Field(ge=0, le=MAX_REVISION)]
AdjustmentReason = Annotated[
    Literal["RECEIPT", "POS_SALE", "COUNT", "DAMAGE", "GOODS_ISSUE", "OTHER"],
    _known_or("OTHER", "RECEIPT", "POS_SALE", "COUNT", "DAMAGE", "GOODS_ISSUE"),
]
Outcome = Annotated[Literal["ACCEPTED", "REJECTED", "UNKNOWN"], _known_or("UNKNOWN", "ACCEPTED", "REJECTED")]


class Line(BaseModel):
    """One line: types are not converted, unknown fields are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class EventLine(Line):
    """What all events share."""

    event_id: str
    source: str
    sku: str
    occurred_at: Time
    revision: Long = 0
    correlation_id: str | None = None
    ext: Ext = Field(default_factory=dict)


class StockAdjusted(EventLine):
    """A BALANCE or a DELTA."""

    type: Literal["stock-adjusted"]
    kind: Literal["BALANCE", "DELTA"]
    location: str
    bucket: Literal["SELLABLE", "QUARANTINE", "BLOCKED"] = "SELLABLE"
    quantity: Long
    as_of: Time | None = None
    sequence: Long = 0
    basis: Literal["PHYSICAL", "NET_OF_OPEN_ORDERS"] | None = None
    includes: Includes | None = None
    batch_id: str | None = None
    batch_part: Ordinal | None = None
    batch_parts: Ordinal | None = None
    adjustment_id: str | None = None
    reason: AdjustmentReason = "OTHER"
    document_ref: str | None = None


class OrderReleased(EventLine):
    """One version of an order line."""

    type: Literal["order-released"]
    order_id: str
    line_id: str
    version: Long
    quantity: Long
    cancelled_quantity: Long = 0
    state: Literal["OPEN", "CANCELLED", "CLOSED"] = "OPEN"
    location: str | None = None
    channel: str | None = None
    reservation_id: str | None = None
    kit_ref: str | None = None


class ShipmentConfirmed(EventLine):
    """Units of an order line that left."""

    type: Literal["shipment-confirmed"]
    shipment_id: str
    order_id: str
    line_id: str
    location: str
    quantity: Long
    final: bool = False


class ReservationChanged(EventLine):
    """A soft reservation requested or released."""

    type: Literal["reservation-changed"]
    action: Literal["REQUESTED", "RELEASED"]
    reservation_id: str
    quantity: Long
    location: str | None = None
    channel: str | None = None
    expires_at: Time | None = None
    release_id: str | None = None


class ReturnRecorded(EventLine):
    """A return received or disposed of."""

    type: Literal["return-recorded"]
    return_id: str
    step: Literal["RECEIVED", "DISPOSED"]
    location: str
    quantity: Long | None = None
    restocked: Long | None = None
    scrapped: Long | None = None


class TransferRecorded(EventLine):
    """A transfer shipped, received or closed."""

    type: Literal["transfer-recorded"]
    transfer_id: str
    step: Literal["SHIPPED", "RECEIVED", "CLOSED"]
    part: Part = ""
    from_location: str | None = None
    to_location: str | None = None
    quantity: Long | None = None


class AvailabilityPolicy(Line):
    """One scope of the policy; ``document`` is the document itself, not its text."""

    type: Literal["availability-policy"]
    scope: str
    version: Long
    effective_from: Time | None = None
    document: dict[str, Any]
    event_id: str = ""
    source: str = ""
    occurred_at: Time | None = None
    ext: Ext = Field(default_factory=dict)


class ListingLine(Line):
    """What a listing sells."""

    type: Literal["listings"]
    channel: str
    listing: str
    sku: str | None = None
    pack_size: Long = 1
    price: Long | None = None
    currency: str | None = None
    as_of: Time
    event_id: str = ""
    source: str = ""
    ext: Ext = Field(default_factory=dict)


class ChannelAcknowledgement(Line):
    """What a channel answered."""

    type: Literal["channel-acks"]
    event_id: str
    channel: str
    listing: str
    publish_seq: Long
    outcome: Outcome
    quantity: Long
    latency_ms: Long
    reason: str | None = None
    occurred_at: Time
    previous_quantity: Long | None = None


MODELS: dict[str, type[Line]] = {
    "stock-adjusted": StockAdjusted,
    "order-released": OrderReleased,
    "shipment-confirmed": ShipmentConfirmed,
    "reservation-changed": ReservationChanged,
    "return-recorded": ReturnRecorded,
    "transfer-recorded": TransferRecorded,
    "availability-policy": AvailabilityPolicy,
    "listings": ListingLine,
    "channel-acks": ChannelAcknowledgement,
}
"""Topic name, which is the ``type`` of a line, to its model."""
