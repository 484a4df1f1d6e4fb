"""Walmart told by two ways at once, with kills, lost answers and feeds that end when they like."""

from __future__ import annotations

import random
from base64 import b64encode
from collections import defaultdict

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from connectors.channels.backoff import Backoff
from connectors.channels.delivery import Delivery
from connectors.channels.kind import CallLimits
from connectors.channels.rate import TokenBucket
from connectors.channels.walmart import WalmartSettings, WalmartSink
from streams.demo.shops.vendor import TOKEN_PATH, Fault
from tests.conformance.rig import PARTITION, Clock, Journal, Lifetime, update
from tests.fakes.walmart import FakeWalmart

BASIC = "Basic " + b64encode(b"client-7:s3cret").decode("ascii")
LISTINGS = [f"S-{number:02}" for number in range(24)]


class World:
    """One seller. The quantity of an update is its ``publish_seq``: so an old value is seen for what it is."""

    def __init__(self, address: str, walmart: FakeWalmart, clock: Clock, dice: random.Random) -> None:
        self.address = address
        self.walmart = walmart
        self.clock = clock
        self.dice = dice
        self.journal = Journal()
        self.log: list = []
        self.newest: dict[str, int] = defaultdict(int)
        self.life: Lifetime | None = None
        self.sink: WalmartSink | None = None

    async def begin(self) -> None:
        """A process begins where the last one committed, and reads what has been written since."""
        committed = 0 if self.life is None else self.life.backlog.committable(PARTITION)
        if self.sink is not None:
            await self.sink.close()
        settings = WalmartSettings(
            api_url=self.address, token_url=self.address + TOKEN_PATH, client_id="client-7",
            client_secret=SecretStr("s3cret"), feed_from=4, feed_within_s=86_400.0,
        )  # fmt: skip
        self.sink = WalmartSink(
            settings, CallLimits(), wall_clock=self.clock.wall_s, monotonic=self.clock.monotonic
        )
        await self.sink.open()
        assert self.sink.bulk is not None
        former, self.life = self.life, Lifetime(self.sink, self.journal, self.clock, unknown_attempts=1_000)
        self.life.delivery = Delivery(
            sink=self.sink, backlog=self.life.backlog, latest=self.life.latest, acknowledge=self.journal,
            bucket=TokenBucket(3.0, 3), backoff=Backoff(1.0, 60.0, lambda low, high: high),
            wall_clock=self.clock.wall, monotonic=self.clock.monotonic, unknown_attempts=1_000,
            bulk=self.sink.bulk,
        )  # fmt: skip
        self.sink.bulk.taken_over()
        start = 0 if former is None else max(0, committed or 0)
        self.life.offset = start
        self.life.arrive(*self.log[start:])

    async def step(self) -> None:
        """Something happens."""
        assert self.life is not None
        roll = self.dice.random()
        if roll < 0.30:
            priority = self.dice.choice(["P0", "P1", "P2", "P3", "P4"])
            for listing in self.dice.sample(LISTINGS, self.dice.randint(1, 12)):
                self.newest[listing] += 1
                seq = self.newest[listing]
                self.log.append(update(listing, seq, seq, priority=priority, expires_in_s=10_000_000))
                self.life.arrive(self.log[-1])
        elif roll < 0.34:
            await self.begin()
        elif roll < 0.39:
            self.walmart.work_off()
        elif roll < 0.49:
            self.walmart.next_faults.append(self.dice.choice([
                Fault(taken=True, closed=True), Fault(closed=True), Fault(502, taken=True), Fault(502, taken=True),
                Fault(503), Fault(502), Fault(429, {"Retry-After": "5"}),
            ]))  # fmt: skip
        else:
            await self.go_on()
        self.clock.advance(self.dice.choice([0.1, 1.0, 30.0, 90.0]))

    async def go_on(self) -> None:
        """Both tasks of the process take a turn."""
        assert self.life is not None
        assert self.life.delivery.bulk is not None
        await self.life.delivery.settle_later(await self.life.delivery.bulk.go_on())
        if self.life.delivery.wait_s() == 0:
            await self.life.delivery.attempt()


@pytest.mark.parametrize("seed", range(12))
async def test_no_old_value_follows_a_newer_one_and_every_last_value_arrives(seed: int) -> None:
    clock = Clock()
    walmart = FakeWalmart({BASIC}, per_minute=100_000, clock=clock.wall_s)
    async with TestServer(walmart.app(), host="127.0.0.1") as server:
        world = World(str(server.make_url("/")).rstrip("/"), walmart, clock, random.Random(seed))
        await world.begin()
        for _ in range(250):
            await world.step()
        walmart.next_faults.clear()
        for _ in range(300):
            walmart.work_off()
            await world.go_on()
            clock.advance(60.0)
        assert world.sink is not None
        await world.sink.close()
        walmart.release()
    shown: dict[str, int] = {}
    for listing, seq in walmart.taken:
        assert seq >= shown.get(listing, 0), f"{listing}: {seq} after {shown[listing]}"
        shown[listing] = seq
    assert shown == dict(world.newest)
    assert walmart.feeds
    assert walmart.above_limit == 0
