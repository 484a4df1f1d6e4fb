"""Transfers between locations: what is under way, what is missing (semantics section 4)."""

from __future__ import annotations

from typing import NamedTuple

from domain import findings
from domain.facts import TransferClosed, TransferReceived, TransferShipped
from domain.units import Group


class TransferStanding(NamedTuple):
    """Where a transfer goes, the units under way to it, and what is odd about it ("" if nothing)."""

    to_location: str
    in_transit: int
    finding: str


def standing_of(group: Group) -> TransferStanding | None:
    """How a transfer stands; None while it was only closed. The first part says where it goes."""
    sent = [fact for fact in group if isinstance(fact, TransferShipped)]
    received = [fact for fact in group if isinstance(fact, TransferReceived)]
    if not sent:
        if not received:
            return None
        return TransferStanding(min(received, key=_part).to_location, 0, findings.RECEIPT_BEFORE_SHIPMENT)
    to_location = min(sent, key=_part).to_location
    missing = sum(fact.quantity for fact in sent) - sum(fact.quantity for fact in received)
    if missing < 0:
        return TransferStanding(to_location, 0, findings.OVER_RECEIPT)
    if missing and any(isinstance(fact, TransferClosed) for fact in group):
        return TransferStanding(to_location, 0, findings.TRANSFER_SHORT)
    return TransferStanding(to_location, missing, "")


def _part(fact: TransferShipped | TransferReceived) -> str:
    return fact.part
