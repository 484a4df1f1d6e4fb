"""Which facts may be forgotten: those whose absence changes no number (law L8; semantics section 3).

The balance is the deduplication horizon. A movement may go when both kept balances contain it and it was booked
so long before the older one that no event about it can still be on its way. Facts that hold each other up (a line
and the echo of its shipment) go together, in an order in which a crash half-way does no harm: what demands goes
before what satisfies it, a document before its echo. Only units in quarantine have no such order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import cast

from domain.documents import Document
from domain.facts import (
    QUARANTINE,
    SELLABLE,
    Adjustment,
    Fact,
    FactKey,
    LineVersion,
    Micros,
    Reservation,
    ReturnDisposed,
    ReturnReceived,
    Shipment,
    TransferClosed,
    TransferReceived,
    TransferShipped,
)
from domain.lines import closed_at, line_of
from domain.movements import Move
from domain.state import SkuState
from domain.tally import Tally
from domain.transfers import standing_of
from domain.units import ADJUSTMENT, BALANCE, LINE, RESERVATION, RETURN, Group, Unit, document_of, unit_of


def worth_pruning(state: SkuState) -> bool:
    """Whether looking for facts to forget pays: the state has doubled since ``forget`` was last called.

    So the cost of looking, spread over the events between two looks, does not grow with the state.
    """
    return len(state.units) >= state.worth_pruning_at


def forgettable(state: SkuState, tally: Tally, now: Micros) -> list[Fact]:
    """Facts of the state that may be forgotten at ``now``, in the order in which they must be removed.

    Whoever removes them one by one may be interrupted after any of them: numbers stay what they are.
    """
    rules = _Rules(state, tally, now)
    gone = {unit for unit in state.units if rules.may_go(unit)}
    gone.update(_cancelling_returns(rules))
    _keep_echoed_together(state, gone)
    gone.update(unit for unit in state.units if unit[0] == ADJUSTMENT and rules.adjustment_may_go(unit, gone))
    leaving = [fact for unit in gone for fact in state.units[unit]]
    return sorted(leaving, key=_removal_order)


def _removal_order(fact: Fact) -> tuple[int, FactKey, int]:
    """Unit by unit, echoes last; within a unit by kind, and of the versions of a line the newest last."""
    unit = unit_of(fact)
    number = fact.version if isinstance(fact, LineVersion) else 0
    return (unit[0] == ADJUSTMENT, (*unit, _REMOVAL_ORDER.get(type(fact), "")), number)


_REMOVAL_ORDER: dict[type, str] = {
    LineVersion: "1",
    Shipment: "2",
    TransferShipped: "1",
    TransferReceived: "2",
    TransferClosed: "3",
}
"""A line without its shipments would be open again, a transfer without its end under way."""


def _keep_echoed_together(state: SkuState, gone: set[Unit]) -> None:
    """Of units that report one echoed document, all go or none: the echo is compared with their sum."""
    kept = True
    while kept:
        kept = False
        for reference in state.echoes:
            reporting = state.documents.get(reference, ())
            if not gone.isdisjoint(reporting) and not gone.issuperset(reporting):
                gone.difference_update(reporting)
                kept = True


class _Rules:
    """The conditions, each asked of one unit."""

    def __init__(self, state: SkuState, tally: Tally, now: Micros) -> None:
        self.state = state
        self.tally = tally
        self.policy = tally.policy
        self.now = now

    def may_go(self, unit: Unit) -> bool:
        """Whether a unit may go by itself. Returns and adjustments are decided together."""
        kind = unit[0]
        if kind in (BALANCE, ADJUSTMENT, RETURN):
            return False
        if kind == RESERVATION:
            return self._reservation_over(unit)
        if kind == LINE:
            return self._line_over(unit)
        return self._transfer_over(unit)

    def adjustment_may_go(self, unit: Unit, gone: set[Unit]) -> bool:
        adjustment = cast(Adjustment, self.state.units[unit][0])
        documents = self.state.documents.get(adjustment.document_ref or "", ())
        return self._own_move_settled(adjustment) and gone.issuperset(documents)

    def settled(self, location: str, bucket: str, move: Move) -> bool:
        """Whether both kept balances contain the movement and nothing about it can still arrive."""
        place = self.tally.places.get(location)
        if place is None:
            return False
        evidence = place.stock(bucket).evidence
        # Not at the horizon itself: with a lateness of 0 that is where the clocks begin to doubt.
        return len(evidence) > 1 and move.posted_at < min(one.horizon for one in evidence)

    def moves_settled(self, group: Group) -> bool:
        """Whether every movement of the facts, and every echo of them, is settled."""
        for fact in group:
            reference = document_of(fact)
            if reference is None:
                continue
            if not all(self.settled(*leg) for leg in self._legs(cast(Document, fact))):
                return False
            if not all(map(self._own_move_settled, self.tally.documents.echoes_of(reference))):
                return False
        return True

    def _legs(self, fact: Document) -> Iterator[tuple[str, str, Move]]:
        """Movements that a balance must contain.

        Quarantine is seldom counted by an ERP: a movement there is held against the sellable balance.
        """
        for location, bucket, _, move in self.tally.documents.legs_of(fact, implied=True):
            if bucket == QUARANTINE and not self.tally.places[location].stock(QUARANTINE).balances:
                bucket = SELLABLE
            yield location, bucket, move

    def _own_move_settled(self, adjustment: Adjustment) -> bool:
        return self.settled(adjustment.location, adjustment.bucket, self.tally.documents.adjustment(adjustment))

    def _reservation_over(self, unit: Unit) -> bool:
        """Long expired: it holds nothing, and nothing about it can still arrive."""
        return all(
            (fact.expires_at if isinstance(fact, Reservation) else fact.occurred_at) + self.policy.max_lateness
            <= self.now
            for fact in self.state.units[unit]
        )

    def _line_over(self, unit: Unit) -> bool:
        group = self.state.units[unit]
        line = line_of(group)
        closed = closed_at(line) if line.versions else _last(group)
        if closed is None or not self._over(closed):
            return False
        return (
            not any(self._counts_for_quota(version, line.versions[0]) for version in line.versions)
            and not any(
                version.reservation_id and (RESERVATION, version.reservation_id) in self.state.units
                for version in line.versions
            )
            and not any(orders.counts(unit) for orders in self.tally.net_orders.values())
            and self.moves_settled(line.shipments)
        )

    def _counts_for_quota(self, version: LineVersion, first: LineVersion) -> bool:
        if version.channel not in self.tally.quota_from:
            return False
        since = self.tally.quota_from[version.channel]
        return since is None or first.occurred_at >= since

    def _transfer_over(self, unit: Unit) -> bool:
        group = self.state.units[unit]
        standing = standing_of(group)
        under_way = standing is not None and standing.in_transit > 0
        return not under_way and self._over(_last(group)) and self.moves_settled(group)

    def _over(self, at: Micros) -> bool:
        return at + self.policy.closed_line_retention <= self.now


def _last(group: Group) -> Micros:
    return max(fact.occurred_at for fact in group)


def _cancelling_returns(rules: _Rules) -> set[Unit]:
    """Settled returns that leave the quarantine of their location as it was.

    Receipts and dispositions may carry different ids, so the longest runs of the oldest ones whose sums cancel go.
    """
    by_location: dict[str, list[tuple[Micros, Unit, int]]] = {}
    for unit, group in rules.state.units.items():
        if unit[0] != RETURN or not rules.moves_settled(group):
            continue
        steps = cast(tuple[ReturnReceived | ReturnDisposed, ...], group)
        locations = {fact.location for fact in steps}
        if len(locations) == 1:
            at = max(fact.occurred_at for fact in steps)
            by_location.setdefault(locations.pop(), []).append((at, unit, sum(map(_quarantined, steps))))
    gone: set[Unit] = set()
    for returns in by_location.values():
        returns.sort()
        gone.update(unit for _, unit, units in returns if not units)
        arrived = [(unit, units) for _, unit, units in returns if units > 0]
        left = [(unit, -units) for _, unit, units in returns if units < 0]
        cancelled = max({0, *_sums(arrived)} & {0, *_sums(left)})
        for run in (arrived, left):
            gone.update(unit for (unit, _), total in zip(run, _sums(run), strict=True) if total <= cancelled)
    return gone


def _sums(run: Iterable[tuple[Unit, int]]) -> list[int]:
    return list(accumulate(units for _, units in run))


def _quarantined(fact: ReturnReceived | ReturnDisposed) -> int:
    return fact.quantity if isinstance(fact, ReturnReceived) else -(fact.restocked + fact.scrapped)
