"""Facts, states and policies for tests, with as little to say as the test at hand needs. Times are seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from domain.availability import assess, tally_of
from domain.facts import (
    OPEN,
    PHYSICAL,
    SECOND,
    SELLABLE,
    Adjustment,
    Balance,
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
from domain.numbers import Assessment
from domain.policy import Policy
from domain.state import SkuState

SKU = "SKU-1"


def seconds(value: float) -> Micros:
    """Seconds since the epoch as microseconds."""
    return round(value * SECOND)


def balance(
    quantity: int,
    as_of: float = 10,
    location: str = "A",
    *,
    sequence: int = 0,
    revision: int = 0,
    basis: str = PHYSICAL,
    bucket: str = SELLABLE,
    includes: Iterable[str] | None = None,
    source: str = "erp",
) -> Balance:
    documents = None if includes is None else tuple(includes)
    at = seconds(as_of)
    return Balance(location, bucket, source, at, sequence, revision, quantity, basis, documents, at)


def adjustment(
    quantity: int,
    at: float = 15,
    adjustment_id: str = "a1",
    location: str = "A",
    *,
    bucket: str = SELLABLE,
    ref: str | None = None,
    source: str = "erp",
    revision: int = 0,
) -> Adjustment:
    return Adjustment(source, adjustment_id, revision, location, bucket, quantity, "OTHER", ref, seconds(at))


def line(
    quantity: int,
    at: float = 12,
    order_id: str = "O1",
    version: int = 1,
    *,
    location: str | None = "A",
    cancelled: int = 0,
    state: str = OPEN,
    channel: str | None = "web",
    reservation: str | None = None,
    revision: int = 0,
    line_id: str = "1",
) -> LineVersion:
    return LineVersion(
        order_id,
        line_id,
        version,
        revision,
        quantity,
        cancelled,
        state,
        location,
        channel,
        reservation,
        None,
        "oms",
        seconds(at),
    )


def shipment(
    quantity: int,
    at: float = 20,
    order_id: str = "O1",
    shipment_id: str = "S1",
    *,
    location: str = "A",
    final: bool = False,
    revision: int = 0,
    line_id: str = "1",
) -> Shipment:
    return Shipment(shipment_id, order_id, line_id, revision, location, quantity, final, "wms", seconds(at))


def reservation(
    quantity: int,
    expires_at: float = 100,
    reservation_id: str = "V1",
    *,
    location: str | None = "A",
    channel: str | None = "web",
    at: float = 0,
    revision: int = 0,
) -> Reservation:
    return Reservation(
        reservation_id,
        revision,
        quantity,
        location,
        channel,
        seconds(expires_at),
        "marketplace",
        seconds(at),
    )


def released(
    quantity: int, at: float = 5, reservation_id: str = "V1", release_id: str = "X1"
) -> ReservationRelease:
    return ReservationRelease(reservation_id, release_id, 0, quantity, "marketplace", seconds(at))


def returned(quantity: int, at: float = 20, return_id: str = "R1", location: str = "A") -> ReturnReceived:
    return ReturnReceived(return_id, 0, location, quantity, "wms", seconds(at))


def disposed(
    restocked: int, scrapped: int = 0, at: float = 25, return_id: str = "R1", location: str = "A"
) -> ReturnDisposed:
    return ReturnDisposed(return_id, 0, location, restocked, scrapped, "wms", seconds(at))


def sent(
    quantity: int,
    at: float = 20,
    transfer_id: str = "T1",
    part: str = "1",
    *,
    from_location: str = "A",
    to_location: str = "B",
) -> TransferShipped:
    return TransferShipped(transfer_id, part, 0, from_location, to_location, quantity, "wms", seconds(at))


def arrived(
    quantity: int,
    at: float = 30,
    transfer_id: str = "T1",
    part: str = "1",
    *,
    from_location: str | None = "A",
    to_location: str = "B",
) -> TransferReceived:
    return TransferReceived(transfer_id, part, 0, from_location, to_location, quantity, "wms", seconds(at))


def transfer_closed(at: float = 40, transfer_id: str = "T1") -> TransferClosed:
    return TransferClosed(transfer_id, 0, "wms", seconds(at))


def state_of(facts: Iterable[Fact], policy: Policy | None = None) -> SkuState:
    """The state after folding the facts; with a policy, its sums are kept while folding."""
    state = SkuState(SKU)
    if policy is not None:
        tally_of(state, policy)
    for fact in facts:
        state.fold(fact)
    return state


def assessed(
    facts: Iterable[Fact],
    policy: Policy | None = None,
    now: float = 1000,
    guards: Mapping[str, int] | None = None,
) -> Assessment:
    """The numbers after folding the facts one by one under a policy, at ``now`` seconds."""
    rules = policy or Policy()
    return assess(state_of(facts, rules), rules, seconds(now), guards)


def facts_of(state: SkuState) -> frozenset[Fact]:
    """The facts of a state as the set they are."""
    return frozenset(state.facts())


def codes(assessment: Assessment) -> set[str]:
    """Codes of the findings."""
    return {finding.code for finding in assessment.findings}


def term(assessment: Assessment, location: str = "A") -> Any:
    """The numbers of a location; a test that asks for an unknown one fails here."""
    return assessment.locations[location]
