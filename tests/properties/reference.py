"""The formulas of semantics sections 3 and 4, read off the page: slow, from the bare set of facts, no sums kept.

Written apart from the core, to disagree with it. Only numbers, no findings.
"""

from __future__ import annotations

from collections.abc import Collection
from math import ceil
from typing import Any, NamedTuple

from domain.facts import (
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
from domain.policy import Held, Policy
from tests.builders import SKU


class Moved(NamedTuple):
    location: str
    bucket: str
    delta: int
    posted_at: Micros
    refs: tuple[str, ...]


def all_of(facts: Collection[Fact], kind: Any) -> list[Any]:
    return [fact for fact in facts if isinstance(fact, kind)]


def locations(facts: Collection[Fact], policy: Policy, now: Micros) -> dict[str, dict[str, int]]:
    """The terms of every location that a fact names."""
    return {name: location(facts, policy, now, name) for name in sorted(_names(facts))}


def location(facts: Collection[Fact], policy: Policy, now: Micros, name: str) -> dict[str, int]:
    stated = _balances(facts, name, "SELLABLE")
    moves = [move for move in movements(facts, policy) if move.location == name and move.bucket == "SELLABLE"]
    on_hand = gross(facts, policy, stated[0]) if stated else 0
    on_hand += sum(move.delta for move in moves if not (stated and counted(policy, move, stated[0])))
    reserved = sum(open_units(facts, one) for one in current_lines(facts) if one.location == name)
    soft = sum(units for one, units in soft_reserved(facts, now) if one.location == name)
    net = on_hand - reserved - soft
    rules = policy.location_of(SKU, name)
    safety = _held(rules.safety_stock, max(0, net if rules.base == "NET" else on_hand))
    withheld = min(safety, max(0, net))
    quarantined = _balances(facts, name, "QUARANTINE")
    quarantine = (quarantined[0].quantity if quarantined else 0) + sum(
        move.delta
        for move in movements(facts, policy)
        if (move.location, move.bucket) == (name, "QUARANTINE")
        and not (quarantined and counted(policy, move, quarantined[0]))
    )
    sells = bool(stated) and rules.status == "OPEN"
    return {
        "on_hand": on_hand,
        "reserved": reserved,
        "soft_reserved": soft,
        "net": net,
        "safety_stock": safety,
        "withheld": withheld,
        "available_to_sell": max(0, net) - withheld if sells else 0,
        "demand_shortage": max(0, reserved + soft - max(0, on_hand)),
        "in_transit": in_transit(facts, name),
        "quarantine": max(0, quarantine),
        "uncertain": sum(abs(move.delta) for move in moves if stated and ambiguous(policy, move, stated[0])),
    }


def pool(facts: Collection[Fact], policy: Policy, now: Micros, name: str) -> dict[str, int]:
    rules = policy.pools_or_default()[name]
    terms = locations(facts, policy, now)
    members = [terms[one] for one in (rules.locations if rules.locations is not None else terms) if one in terms]
    total = sum(member["available_to_sell"] for member in members)
    shortage = sum(member["demand_shortage"] for member in members)
    demand = [(one.channel, open_units(facts, one)) for one in current_lines(facts) if one.location is None]
    demand += [(one.channel, units) for one, units in soft_reserved(facts, now) if one.location is None]
    unsourced = sum(units for channel, units in demand if _pool_of(policy, channel, name))
    network = _held(rules.network_safety_stock, total)
    left = total - unsourced - (shortage if rules.re_sourcing else 0) - network
    return {
        "available_to_sell": max(0, left),
        "unsourced": unsourced,
        "demand_shortage": shortage,
        "network_safety_stock": network,
    }


def predicted(facts: Collection[Fact], policy: Policy, name: str, at: Micros) -> int:
    """On hand at a location as a physical count at ``at`` should find it, without clock skew."""
    stated = _balances(facts, name, "SELLABLE")
    return gross(facts, policy, stated[0]) + sum(
        move.delta
        for move in movements(facts, policy)
        if (move.location, move.bucket) == (name, "SELLABLE")
        and not counted(policy, move, stated[0])
        and move.posted_at <= at
    )


def variance(facts: Collection[Fact], policy: Policy, name: str) -> int | None:
    """Units the newest balance differs from what the one before it predicted, without clock skew."""
    stated = _balances(facts, name, "SELLABLE")
    if len(stated) < 2:
        return None
    newest, before = stated[:2]
    between = sum(
        move.delta
        for move in movements(facts, policy)
        if (move.location, move.bucket) == (name, "SELLABLE")
        and counted(policy, move, newest)
        and not counted(policy, move, before)
    )
    return gross(facts, policy, newest) - gross(facts, policy, before) - between


# -- on hand ------------------------------------------------------------------------------------------------------


def movements(facts: Collection[Fact], policy: Policy) -> list[Moved]:
    """Every physical movement once: first-hand reports, and adjustments that echo none of them."""
    moves = []
    for fact in facts:
        lag = policy.source(fact.source).posting_lag
        match fact:
            case Adjustment():
                if not any(echoes(fact, document) for document in facts):
                    refs = (fact.adjustment_id, *([fact.document_ref] if fact.document_ref else []))
                    at = fact.occurred_at + lag.get("adjustment", 0)
                    moves.append(Moved(fact.location, fact.bucket, fact.quantity, at, refs))
            case Shipment() | ReturnReceived() | ReturnDisposed() | TransferShipped() | TransferReceived():
                for place, bucket, delta in legs(facts, fact):
                    moves.append(
                        Moved(place, bucket, delta, _posted_at(facts, policy, fact, place, bucket), (ref(fact),))
                    )
    return moves


def legs(facts: Collection[Fact], fact: Fact) -> list[tuple[str, str, int]]:
    match fact:
        case Shipment():
            return [(fact.location, "SELLABLE", -fact.quantity)]
        case ReturnReceived():
            return [(fact.location, "QUARANTINE", fact.quantity)]
        case ReturnDisposed():
            gone = -fact.restocked - fact.scrapped
            return [(fact.location, "QUARANTINE", gone), (fact.location, "SELLABLE", fact.restocked)]
        case TransferShipped():
            return [(fact.from_location, "SELLABLE", -fact.quantity)]
        case TransferReceived():
            moved = [(fact.to_location, "SELLABLE", fact.quantity)]
            known = any(one.transfer_id == fact.transfer_id for one in all_of(facts, TransferShipped))
            if fact.from_location is not None and not known:
                moved.append((fact.from_location, "SELLABLE", -fact.quantity))
            return moved
    raise TypeError(fact)


def ref(fact: Any) -> str:
    for name in ("shipment_id", "return_id", "transfer_id"):
        if hasattr(fact, name):
            return str(getattr(fact, name))
    raise TypeError(fact)


def echoes(adjustment: Adjustment, document: Fact) -> bool:
    if adjustment.document_ref is None:
        return False
    if isinstance(document, TransferShipped | TransferReceived):
        touched = (document.from_location, document.to_location)
        return document.transfer_id == adjustment.document_ref and adjustment.location in touched
    return (
        isinstance(document, Shipment | ReturnReceived | ReturnDisposed)
        and ref(document) == adjustment.document_ref
    )


def _posted_at(facts: Collection[Fact], policy: Policy, fact: Any, place: str, bucket: str) -> Micros:
    kind = {"S": "shipment", "R": "return", "T": "transfer"}[type(fact).__name__[0]]
    told = [one for one in all_of(facts, Adjustment) if one.document_ref == ref(fact)]
    here = [one for one in told if (one.location, one.bucket) == (place, bucket)]
    if kind == "transfer":
        told = here
    if told:
        return max(one.occurred_at for one in here or told)
    return int(fact.occurred_at + policy.source(fact.source).posting_lag.get(kind, 0))


def ambiguous(policy: Policy, move: Moved, stated: Balance) -> bool:
    skew = policy.source(stated.source).clock_skew
    return stated.includes is None and skew > 0 and abs(move.posted_at - stated.as_of) <= skew


def counted(policy: Policy, move: Moved, stated: Balance) -> bool:
    skew = policy.source(stated.source).clock_skew
    if stated.includes is not None:
        forgotten = move.posted_at <= stated.as_of - skew - policy.max_lateness
        return forgotten or bool(set(move.refs) & set(stated.includes))
    if ambiguous(policy, move, stated):
        return move.delta > 0
    return move.posted_at <= stated.as_of


def gross(facts: Collection[Fact], policy: Policy, stated: Balance) -> int:
    if stated.basis == "PHYSICAL":
        return stated.quantity
    return stated.quantity + sum(_known_open(facts, policy, stated, one) for one in current_lines(facts))


def _known_open(facts: Collection[Fact], policy: Policy, stated: Balance, line: LineVersion) -> int:
    lag = policy.source(stated.source).order_lag
    versions = [
        one
        for one in all_of(facts, LineVersion)
        if (one.order_id, one.line_id) == (line.order_id, line.line_id) and one.occurred_at + lag <= stated.as_of
    ]
    if not versions:
        return 0
    known = max(versions, key=lambda one: one.version)
    booked = []
    for one in _shipments(facts, line):
        at = _posted_at(facts, policy, one, one.location, "SELLABLE")
        if counted(policy, Moved(one.location, "SELLABLE", -one.quantity, at, (one.shipment_id,)), stated):
            booked.append(one)
    return _open(known, booked) if known.location == stated.location else 0


def _balances(facts: Collection[Fact], name: str, bucket: str) -> list[Balance]:
    stated = [one for one in all_of(facts, Balance) if (one.location, one.bucket) == (name, bucket)]
    return sorted(
        stated,
        key=lambda one: (one.as_of, one.sequence, one.revision, one.quantity, [*map(str, one)]),
        reverse=True,
    )


# -- demand -------------------------------------------------------------------------------------------------------


def current_lines(facts: Collection[Fact]) -> list[LineVersion]:
    newest: dict[tuple[str, str], LineVersion] = {}
    for one in sorted(all_of(facts, LineVersion), key=lambda one: one.version):
        newest[one.order_id, one.line_id] = one
    return list(newest.values())


def open_units(facts: Collection[Fact], line: LineVersion) -> int:
    return _open(line, _shipments(facts, line))


def _open(line: LineVersion, shipments: list[Shipment]) -> int:
    if line.state != "OPEN" or any(one.final for one in shipments):
        return 0
    return max(0, line.quantity - line.cancelled_quantity - sum(one.quantity for one in shipments))


def _shipments(facts: Collection[Fact], line: LineVersion) -> list[Shipment]:
    name = (line.order_id, line.line_id)
    return [one for one in all_of(facts, Shipment) if (one.order_id, one.line_id) == name]


def soft_reserved(facts: Collection[Fact], now: Micros) -> list[tuple[Reservation, int]]:
    held = []
    for one in all_of(facts, Reservation):
        given = [gift.quantity for gift in all_of(facts, ReservationRelease) if gift[0] == one.reservation_id]
        used = [line.quantity for line in current_lines(facts) if line.reservation_id == one.reservation_id]
        if one.expires_at > now:
            held.append((one, max(0, one.quantity - sum(given) - sum(used))))
    return held


def in_transit(facts: Collection[Fact], name: str) -> int:
    closed = {one.transfer_id for one in all_of(facts, TransferClosed)}
    under_way = 0
    for transfer in {one.transfer_id for one in all_of(facts, TransferShipped)} - closed:
        parts = [one for one in all_of(facts, TransferShipped) if one.transfer_id == transfer]
        there = [one.quantity for one in all_of(facts, TransferReceived) if one.transfer_id == transfer]
        if min(parts, key=lambda one: one.part).to_location == name:
            under_way += max(0, sum(one.quantity for one in parts) - sum(there))
    return under_way


def _pool_of(policy: Policy, channel: str | None, name: str) -> bool:
    if channel is not None and channel in policy.channels:
        return policy.channel_of(SKU, channel).pool == name
    return name == "default" or "default" not in policy.pools_or_default()


def _held(held: Held, base: int) -> int:
    return max(held.units, ceil(held.percent * base / 100))


def contradicted_ends(facts: Collection[Fact]) -> set[str]:
    """Locations that transfers name whose parts or receipts do not agree where they came from or go to."""
    said: dict[str, tuple[set[str], set[str]]] = {}
    for fact in facts:
        if isinstance(fact, TransferShipped | TransferReceived):
            origins, targets = said.setdefault(fact.transfer_id, (set(), set()))
            origins |= {fact.from_location} if fact.from_location else set()
            targets.add(fact.to_location)
    found = [ends for ends in said.values() if max(map(len, ends)) > 1]
    return {name for ends in found for name in ends[0] | ends[1]}


def _names(facts: Collection[Fact]) -> set[str]:
    named: set[str] = set()
    for fact in facts:
        if isinstance(fact, Balance | Adjustment | LineVersion | Shipment | Reservation):
            named.add(fact.location or "")
        elif isinstance(fact, ReturnReceived | ReturnDisposed):
            named.add(fact.location)
        elif isinstance(fact, TransferShipped | TransferReceived):
            named |= {fact.from_location or "", fact.to_location}
    return named - {""}
