"""A retailer's day, made from real sales: what happened, how it is delivered, and what is true at the end.

Pure and seeded: the same sales and plan give the same story. Real are stores, products, baskets, quantities and
the order of the sales; invented are stock, supplies, carts, returns, transfers and mishaps. The months of the data
are compressed into the hours before ``ends_at``, so that no event lies in the future.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import NamedTuple

from domain.facts import SECOND, Micros
from streams.demo.agenda import Agenda
from streams.demo.announcements import Announcements
from streams.demo.mishaps import Delivery, Spoil, deliver
from streams.demo.retailer import OpenLine, Retailer
from streams.demo.stock_keeping import CUTS, StockKeeping, opening_stock
from streams.demo.transactions import FEWEST_STORES, SaleLine, Sales
from streams.demo.warehouse import Place, Warehouse

SPAN: Micros = 6 * 3600 * SECOND
"""How much time the story takes in its own world."""
FEWEST_EVENTS = 500
MOST_EVENTS = 400_000
EVENTS_PER_LINE = 2.2
"""Release, shipment, and a line's share of all that goes along with it; a test measures it."""


class Plan(NamedTuple):
    """When a story ends, how long its delivery will take in real time, and the seed of all chance."""

    ends_at: Micros
    feed_s: float = 25.0
    seed: int = 7


class Truth(NamedTuple):
    """What must come out when everything was delivered, by a book that the engine never sees.

    ``broken`` records must become dead letters, ``misrouted`` ones must be forwarded and count, ``repeated``
    ones must change nothing.
    """

    on_hand: Mapping[Place, int]
    quarantine: Mapping[Place, int]
    reserved: Mapping[Place, int]
    broken: int
    misrouted: int
    repeated: int


class Story(NamedTuple):
    """Deliveries in the order in which they are fed, the truth at the end, and what the SKUs are called."""

    deliveries: Sequence[Delivery]
    truth: Truth
    names: Mapping[str, str]


def size(events: int) -> tuple[int, int]:
    """How many sale lines and SKUs make a story of about ``events`` deliveries.

    Few SKUs keep the channels' backlog small, so that a demo of a minute can end with every channel told.
    Raises ``ValueError`` when ``events`` is outside ``FEWEST_EVENTS`` to ``MOST_EVENTS``.
    """
    if not FEWEST_EVENTS <= events <= MOST_EVENTS:
        raise ValueError(f"a story has {FEWEST_EVENTS} to {MOST_EVENTS} events, not {events}")
    skus = max(8, min(150, events // 200))
    balances = FEWEST_STORES * skus * (1 + len(CUTS))
    return max(100, int((events - balances) / EVENTS_PER_LINE)), skus


def tell(sales: Sales, plan: Plan) -> Story:
    """Make the story. Raises ``ValueError`` when there are no sales to tell it from."""
    if not sales.lines:
        raise ValueError("a story needs at least one sale line")
    chance = Random(plan.seed)
    starts_at = plan.ends_at - SPAN
    agenda, announcements = Agenda(starts_at), Announcements()
    warehouse = Warehouse(opening_stock(sales.lines, chance))
    retailer = Retailer(agenda, warehouse, announcements, plan.ends_at, chance)
    stock_keeping = StockKeeping(retailer, starts_at, plan.feed_s)
    stock_keeping.count_opening()
    stock_keeping.plan(_sold(sales.lines), carts=len(sales.lines) // 100)
    _open_shop(sales.lines, retailer, starts_at, plan.ends_at)
    agenda.run(plan.ends_at)
    stock_keeping.count_later()
    deliveries = deliver(announcements.events, starts_at, chance)
    return Story(deliveries, _truth(warehouse, retailer.lines, deliveries), sales.names)


def _open_shop(lines: Sequence[SaleLine], retailer: Retailer, starts_at: Micros, ends_at: Micros) -> None:
    """Put every sale on the agenda at its own share of the time."""
    first = lines[0].sold_at
    duration = max(1, lines[-1].sold_at - first)
    count: Counter[str] = Counter()
    for line in lines:
        count[line.basket] += 1
        at = starts_at + (line.sold_at - first) * (ends_at - starts_at) // duration
        retailer.sell(line, str(count[line.basket]), at)


def _sold(lines: Sequence[SaleLine]) -> Counter[Place]:
    sold: Counter[Place] = Counter()
    for line in lines:
        sold[line.sku, line.store] += line.quantity
    return sold


def _truth(warehouse: Warehouse, lines: Sequence[OpenLine], deliveries: Sequence[Delivery]) -> Truth:
    reserved: Counter[Place] = Counter()
    for line in lines:
        if line.version.location is not None and line.wanted:
            reserved[line.sku, line.version.location] += line.wanted
    spoils = Counter(delivery.spoil for delivery in deliveries if delivery.spoil is not None)
    return Truth(
        on_hand=warehouse.on_hand,
        quarantine={place: units for place, units in warehouse.quarantine.items() if units},
        reserved=reserved,
        broken=sum(spoils.values()) - spoils[Spoil.MISROUTED],
        misrouted=spoils[Spoil.MISROUTED],
        repeated=sum(delivery.repeated for delivery in deliveries),
    )
