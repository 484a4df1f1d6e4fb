"""Order lines and shipments: the hot path. One test tells the valid ones; what it doubts is examined.

The parameters of a builder are the fields that it wants.
"""

from __future__ import annotations

from sys import intern

from domain.facts import Event, LineVersion, Micros, Shipment
from domain.quick import new
from schemas import checks
from schemas.checks import problem_with_event
from schemas.limits import EARLIEST, LATEST, MAX_ID_CHARACTERS, MAX_QUANTITY, MAX_REVISION
from schemas.rejections import Rejection


def order_released(
    event_id: str,
    source: str,
    sku: str,
    occurred_at: Micros,
    revision: int,
    correlation_id: str | None,
    order_id: str,
    line_id: str,
    version: int,
    quantity: int,
    cancelled_quantity: int,
    state: str,
    location: str | None,
    channel: str | None,
    reservation_id: str | None,
    kit_ref: str | None,
) -> Event | Rejection:
    """One version of an order line."""
    texts = (
        f"{sku}{event_id}{source}{correlation_id}{order_id}{line_id}{location}{channel}{reservation_id}{kit_ref}"
    )
    if (
        not (sku and event_id and source and order_id and line_id)
        or location == ""
        or channel == ""
        or correlation_id == ""
        or reservation_id == ""
        or kit_ref == ""
        or len(texts) > MAX_ID_CHARACTERS
        or not texts.isprintable()
        or not EARLIEST <= occurred_at < LATEST
        or (revision and not 0 <= revision <= MAX_REVISION)
        or version < 0
        or not 0 <= quantity <= MAX_QUANTITY
        or not 0 <= cancelled_quantity <= MAX_QUANTITY
    ):
        problem = problem_with_event(locals(), checks.ORDER_LINE)
        if problem is not None:
            return problem
    line = new(
        LineVersion,
        (
            order_id,
            line_id,
            version,
            revision,
            quantity,
            cancelled_quantity,
            intern(state),
            None if location is None else intern(location),
            None if channel is None else intern(channel),
            reservation_id,
            kit_ref,
            intern(source),
            occurred_at,
        ),
    )
    return new(Event, ("order-released", sku, event_id, correlation_id, line))


def shipment_confirmed(
    event_id: str,
    source: str,
    sku: str,
    occurred_at: Micros,
    revision: int,
    correlation_id: str | None,
    shipment_id: str,
    order_id: str,
    line_id: str,
    location: str,
    quantity: int,
    final: bool,
) -> Event | Rejection:
    """Units of an order line that left."""
    texts = f"{sku}{event_id}{source}{correlation_id}{shipment_id}{order_id}{line_id}{location}"
    if (
        not (sku and event_id and source and shipment_id and order_id and line_id and location)
        or correlation_id == ""
        or len(texts) > MAX_ID_CHARACTERS
        or not texts.isprintable()
        or not EARLIEST <= occurred_at < LATEST
        or (revision and not 0 <= revision <= MAX_REVISION)
        or not 0 <= quantity <= MAX_QUANTITY
    ):
        problem = problem_with_event(locals(), checks.SHIPMENT)
        if problem is not None:
            return problem
    shipment = new(
        Shipment,
        (shipment_id, order_id, line_id, revision, intern(location), quantity, final, intern(source), occurred_at),
    )
    return new(Event, ("shipment-confirmed", sku, event_id, correlation_id, shipment))
