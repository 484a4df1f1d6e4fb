"""Physical movements against a balance: what it contains, what came after it (semantics section 3)."""

from __future__ import annotations

from typing import NamedTuple

from domain.facts import Balance, Micros
from domain.policy import Policy

SHIPMENT = "shipment"
RETURN = "return"
TRANSFER = "transfer"
ADJUSTMENT = "adjustment"


class Move(NamedTuple):
    """Units that entered (+) or left (-) a bucket; ``posted_at`` is when the ERP booked it, as far as we know."""

    kind: str
    delta: int
    posted_at: Micros
    refs: tuple[str, ...]


class Evidence(NamedTuple):
    """What a balance says about the movements it contains.

    ``listed``: the documents it names, None if it names none. What was posted at ``horizon`` or before may have
    been forgotten; such a movement is contained whatever the list says, or forgetting it would change numbers.
    """

    as_of: Micros
    clock_skew: Micros
    horizon: Micros
    listed: frozenset[str] | None


def evidence_of(balance: Balance, policy: Policy) -> Evidence:
    """The evidence of a balance under a policy."""
    skew = policy.source(balance.source).clock_skew
    listed = None if balance.includes is None else frozenset(balance.includes)
    return Evidence(balance.as_of, skew, balance.as_of - skew - policy.max_lateness, listed)


def contained(move: Move, evidence: Evidence) -> bool:
    """Whether the balance counted the movement: by its document list, else by time (a tie is contained)."""
    if evidence.listed is None:
        return move.posted_at <= evidence.as_of
    return move.posted_at <= evidence.horizon or not evidence.listed.isdisjoint(move.refs)


def ambiguous(move: Move, evidence: Evidence) -> bool:
    """Whether the clocks are too close to say if the balance counted the movement."""
    return (
        evidence.clock_skew > 0
        and evidence.listed is None
        and abs(move.posted_at - evidence.as_of) <= evidence.clock_skew
    )


def counted(move: Move, evidence: Evidence) -> bool:
    """Whether the movement is taken as contained in the balance (``included`` of semantics section 3).

    An ambiguous movement is taken pessimistically: arrivals as contained, all others as not.
    """
    return move.delta > 0 if ambiguous(move, evidence) else contained(move, evidence)


def after(move: Move, evidence: Evidence) -> int:
    """Units the movement adds to the balance: its delta when it is not counted, else 0."""
    return 0 if counted(move, evidence) else move.delta
