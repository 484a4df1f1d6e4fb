"""How the stores are stocked: opening stock, supplies for what runs out, transfers, abandoned carts, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import partial
from random import Random

from domain.facts import SECOND, Micros, Reservation, TransferShipped
from streams.demo import announcements as say
from streams.demo.retailer import MINUTE, Retailer
from streams.demo.transactions import SaleLine
from streams.demo.warehouse import Place, Warehouse

SCARCE_EVERY = 6
"""Every sixth SKU opens with too little in all stores, so that channels have to stop selling it."""
CUTS = (0.30, 0.55, 0.80)
"""When each store's balances are cut, as parts of the story; stores follow each other."""
MOST_TRANSFERS = 60


def opening_stock(lines: Iterable[SaleLine], chance: Random) -> dict[Place, int]:
    """Enough for what will be sold and some more; of scarce SKUs about half of that."""
    sold: Counter[Place] = Counter()
    for line in lines:
        sold[line.sku, line.store] += line.quantity
    rank = {sku: index for index, sku in enumerate(sorted({sku for sku, _ in sold}))}
    stock = {}
    for place in sorted(sold):
        if rank[place[0]] % SCARCE_EVERY == 0:
            stock[place] = sold[place] * chance.randint(30, 70) // 100
        else:
            stock[place] = sold[place] + chance.randint(2, 25)
    return stock


class StockKeeping:
    """Everything that changes or counts stock without a customer's order."""

    def __init__(self, retailer: Retailer, starts_at: Micros, feed_s: float) -> None:
        self.retailer = retailer
        self.warehouse: Warehouse = retailer.warehouse
        self.agenda = retailer.agenda
        self.announcements = retailer.announcements
        self.chance = retailer.chance
        self.starts_at = starts_at
        self.span = retailer.ends_at - starts_at
        self.feed_s = feed_s
        self.places = sorted(self.warehouse.opening)
        self._transfers = 0

    def count_opening(self) -> None:
        """The ERP's first balances, a second before the first sale: the engine knows nothing without them."""
        for place in self.places:
            self._count(place, self.starts_at - 2 * SECOND)

    def plan(self, sold: dict[Place, int], carts: int) -> None:
        """Put supplies, transfers and carts on the agenda."""
        short = [place for place in self.places if self.warehouse.opening[place] < sold[place]]
        for place in short:
            if self.chance.random() < 0.6:
                at = self.starts_at + int(self.span * self.chance.uniform(0.60, 0.95))
                self.agenda.at(at, partial(self._receive, place, sold[place] // 2 + self.chance.randint(1, 12)))
        for index in range(min(MOST_TRANSFERS, len(short))):
            at = self.starts_at + self.span * (index + 1) // (MOST_TRANSFERS + 2)
            self.agenda.at(at, partial(self._transfer_to, self.chance.choice(short)))
        for index in range(carts):
            at = self.starts_at + int(self.span * self.chance.uniform(0.05, 0.98))
            self.agenda.at(at, partial(self._leave_cart, index, self.chance.choice(self.places)))

    def count_later(self) -> None:
        """Balances cut at true points in time; called after the end, because the ERP books with a lag."""
        stores = sorted({store for _, store in self.places})
        for part in CUTS:
            for index, store in enumerate(stores):
                share = part + 0.1 * index / len(stores)
                as_of = self.starts_at + int(self.span * share)
                for place in self.places:
                    if place[1] == store:
                        self._count(place, as_of)

    def _count(self, place: Place, as_of: Micros) -> None:
        sku, store = place
        self.announcements.say(sku, say.balance(store, self.warehouse.booked(place, as_of), as_of))

    def _receive(self, place: Place, units: int) -> None:
        now = self.agenda.now
        self.warehouse.move(place, units, now)
        number = f"receipt-{place[0]}-{place[1]}"
        self.announcements.say(place[0], say.receipt(number, place[1], units, now))
        self.retailer.arrived(place)

    def _transfer_to(self, target: Place) -> None:
        """Bring a third of what the best-stocked store has of the SKU; nothing when that is less than 3 units."""
        sku, store = target
        others = [place for place in self.places if place[0] == sku and place[1] != store]
        richest = max(others, key=lambda place: self.warehouse.on_hand[place], default=None)
        if richest is None or self.warehouse.on_hand[richest] < 9:
            return
        self._transfers += 1
        units, now = self.warehouse.on_hand[richest] // 3, self.agenda.now
        self.warehouse.move(richest, -units, now)
        sent = say.transfer_shipped(f"transfer-{self._transfers}", richest[1], store, units, now)
        self.announcements.say(sku, sent)
        self.agenda.after(
            self.chance.randint(10 * MINUTE, 40 * MINUTE), partial(self._receive_transfer, sku, sent)
        )

    def _receive_transfer(self, sku: str, sent: TransferShipped) -> None:
        now, place = self.agenda.now, (sku, sent.to_location)
        units = sent.quantity - (1 if self.chance.random() < 0.15 else 0)
        self.warehouse.move(place, units, now)
        self.announcements.say(sku, say.transfer_received(sent, units, now))
        self.announcements.say(sku, say.transfer_closed(sent, now))
        self.retailer.arrived(place)

    def _leave_cart(self, index: int, place: Place) -> None:
        """A cart nobody buys: given back, or running out while the demo runs, or still standing at its end."""
        end, kind = self.retailer.ends_at, index % 3
        seconds = self.feed_s * self.chance.uniform(0.4, 0.9) if kind == 1 else 3600.0
        expires_at = end + int(seconds * SECOND)
        cart = say.reserve(f"left-{index}", 1, place[1], "web", expires_at, self.agenda.now)
        self.announcements.say(place[0], cart)
        if kind == 0:
            self.agenda.after(self.chance.randint(MINUTE, 20 * MINUTE), partial(self._empty_cart, place[0], cart))

    def _empty_cart(self, sku: str, cart: Reservation) -> None:
        self.announcements.say(sku, say.give_back(cart, self.agenda.now))
