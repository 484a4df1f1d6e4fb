"""A retailer living through the sales: orders are released and shipped from true stock, the rest goes along.

Every step that moves units tells the warehouse's book first and the world second. What the world hears, and
when, is the business of ``mishaps``.
"""

from __future__ import annotations

from collections import defaultdict, deque
from functools import partial
from random import Random

from domain.facts import CANCELLED, OPEN, SECOND, LineVersion, Micros, Shipment
from streams.demo import announcements as say
from streams.demo.agenda import Agenda
from streams.demo.announcements import Announcements
from streams.demo.transactions import SaleLine
from streams.demo.warehouse import Place, Warehouse

MINUTE: Micros = 60 * SECOND
SHIPMENT_LAG: Micros = 60 * SECOND
RETURN_LAG: Micros = 120 * SECOND
"""The ERP books shipments and returns this much later; ``policy.yaml`` says the same, which a test proves."""

CHANNELS = ("web", "marketplace", "outlet", None)
CHANNEL_WEIGHTS = (35, 25, 10, 30)
"""None: sold over the counter."""

UNSOURCED, RESERVED, CUT_DOWN, IN_PARTS, SHORT, ECHOED, RETURNED = 0.05, 0.04, 0.02, 0.02, 0.005, 0.10, 0.015
"""Shares of lines that are released before their store is known, were reserved in a cart, lose units before they
ship, ship in two parts, ship short for good, are echoed by the ERP, and come back."""


class OpenLine:
    """An order line on its way: the version last announced and the units shipped of it."""

    def __init__(self, sku: str, store: str, version: LineVersion) -> None:
        self.sku = sku
        self.store = store
        self.version = version
        self.shipped = 0
        self.closed = False

    @property
    def wanted(self) -> int:
        """Units still to be shipped."""
        if self.closed or self.version.state != OPEN:
            return 0
        return self.version.quantity - self.version.cancelled_quantity - self.shipped


