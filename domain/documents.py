"""Documents and their echoes: which movements shipments, returns and transfers make, and when the ERP posts them.

A document is reported first-hand (a warehouse's shipment) and may be echoed by the ERP (a goods issue that names
it). One movement remains: the first-hand quantity at the ERP's posting time (semantics section 3).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias, cast

from domain.facts import (
    QUARANTINE,
    SELLABLE,
    Adjustment,
    Fact,
    Micros,
    ReturnDisposed,
    ReturnReceived,
    Shipment,
    TransferReceived,
    TransferShipped,
)
from domain.movements import ADJUSTMENT, RETURN, SHIPMENT, TRANSFER, Move
from domain.policy import Policy
from domain.quick import new
from domain.state import SkuState
from domain.units import Group, document_of

Document: TypeAlias = Shipment | ReturnReceived | ReturnDisposed | TransferShipped | TransferReceived
Name: TypeAlias = tuple[str, ...]


class Leg(NamedTuple):
    """One movement of a document: where it took place, under which name it is counted, and the movement."""

    location: str
    bucket: str
    name: Name
    move: Move


class Documents:
    """The movements of a SKU's documents under one policy."""

    __slots__ = ("policy", "state")

    def __init__(self, state: SkuState, policy: Policy) -> None:
        self.state = state
        self.policy = policy

    def shipment(self, fact: Shipment) -> Move:
        """The movement of a shipment."""
        reference = fact.shipment_id
        posted_at = self._posted_at(fact, reference, SHIPMENT, fact.location, SELLABLE)
        return new(Move, (SHIPMENT, -fact.quantity, posted_at, (reference,)))

    def legs(self, group: Group) -> list[Leg]:
        """The movements of a return or a transfer, given all its facts."""
        legs: list[Leg] = []
        sent = any(type(fact) is TransferShipped for fact in group)
        for fact in group:
            if isinstance(fact, ReturnReceived | ReturnDisposed | TransferShipped | TransferReceived):
                legs.extend(self.legs_of(fact, implied=not sent))
        return legs

    def legs_of(self, fact: Document, implied: bool = False) -> list[Leg]:
        """The movements of one report. ``implied``: a receipt also stands for the sending nobody reported yet."""
        if isinstance(fact, Shipment):
            return [Leg(fact.location, SELLABLE, ("shipment", *fact[:3]), self.shipment(fact))]
        if isinstance(fact, ReturnReceived):
            return [self._leg(fact, RETURN, "returned", fact.location, QUARANTINE, fact.quantity)]
        if isinstance(fact, ReturnDisposed):
            gone = fact.restocked + fact.scrapped
            return [
                self._leg(fact, RETURN, "disposed", fact.location, QUARANTINE, -gone),
                self._leg(fact, RETURN, "disposed", fact.location, SELLABLE, fact.restocked),
            ]
        if isinstance(fact, TransferShipped):
            return [self._leg(fact, TRANSFER, "sent", fact.from_location, SELLABLE, -fact.quantity)]
        arrival = self._leg(fact, TRANSFER, "received", fact.to_location, SELLABLE, fact.quantity)
        if not implied or fact.from_location is None:
            return [arrival]
        return [arrival, self._leg(fact, TRANSFER, "implied", fact.from_location, SELLABLE, -fact.quantity)]

    def adjustment(self, fact: Adjustment) -> Move:
        """The movement of an adjustment that echoes nothing."""
        lag = self.policy.source(fact.source).posting_lag.get(ADJUSTMENT, 0)
        refs = (fact.adjustment_id,) if fact.document_ref is None else (fact.adjustment_id, fact.document_ref)
        return Move(ADJUSTMENT, fact.quantity, fact.occurred_at + lag, refs)

    def echoes_of(self, reference: str) -> list[Adjustment]:
        """Adjustments that name a document."""
        units = self.state.units
        return [cast(Adjustment, units[unit][0]) for unit in self.state.echoes.get(reference, ())]

    def echoed_by(self, adjustment: Adjustment) -> list[Document]:
        """First-hand reports of the document an adjustment names; a transfer's only where it touches."""
        reference = adjustment.document_ref
        if reference is None:
            return []
        return [
            cast(Document, fact)
            for unit in self.state.documents.get(reference, ())
            for fact in self.state.units[unit]
            if type(fact) is not Adjustment
            and document_of(fact) == reference
            and _touches(fact, adjustment.location)
        ]

    def differs(self, adjustment: Adjustment, first_hand: list[Document]) -> bool:
        """Whether the echoes of a document do not add up to what was reported first-hand, per bucket."""
        anywhere = not any(isinstance(fact, TransferShipped | TransferReceived) for fact in first_hand)
        place = None if anywhere else adjustment.location
        deltas = [
            leg.move.delta
            for fact in first_hand
            for leg in self.legs_of(fact)
            if leg.bucket == adjustment.bucket and place in (None, leg.location)
        ]
        echoed = sum(
            echo.quantity
            for echo in self.echoes_of(cast(str, adjustment.document_ref))
            if echo.bucket == adjustment.bucket and place in (None, echo.location)
        )
        return bool(deltas) and sum(deltas) != echoed

    def _leg(self, fact: Document, kind: str, step: str, location: str, bucket: str, delta: int) -> Leg:
        reference = cast(str, document_of(fact))
        name = (
            (step, reference, fact.part)
            if isinstance(fact, TransferShipped | TransferReceived)
            else (step, reference)
        )
        posted_at = self._posted_at(fact, reference, kind, location, bucket)
        return Leg(location, bucket, name, Move(kind, delta, posted_at, (reference,)))

    def _posted_at(self, fact: Document, reference: str, kind: str, location: str, bucket: str) -> Micros:
        """When the ERP booked the movement: as its echo says, else after the source's posting lag."""
        if self.state.echoes and (echoes := self.echoes_of(reference)):
            same = [echo for echo in echoes if echo.location == location and echo.bucket == bucket]
            if same or kind != TRANSFER:
                return max(echo.occurred_at for echo in same or echoes)
        source = self.policy.sources.get(fact.source)
        return fact.occurred_at if source is None else fact.occurred_at + source.posting_lag.get(kind, 0)


def _touches(fact: Fact, location: str) -> bool:
    if isinstance(fact, TransferShipped | TransferReceived):
        return location in (fact.from_location, fact.to_location)
    return True
