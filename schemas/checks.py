"""What the fields of each kind of message must satisfy, as data, and the examination that names what is wrong.

The examination is exact and slow. Builders of frequent messages first ask a cheap question about all fields at
once and come here only when its answer is doubtful.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from schemas.limits import (
    MAX_ORDINAL,
    MAX_REVISION,
    amount_problem,
    count_problem,
    text_problem,
    time_problem,
)
from schemas.rejections import MISSING_FIELD, MISSING_SKU, Rejection, rejection

Fields: TypeAlias = Mapping[str, Any]


class Checks(NamedTuple):
    """Which fields a kind of message needs and how they are bounded.

    ``texts``, ``counts`` (not negative) and ``times`` are required, ``optional_texts`` may be null, ``amounts``
    are signed, ``ordinals`` are not negative and may be as large as an Avro long.
    """

    texts: tuple[str, ...] = ()
    optional_texts: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    amounts: tuple[str, ...] = ()
    ordinals: tuple[str, ...] = ()
    times: tuple[str, ...] = ()


BALANCE = Checks(texts=("location", "basis"), amounts=("quantity",), ordinals=("sequence",))
DELTA = Checks(texts=("location", "adjustment_id"), optional_texts=("document_ref",), amounts=("quantity",))
ORDER_LINE = Checks(
    texts=("order_id", "line_id"),
    optional_texts=("location", "channel", "reservation_id", "kit_ref"),
    counts=("quantity", "cancelled_quantity"),
    ordinals=("version",),
)
SHIPMENT = Checks(texts=("shipment_id", "order_id", "line_id", "location"), counts=("quantity",))
RESERVATION_REQUESTED = Checks(
    texts=("reservation_id",),
    optional_texts=("location", "channel"),
    counts=("quantity",),
    times=("expires_at",),
)
RESERVATION_RELEASED = Checks(texts=("reservation_id", "release_id"), counts=("quantity",))
RETURN_RECEIVED = Checks(texts=("return_id", "location"), counts=("quantity",))
RETURN_DISPOSED = Checks(texts=("return_id", "location"), counts=("restocked", "scrapped"))
TRANSFER_SHIPPED = Checks(texts=("transfer_id", "from_location", "to_location"), counts=("quantity",))
TRANSFER_RECEIVED = Checks(
    texts=("transfer_id", "to_location"), optional_texts=("from_location",), counts=("quantity",)
)
TRANSFER_CLOSED = Checks(texts=("transfer_id",))


def problem_with_event(fields: Fields, checks: Checks) -> Rejection | None:
    """The first thing wrong with an event: the fields all events share, then those of its kind. None: nothing."""
    if not fields["sku"]:
        return rejection(MISSING_SKU, "sku", "is empty")
    shared = [(field, fields[field]) for field in ("sku", "event_id", "source", "correlation_id")]
    return (
        text_problem(shared)
        or time_problem("occurred_at", fields["occurred_at"])
        or count_problem("revision", fields["revision"], MAX_REVISION)
        or problem_with(fields, checks)
    )


def problem_with(fields: Fields, checks: Checks) -> Rejection | None:
    """The first thing wrong with the fields that ``checks`` names, or None."""
    for field in (*checks.texts, *checks.times):
        if fields[field] is None:
            return rejection(MISSING_FIELD, field, "is needed for this kind of message")
    texts = [(field, fields[field]) for field in (*checks.texts, *checks.optional_texts)]
    problem = text_problem(texts)
    for field in checks.times:
        problem = problem or time_problem(field, fields[field])
    for field in checks.counts:
        problem = problem or count_problem(field, fields[field])
    for field in checks.amounts:
        problem = problem or amount_problem(field, fields[field])
    for field in checks.ordinals:
        problem = problem or count_problem(field, fields[field], MAX_ORDINAL)
    return problem
