"""Listings that change their SKUs at random while workers die: none ever shows the stock of another SKU.

Every SKU has stock of its own hundred, so an update says itself whose stock it shows. What partitions tell each
other arrives in order per partition of its topic and in any order otherwise. So do the answers of the channel,
which takes everything that reaches its topic, also what a worker that died could not write down.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from typing import Any

import pytest

from domain.facts import SECOND
from schemas.topics import LISTING_EXCHANGE
from streams.worker.partitioning import partition_of_key
from tests.worlds import PARTITIONS, T0, Record, World, answer, balance, record_of

POLICY: dict[str, Any] = {"channels": {"amazon": {"mode": "SHARED", "publish": {"resend_after_s": 0}}}}
SKUS = {f"SKU-{number}": 100 * number for number in range(1, 5)}
LISTINGS = [*(f"L{number}" for number in range(5)), "SKU-1"]
"""The last one is called like a SKU, and sells that until somebody says something else."""

STEPS = 60
UPDATES = "channel-updates.amazon"


class Shop:
    """A world, the messages on their way to each partition, and what the epoch under way has taken."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.world = World(POLICY)
        self.queues: dict[tuple[str, int], deque[Record]] = defaultdict(deque)
        """By topic and partition."""
        self.taken: list[tuple[int, str, Record]] = []
        self.statements: dict[str, tuple[int, str | None]] = {}
        self.prices: dict[str, Any] = {}
        self.stock: dict[str, int] = {}
        self.second = 0
        self.told: dict[str, list[int]] = defaultdict(list)
        self.changes = 0
        self.now = T0

    def say(self, line: dict[str, Any]) -> None:
        topic, record = record_of(line)
        self.queues[topic, partition_of_key(record.key() or b"", PARTITIONS)].append(record)

    def state(self, listing: str, sku: str | None) -> None:
        self.second += 1
        self.statements[listing] = (self.second, sku)
        at = f"2026-01-01T00:{self.second // 60:02d}:{self.second % 60:02d}Z"
        line = {"type": "listings", "channel": "amazon", "listing": listing, "sku": sku, "as_of": at}
        if self.chance.random() < 0.7:
            line |= {"price": self.second, "currency": "EUR"}
        self.prices[listing] = line.get("price") if sku else None
        self.say(line)

    def count(self, sku: str) -> None:
        self.second += 1
        self.stock[sku] = SKUS[sku] + self.chance.randrange(1, 100)
        at = f"2026-01-01T00:{self.second // 60:02d}:{self.second % 60:02d}Z"
        self.say(balance(self.stock[sku], sku, at))

    def deliver(self) -> None:
        waiting = [place for place, queue in self.queues.items() if queue]
        if waiting:
            topic, partition = self.chance.choice(waiting)
            record = self.queues[topic, partition].popleft()
            self.taken.append((partition, topic, record))
            self.world.state.partition(partition).intake.receive(topic, [record], 0, T0)

    def epoch(self) -> list[Any]:
        produced = self._epoch()
        self._send(produced)
        return produced

    def _epoch(self) -> list[Any]:
        self.now += SECOND  # so that there is budget
        return self.world.epoch(self.now)

    def _send(self, produced: list[Any]) -> None:
        for record in produced:
            if record.topic == LISTING_EXCHANGE.name:
                self.queues[record.topic, record.partition].append(Record(record.key, record.value))
        for update in self.world.told(produced, UPDATES):
            self.say(answer(update))

    def die(self) -> None:
        """In the middle of writing an epoch: of every partition some last records are missing."""
        produced = self._epoch()
        kept: list[Any] = []
        cut: dict[tuple[str, int | None], bool] = {}
        for record in produced:
            place = (record.topic, record.partition)
            cut[place] = cut.get(place, False) or self.chance.random() < 0.3
            if not cut[place]:
                kept.append(record)
        lost = [record for record in produced if not any(record is each for each in kept)]
        self.plausible(produced)
        self.arrive(kept)
        self.world = self.world.successor(self.world.state._generation + 1, lost)
        for partition, topic, record in reversed(self.taken):
            self.queues[topic, partition].appendleft(record)
        self.taken = []
        self._send(kept)

    def price_of(self, listing: str) -> int | None:
        home = self.world.state.fan_out._at(partition_of_key(listing.encode(), PARTITIONS))
        price = home.prices.of(("amazon", listing))
        return None if price is None else price.amount

    def check(self, produced: list[Any]) -> None:
        """What is told is of the SKU that the listing sells at its home, with a 0 in between."""
        self.plausible(produced)
        self.arrive(produced)

    def plausible(self, produced: list[Any]) -> None:
        """Everything planned, whether it arrives or not, is of the SKU that the listing sells at its home."""
        for update in self.world.told(produced, UPDATES):
            listing, quantity = update["listing"], update["quantity"]
            home = self.world.state.fan_out._at(partition_of_key(listing.encode(), PARTITIONS))
            if quantity and listing in LISTINGS:
                at_home = home.listing(("amazon", listing))
                assert at_home is not None or listing in SKUS
                sells = listing if at_home is None else at_home.sku
                assert sells is not None
                assert SKUS[sells] < quantity < SKUS[sells] + 100, (listing, sells, quantity)

    def arrive(self, produced: list[Any]) -> None:
        """The channel is told this: of one SKU after the other, with a 0 in between."""
        for update in self.world.told(produced, UPDATES):
            listing, quantity = update["listing"], update["quantity"]
            if quantity and listing in LISTINGS:
                shown = [each for each in self.told[listing] if each]
                if shown and shown[-1] // 100 != quantity // 100:
                    self.changes += 1
                    assert self.told[listing][-1] == 0, (listing, self.told[listing])
            self.told[listing].append(quantity)


@pytest.mark.parametrize("seed", range(250))
def test_no_listing_ever_shows_the_stock_of_a_sku_it_does_not_sell(seed: int) -> None:
    shop = Shop(seed)
    for sku in SKUS:
        shop.count(sku)
    for _ in range(STEPS):
        match shop.chance.randrange(12):
            case 0:
                shop.count(shop.chance.choice(list(SKUS)))
            case 1 | 2:
                shop.state(shop.chance.choice(LISTINGS), shop.chance.choice([*SKUS, None]))
            case 3 if shop.chance.random() < 0.5:
                shop.die()
            case 4 | 5 | 6:
                shop.check(shop.epoch())
                shop.taken = []
            case _:
                for _ in range(shop.chance.choice((1, 1, 8))):
                    shop.deliver()
    if seed % 2:  # in the others nothing that comes later mends what was forgotten
        for sku in SKUS:
            shop.count(sku)
    produced = [*shop.epoch()]
    shop.check(produced)
    while produced or any(shop.queues.values()):
        shop.deliver()
        produced = shop.epoch()
        shop.check(produced)
    sold = {sku for _, sku in shop.statements.values()}
    expected = {sku: 0 if sku in sold else shop.stock[sku] for sku in SKUS}
    expected |= {name: 0 if sku is None else shop.stock[sku] for name, (_, sku) in shop.statements.items()}
    final = {name: (shop.told[name] or [0])[-1] for name in expected}
    assert final == expected
    assert {name: shop.price_of(name) for name in shop.prices} == shop.prices


def test_the_simulation_moves_listings_and_kills_workers() -> None:
    shop = Shop(1)
    for sku in SKUS:
        shop.count(sku)
    for sku in SKUS:
        shop.state("L1", sku)
        while any(shop.queues.values()):
            shop.deliver()
            shop.check(shop.epoch())
    assert shop.changes == len(SKUS) - 1