class Retailer:
    """Orders, shipments and returns. Chance decides the details; the sales decide what, where and when."""

    def __init__(
        self, agenda: Agenda, warehouse: Warehouse, announcements: Announcements, ends_at: Micros, chance: Random
    ) -> None:
        self.agenda = agenda
        self.warehouse = warehouse
        self.announcements = announcements
        self.ends_at = ends_at
        self.chance = chance
        self.lines: list[OpenLine] = []
        self._waiting: dict[Place, deque[OpenLine]] = defaultdict(deque)
        self._channels: dict[str, str | None] = {}

    def sell(self, sale: SaleLine, line_id: str, at: Micros) -> None:
        """Put a sale on the agenda: maybe a cart before it, the release, then whatever follows."""
        reservation_id = None
        channel = self._channel_of(sale.basket)
        if channel is not None and self.chance.random() < RESERVED:
            reservation_id = f"cart-{sale.basket}-{line_id}"
            held = partial(self._reserve, sale, reservation_id, channel)
            self.agenda.at(at - self._between(1 * MINUTE, 10 * MINUTE), held)
        self.agenda.at(at, partial(self._release, sale, line_id, channel, reservation_id))

    def arrived(self, place: Place) -> None:
        """Units came in: ship what waits for them, oldest first, as far as they reach."""
        waiting = self._waiting[place]
        while waiting and self.warehouse.on_hand.get(place, 0) >= waiting[0].wanted:
            self._ship(waiting.popleft())

    def _channel_of(self, basket: str) -> str | None:
        if basket not in self._channels:
            self._channels[basket] = self.chance.choices(CHANNELS, CHANNEL_WEIGHTS)[0]
        return self._channels[basket]

    def _reserve(self, sale: SaleLine, reservation_id: str, channel: str) -> None:
        # An hour past the end: the release converts it, so it must not run out before the release is delivered.
        expires_at = self.ends_at + 60 * MINUTE
        fact = say.reserve(reservation_id, sale.quantity, sale.store, channel, expires_at, self.agenda.now)
        self.announcements.say(sale.sku, fact, f"order-{sale.basket}")

    def _release(self, sale: SaleLine, line_id: str, channel: str | None, reservation_id: str | None) -> None:
        now = self.agenda.now
        unsourced = reservation_id is None and self.chance.random() < UNSOURCED
        store = None if unsourced else sale.store
        version = say.order_line(
            f"order-{sale.basket}", line_id, sale.quantity, store, channel, reservation_id, now
        )
        line = OpenLine(sale.sku, sale.store, version)
        self.lines.append(line)
        self._announce(line)
        if unsourced:
            self.agenda.after(self._between(30 * SECOND, 3 * MINUTE), partial(self._source, line))
        if self.chance.random() < CUT_DOWN:
            self.agenda.after(self._between(1 * MINUTE, 10 * MINUTE), partial(self._cut_down, line))
        self.agenda.after(self._between(4 * MINUTE, 20 * MINUTE), partial(self._pick, line))

    def _source(self, line: OpenLine) -> None:
        if line.version.state == OPEN:
            self._next_version(line, line.version._replace(location=line.store))

    def _cut_down(self, line: OpenLine) -> None:
        """The customer wants one unit less, or nothing any more."""
        if line.shipped or not line.wanted:
            return
        if line.wanted > 1 and self.chance.random() < 0.5:
            fewer = line.version._replace(cancelled_quantity=line.version.cancelled_quantity + 1)
        else:
            fewer = line.version._replace(cancelled_quantity=line.version.quantity, state=CANCELLED)
        self._next_version(line, fewer)

    def _next_version(self, line: OpenLine, version: LineVersion) -> None:
        line.version = version._replace(version=version.version + 1, occurred_at=self.agenda.now)
        self._announce(line)

    def _announce(self, line: OpenLine) -> None:
        self.announcements.say(line.sku, line.version, line.version.order_id)

    def _pick(self, line: OpenLine) -> None:
        place = (line.sku, line.store)
        if self.warehouse.on_hand.get(place, 0) >= line.wanted:
            self._ship(line)
        else:
            self._waiting[place].append(line)

    def _ship(self, line: OpenLine) -> None:
        if line.wanted > 1 and self.chance.random() < IN_PARTS:
            self._leave(line, line.wanted // 2, final=False)
            self.agenda.after(self._between(2 * MINUTE, 8 * MINUTE), partial(self._pick, line))
        elif line.wanted > 1 and self.chance.random() < SHORT:
            self._leave(line, line.wanted - 1, final=True)
        elif line.wanted:
            self._leave(line, line.wanted, final=False)

    def _leave(self, line: OpenLine, units: int, final: bool) -> None:
        now = self.agenda.now
        number = f"ship-{line.version.order_id}-{line.version.line_id}-{line.shipped}"
        left = say.shipment(number, line.version, line.store, units, final, now)
        line.shipped += units
        line.closed = line.closed or final
        posted_at = now + SHIPMENT_LAG
        echoed_at = posted_at + self._between(SECOND, 2 * MINUTE)
        echoed = self.chance.random() < ECHOED and echoed_at <= self.ends_at
        self.warehouse.move((line.sku, line.store), -units, echoed_at if echoed else posted_at)
        self.announcements.say(line.sku, left, line.version.order_id)
        if echoed:
            self.announcements.say(line.sku, say.goods_issue(left, echoed_at), line.version.order_id)
        if self.chance.random() < RETURNED:
            self.agenda.after(self._between(20 * MINUTE, 60 * MINUTE), partial(self._take_back, line.sku, left))

    def _take_back(self, sku: str, left: Shipment) -> None:
        number = f"return-{left.shipment_id}"
        self.warehouse.quarantine[sku, left.location] += left.quantity
        received = say.return_received(number, left.location, left.quantity, self.agenda.now)
        self.announcements.say(sku, received, left.order_id)
        self.agenda.after(self._between(5 * MINUTE, 20 * MINUTE), partial(self._dispose, sku, left, number))

    def _dispose(self, sku: str, left: Shipment, number: str) -> None:
        now, place = self.agenda.now, (sku, left.location)
        scrapped = 1 if self.chance.random() < 0.3 else 0
        restocked = left.quantity - scrapped
        self.warehouse.quarantine[place] -= left.quantity
        self.warehouse.move(place, restocked, now + RETURN_LAG)
        disposed = say.return_disposed(number, left.location, restocked, scrapped, now)
        self.announcements.say(sku, disposed, left.order_id)
        self.arrived(place)

    def _between(self, low: Micros, high: Micros) -> Micros:
        return self.chance.randint(low, high)
