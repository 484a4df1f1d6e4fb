"""Two ways into one shop, faults on every call, restarts: the newest value wins and nothing is lost."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import TestServer

from connectors.channels.adobe_commerce import AdobeCommerceSink
from connectors.channels.base import Update
from connectors.channels.kind import CallLimits
from connectors.channels.salesforce import SalesforceSink
from streams.demo.shops.vendor import FakeVendor, Fault
from tests.conformance.rig import Clock, Journal, Lifetime, update
from tests.fakes.adobe_commerce import BASE, FakeAdobeCommerce
from tests.fakes.salesforce_imports import TENANT, FakeSalesforceImports
from tests.unit.channels import test_adobe_commerce, test_salesforce

LISTINGS = [f"L-{number}" for number in range(12)]
FAULTS: list[Callable[[], Fault]] = [
    lambda: Fault(503),
    lambda: Fault(500),
    lambda: Fault(502, taken=True),
    lambda: Fault(429, {"Retry-After": "2"}),
    lambda: Fault(closed=True),
    lambda: Fault(closed=True, taken=True),
    lambda: Fault(200, body="{}"),
]


class Story:
    """What is told to one shop, by one process after the other. A quantity is the sequence number it came with."""

    def __init__(
        self, fake: FakeVendor, sink: Callable[[Clock], AdobeCommerceSink | SalesforceSink], seed: int
    ) -> None:
        self.fake = fake
        self.clock = Clock()
        self.dice = random.Random(seed)
        self.journal = Journal()
        self.told: list[Update] = []
        self._sink = sink

    async def begin(self) -> None:
        """A process starts, or takes over: it reads everything that was written and not settled."""
        self.sink = self._sink(self.clock)
        await self.sink.open()
        self.life = Lifetime(self.sink, self.journal, self.clock, unknown_attempts=10_000)
        self.delivery = self.life.delivery
        bulk = self.sink.bulk
        assert bulk is not None
        self.bulk = self.delivery.bulk = bulk
        self.life.backlog.overtaken = self.delivery._hurry
        self.bulk.taken_over()
        self.life.arrive(*self.told)

    async def change(self) -> None:
        """A few listings get a new quantity."""
        for listing in self.dice.sample(LISTINGS, self.dice.randint(0, 6)):
            number = len(self.told) + 1
            self.told.append(update(listing, number, number, priority=f"P{self.dice.randint(0, 4)}"))
            self.life.arrive(self.told[-1])

    async def turn(self) -> None:
        """What a runner does in a moment."""
        if self.delivery.wait_s() == 0:
            await self.delivery.attempt()
        results = await self.bulk.go_on()
        if results:
            await self.delivery.settle_later(results)
        self.clock.advance(self.dice.choice((0.2, 1.0, 5.0)))

    def waits(self) -> bool:
        newest = {one.listing: one.publish_seq for one in self.told}
        settled = {one.listing: one.publish_seq for one in self.journal.acknowledgements}
        return newest != settled

    async def end(self) -> None:
        """Everything heals: what is wanted is what is shown, and nothing older ever came after it."""
        self.fake.next_faults.clear()
        for _ in range(2_000):
            if not self.waits():
                break
            await self.turn()
        await self.sink.close()
        assert {(one.outcome, one.reason) for one in self.journal.acknowledgements} == {("ACCEPTED", None)}
        assert dict(self.fake.taken) == {one.listing: one.quantity for one in self.told}
        for listing in LISTINGS:
            quantities = [quantity for shown, quantity in self.fake.taken if shown == listing]
            assert quantities == sorted(quantities), listing


@asynccontextmanager
async def served(fake: FakeVendor) -> AsyncIterator[str]:
    server = TestServer(fake.app(), host="127.0.0.1")
    async with server:
        yield str(server.make_url("/")).rstrip("/")


@pytest.mark.parametrize("seed", range(8))
async def test_a_shop_on_adobe_commerce_ends_with_the_newest_values_also_after_kills(seed: int) -> None:
    fake = FakeAdobeCommerce(test_adobe_commerce.TOKEN.get_secret_value())
    async with served(fake) as address:
        own = test_adobe_commerce.settings(address + BASE, bulk_worth=3, bulk_requests=5, bulks_open=2)
        story = Story(fake, lambda clock: AdobeCommerceSink(own, CallLimits(20), clock.monotonic), seed)
        await story.begin()
        for _ in range(150):
            await story.change()
            if story.dice.random() < 0.2:
                fake.next_faults.append(story.dice.choice(FAULTS)())
            fake.held = story.dice.random() < 0.7
            if story.dice.random() < 0.2:
                fake.work()
            await story.turn()
            if story.dice.random() < 0.03:
                await story.sink.close()
                await story.begin()
        fake.held = False
        fake.work()
        await story.end()


@pytest.mark.parametrize("seed", range(8))
async def test_omnichannel_inventory_ends_with_the_newest_values(seed: int) -> None:
    fake = FakeSalesforceImports()
    async with served(fake) as address:
        own = test_salesforce.settings(
            address, import_url=address + TENANT, import_worth=3, import_records=5, import_settle_s=0.0
        )
        story = Story(fake, lambda clock: SalesforceSink(own, CallLimits(100), clock.monotonic), seed)
        await story.begin()
        for _ in range(150):
            await story.change()
            if story.dice.random() < 0.2:
                fake.next_faults.append(story.dice.choice(FAULTS)())
            fake.course = ["RUNNING"] * story.dice.randint(0, 3) + ["COMPLETED"]
            await story.turn()
        await story.end()
        assert fake.uploads
