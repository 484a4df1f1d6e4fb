"""Running sums over the facts of a SKU under one policy, so that the cost of an event does not grow with history.

Every unit of ``SkuState`` adds its share when it enters and takes the same share away when it leaves. The sums
are a cache: ``Tally.of`` rebuilds them from the set, and a test proves that both always agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from domain import findings
from domain.documents import Documents
from domain.facts import (
    NET_OF_OPEN_ORDERS,
    SELLABLE,
    Adjustment,
    Balance,
    LineVersion,
    Micros,
    ReturnDisposed,
    ReturnReceived,
    Shipment,
)
from domain.lines import consumed, demand_of, last_shipment, line_of, may_be_odd, oddity, open_quantity, served
from domain.movements import evidence_of
from domain.net_orders import NetOrders
from domain.places import BEGINNING, Place
from domain.policy import Policy
from domain.reservations import Expiries, hold_of
from domain.state import SkuState
from domain.sums import Sums, add
from domain.transfers import standing_of
from domain.units import ADJUSTMENT, BALANCE, LINE, RESERVATION, RETURN, Group, Unit


class Tally(Sums):
    """Sums of one SKU: per place, per channel, and the findings that hold. Observes its ``SkuState``.

    ``now`` is the instant at which the soft reservations are summed; ``advance`` moves it.
    """

    __slots__ = ("_converted", "_expiries", "documents", "net_orders", "now")

    def __init__(self, state: SkuState, policy: Policy) -> None:
        super().__init__(state, policy)
        self.documents = Documents(state, policy)
        self.now: Micros = BEGINNING
        self.net_orders = _NO_ORDERS
        self._converted: dict[str, int] = {}
        self._expiries: Expiries | None = None

    @classmethod
    def of(cls, state: SkuState, policy: Policy, now: Micros = BEGINNING) -> Tally:
        """The sums of a state, from the set itself. Lines come before what looks at them."""
        tally = cls(state, policy)
        tally.now = now
        for unit, group in sorted(state.units.items(), key=lambda entry: _LAST.get(entry[0][0], 0)):
            tally.changed(unit, (), group)
        return tally

    def changed(self, unit: Unit, before: Group, after: Group) -> None:
        """A unit on which no other depends has changed."""
        if unit[0] == BALANCE:
            self._balances_changed(before, after)
            return
        for group, sign in ((before, -1), (after, +1)):
            if group:
                self._count(unit, group, sign)

    def line_grew(self, unit: Unit, before: Group, after: Group) -> None:
        """One more version or shipment of a line on which no other unit depends: the way of nearly every event."""
        if self.net_orders:
            self._known_to_the_erp(unit, after)
        fact = after[-1]
        if type(fact) is Shipment:
            self._served(before, after, fact)
            return
        if before:
            self._demand(before, -1)
        self._demand(after, +1)
        location = cast(LineVersion, fact).location
        if location is not None:
            self.mention(location, +1)

    def leave(self, units: Iterable[Unit]) -> None:
        """Take away the shares of units that are about to change."""
        for unit in reversed(list(units)):
            group = self.state.units.get(unit)
            if group:
                self._count(unit, group, -1)

    def enter(self, units: Iterable[Unit]) -> None:
        """Add the shares of units as they are now."""
        for unit in units:
            group = self.state.units.get(unit)
            if group:
                self._count(unit, group, +1)

    def advance(self, now: Micros) -> None:
        """Move to ``now``: reservations that ran out no longer hold units."""
        if now < self.now:
            units = [unit for unit in self.state.units if unit[0] == RESERVATION]
        else:
            units = self._expiries.due(now) if self._expiries is not None else []
        if not units:
            self.now = now
            return
        self.leave(units)
        self.now = now
        self.enter(units)

    def next_expiry(self) -> Micros | None:
        """When the next reservation runs out, or None."""
        return None if self._expiries is None else self._expiries.next()

    def _count(self, unit: Unit, group: Group, sign: int) -> None:
        kind = unit[0]
        if kind == LINE:
            self._line(unit, group, sign)
        elif kind == ADJUSTMENT:
            self._adjustment(unit, cast(Adjustment, group[0]), sign)
        elif kind == RESERVATION:
            self._reservation(unit, group, sign)
        elif kind == RETURN:
            self._return(group, sign)
        else:
            self._transfer(unit, group, sign)

    def _balances_changed(self, before: Group, after: Group) -> None:
        balances = cast(tuple[Balance, ...], after)
        newest = cast(Balance, (after or before)[0])
        location = newest.location
        self.mention(location, bool(after) - bool(before))
        stock = self.place(location).stock(newest.bucket)
        stock.state_balances(balances, tuple(evidence_of(balance, self.policy) for balance in balances))
        if newest.bucket == SELLABLE:
            if not any(balance.basis == NET_OF_OPEN_ORDERS for balance in balances):
                self.net_orders.pop(location, None)
                return
            orders = self.net_orders.get(location)
            if orders is None:
                orders = NetOrders(location, stock, self.documents)
                self.net_orders = {**self.net_orders, location: orders}
            orders.restate(self.state)

    def _line(self, unit: Unit, group: Group, sign: int) -> None:
        self._demand(group, sign)
        if self.net_orders:
            self._known_to_the_erp(unit, group if sign > 0 else ())
        for fact in group:
            if type(fact) is Shipment:
                self._shipment(fact, sign)
            elif type(fact) is LineVersion and fact.location is not None:
                self.mention(fact.location, sign)

    def _demand(self, group: Group, sign: int) -> None:
        """What a line wants, where, from whose quota, and whether that is odd."""
        current, first, shipped, short, shipments = demand_of(group)
        if current is not None:
            units = open_quantity(current, shipped, short)
            if units:
                if current.location is None:
                    add(self.unsourced, current.channel, sign * units)
                else:
                    self.place(current.location).reserved += sign * units
            if self.takes_count:
                self.take(current, first, sign * consumed(current, shipped))
            if current.reservation_id is not None:
                add(self._converted, current.reservation_id, sign * current.quantity)
        if shipments and may_be_odd(current, shipped):
            self._oddity(group, sign)

    def _served(self, before: Group, after: Group, fact: Shipment) -> None:
        """One more shipment of a line: what left, and the difference it makes to what the line wants."""
        place = self._shipment(fact, +1)
        current, first, shipped, short, shipments = demand_of(before)
        total = shipped + fact.quantity
        if current is not None:
            change = served(current, shipped, short, fact.quantity, fact.final)
            if change and current.location == fact.location:
                place.reserved += change
            elif change and current.location is not None:
                self.place(current.location).reserved += change
            elif change:
                add(self.unsourced, current.channel, change)
            if self.takes_count:
                self.take(current, first, consumed(current, total) - consumed(current, shipped))
        if shipments and may_be_odd(current, shipped):
            self._oddity(before, -1)
        if may_be_odd(current, total):
            self._oddity(after, +1)

    def _oddity(self, group: Group, sign: int) -> None:
        line = line_of(group)
        code = oddity(line)
        if code is not None:
            at = last_shipment(line)
            self.note(code, at.location, (at.order_id, at.line_id, at.shipment_id), sign)

    def _known_to_the_erp(self, unit: Unit, group: Group) -> None:
        """Balances net of open orders look at the line as it is now."""
        for orders in self.net_orders.values():
            self.place(orders.location)
            orders.leave(unit)
            if group:
                orders.enter(unit, line_of(group))

    def _shipment(self, fact: Shipment, sign: int) -> Place:
        name = _SHIPMENT + fact[:3]
        place = self.mention(fact.location, sign)
        if sign > 0:
            place.sellable.add(name, self.documents.shipment(fact))
        else:
            place.sellable.remove(name)
        return place

    def _adjustment(self, unit: Unit, adjustment: Adjustment, sign: int) -> None:
        documents = self.documents.echoed_by(adjustment)
        if not documents:
            move = self.documents.adjustment(adjustment) if sign > 0 else None
            self.move(adjustment.location, adjustment.bucket, unit, move)
            return
        self.mention(adjustment.location, sign)
        if self.documents.differs(adjustment, documents):
            reference = cast(str, adjustment.document_ref)
            self.note(findings.ECHO_MISMATCH, adjustment.location, (reference,), sign)

    def _reservation(self, unit: Unit, group: Group, sign: int) -> None:
        requested_id = unit[1]
        hold = hold_of(group, self._converted.get(requested_id, 0))
        if hold is None:
            return
        requested, used = hold
        if requested.location is not None:
            self.mention(requested.location, sign)
        place = requested.location or ""
        if used > requested.quantity:
            self.note(findings.OVER_OFFSET, place, (requested_id,), sign)
        remaining = hold.remaining
        if not remaining:
            return
        if requested.expires_at <= self.now:
            self.note(findings.RESERVATION_EXPIRED, place, (requested_id,), sign)
            return
        if requested.location is None:
            add(self.unsourced, requested.channel, sign * remaining)
        else:
            self.place(requested.location).soft_reserved += sign * remaining
        if self._expiries is None:
            self._expiries = Expiries()
        if sign > 0:
            self._expiries.hold(unit, requested.expires_at)
        else:
            self._expiries.drop(unit)

    def _return(self, group: Group, sign: int) -> None:
        self._legs(group, sign)
        for fact in group:
            if isinstance(fact, ReturnReceived):
                self.place(fact.location).returned += sign * fact.quantity
            elif isinstance(fact, ReturnDisposed):
                self.place(fact.location).disposed += sign * (fact.restocked + fact.scrapped)

    def _transfer(self, unit: Unit, group: Group, sign: int) -> None:
        self._legs(group, sign)
        standing = standing_of(group)
        if standing is None:
            return
        self.mention(standing.to_location, sign)
        self.place(standing.to_location).in_transit += sign * standing.in_transit
        if standing.finding:
            self.note(standing.finding, standing.to_location, unit[1:], sign)

    def _legs(self, group: Group, sign: int) -> None:
        for location, bucket, name, move in self.documents.legs(group):
            self.move(location, bucket, name, move if sign > 0 else None)


_SHIPMENT = ("shipment",)
"""What the name of a shipment's movement begins with; its ids follow."""

_NO_ORDERS: dict[str, NetOrders] = {}
"""Shared by all SKUs without balances net of open orders. Never written to."""

_LAST = {BALANCE: 1, RESERVATION: 2}
"""A balance net of orders adds lines back, a reservation is converted by lines."""
