"""Shopify's points, shared by two sinks on a real server: what each call costs, and what others spend of them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from graphql import GraphQLResolveInfo
from pydantic import SecretStr
from redis.asyncio import Redis

from connectors.budgets import SharedBudget
from connectors.budgets_routes import SharedMeters
from connectors.budgets_sink import BudgetedSink, SharedBucket
from connectors.channels.backoff import Backoff
from connectors.channels.base import Update
from connectors.channels.kind import CALLS, CallLimits
from connectors.channels.shopify import ShopifySettings, ShopifySink
from connectors.channels.shopify_calls import POINTS_OF_TOKEN
from domain.facts import SECOND
from domain.gcra import SHARES
from domain.limits import CallBudget, CallsPerWindow
from domain.limits_member import Terms
from streams.demo.shops.shopify import ITEM_COST, MUTATION_COST, FakeShopify
from tests.conformance.rig import NOW, Clock, Journal, Lifetime, update
from tests.integration.sinks.test_shared_routes import micros, sinks, until


class Shop(FakeShopify):
    """Counts the points that were spent."""

    def __init__(self, maximum: float, restore_per_s: float) -> None:
        super().__init__(
            client_secrets={"s3cret"}, clock=time.monotonic, maximum=maximum, restore_per_s=restore_per_s
        )
        self.items = 0

    def _nodes(self, info: GraphQLResolveInfo[Any], ids: list[str]) -> list[dict[str, Any] | None]:
        self.items += len(ids)
        return super()._nodes(info, ids)

    @property
    def spent(self) -> float:
        return self.mutations * MUTATION_COST + self.items * ITEM_COST


class Present(Clock):
    """The clock of the machine, for a delivery that waits in earnest."""

    def wall(self) -> int:
        return NOW

    def monotonic(self) -> float:
        return time.monotonic()


class Counting(SharedBudget):
    """Counts the tokens that were used."""

    used = 0

    def take(self, wanted: int = 1, least: int = 1) -> int:
        taken = super().take(wanted, least)
        self.used += taken
        return taken


@dataclass
class Teller:
    """One sink of the account, and its budget."""

    sink: BudgetedSink
    budget: Counting

    async def tell(self, updates: list[Update]) -> Journal:
        life = Lifetime(self.sink, Journal(), Present())
        life.delivery.bucket = SharedBucket(self.budget)
        life.delivery.backoff = Backoff(0.01, 0.05, random.uniform)
        life.arrive(*updates)
        async with asyncio.timeout(60):
            while len(life.backlog):
                wait_s = life.delivery.wait_s()
                if wait_s == 0:
                    await life.delivery.attempt()
                else:
                    await asyncio.sleep(min(wait_s, 0.02))
        return life.journal


@asynccontextmanager
async def tellers(
    url: str, account: str, shop: Shop, per_s: int, burst: int
) -> AsyncIterator[tuple[Teller, Teller]]:
    """Two sinks of the shop. Their budget is full."""
    async with AsyncExitStack() as opened, Redis.from_url(url) as redis:
        server = await opened.enter_async_context(TestServer(shop.app(), host="127.0.0.1"))
        settings = ShopifySettings(
            url=str(server.make_url("/")).rstrip("/"),
            location_id="71",
            client_id="client",
            client_secret=SecretStr("s3cret"),
            points_per_s=per_s,
            points_burst=burst,
        )
        limits = settings.call_limits(CallLimits())[CALLS]
        found = []
        for name in ("a", "b"):
            budget = Counting(url, account, name, CallBudget.of(limits), micros)
            bare = ShopifySink("web", settings, CallLimits(max_updates=40))
            bare.metered_by(SharedMeters({CALLS: budget}))
            sink = BudgetedSink(bare, budget)
            await sink.open()
            opened.push_async_callback(sink.close)
            await until(lambda member=budget.member: member.shared)
            found.append(Teller(sink, budget))
        await asyncio.sleep(0.1)
        await redis.hset(f"atstream:budget:{account}", "t0", 0)
        yield found[0], found[1]


def item(number: int) -> str:
    return f"gid://shopify/InventoryItem/{number}"


@pytest.mark.parametrize("others", [False, True], ids=["alone", "others-spend"])
async def test_two_sinks_with_many_drifted_listings_pay_for_every_point_and_all_values_are_taken(
    redis_server: str, unique: Callable[[str], str], others: bool
) -> None:
    # It holds more than the sinks know, because the way from a token to the shop takes now longer, now shorter.
    shop = Shop(maximum=700.0, restore_per_s=500.0)
    numbers = {"a": range(4_001, 4_201), "b": range(5_001, 5_201)}
    wanted = {item(number): 4 for listings in numbers.values() for number in listings}
    shop.available |= dict.fromkeys(wanted, 7)
    emptied = 0
    async with tellers(redis_server, unique("points"), shop, 500, 200) as pair:

        async def spend() -> None:
            nonlocal emptied
            while True:
                await asyncio.sleep(0.4)
                shop._fill()
                shop.spend(max(0.0, shop._points - 10.0))
                emptied += 1

        told = [
            teller.tell([update(item(number), 1, 4)._replace(expected_previous=9) for number in listings])
            for teller, listings in zip(pair, numbers.values(), strict=True)
        ]
        spender = asyncio.create_task(spend()) if others else None
        journals = await asyncio.gather(*told)
        if spender is not None:
            spender.cancel()
        used = sum(teller.budget.used for teller in pair)
    accepted = [outcome for journal in journals for _, _, outcome in journal.outcomes()]
    assert accepted == ["ACCEPTED"] * len(wanted)
    assert shop.available == wanted
    # Every item was read once, whoever was broken off.
    assert shop.items == len(wanted)
    # THROTTLED are calls that were under way when others emptied the bucket, and those leased before it was known.
    assert len(shop.throttled) <= 4 * emptied
    assert shop.spent + MUTATION_COST * len(shop.throttled) <= used * POINTS_OF_TOKEN
    assert emptied == 0 or others


async def test_what_the_shop_tells_one_sink_is_obeyed_by_the_other_and_slows_nobody_down(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    shop, account = Shop(maximum=1_000.0, restore_per_s=10.0), unique("told")
    async with (
        tellers(redis_server, account, shop, 10, 400) as (one, other),
        Redis.from_url(redis_server) as redis,
    ):
        await until(lambda: other.budget.likely_s() == 0)
        shop.spend(shop.maximum - 15.0)
        journal = await one.tell([update(item(1))])
        # Of 40 tokens none is left, to nobody.
        await until(lambda: other.budget.likely_s() > 0.1)
        journal.answers += (await other.tell([update(item(2))])).answers
        assert [outcome for _, _, outcome in journal.outcomes()] == ["ACCEPTED"] * 2
        assert shop.throttled == []
        assert one.budget.incidents == other.budget.incidents == 0
        assert int(await redis.hget(f"atstream:budget:{account}", "slow") or 0) == SHARES


async def test_several_tokens_come_in_one_lease_or_not_at_all_and_then_none_is_lost(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    limit, account = CallsPerWindow(9, 3_600 * SECOND, 9), unique("several")
    async with sinks(redis_server, account, {"points": (limit,)}, "a", "b", terms=Terms()) as (one, other):
        budget = one._budgets["points"]
        await until(lambda: budget.likely_s() == 0)
        before = budget.store.round_trips
        assert await one.take("points", 5, 5) == 5
        # The lease, and perhaps a heartbeat.
        assert budget.store.round_trips <= before + 2
        assert await other.take("points", 5, 5) == 0
        # A lease may be late, so that of nine at first eight are given.
        rest = await other.take("points", 5, 2)
        assert rest in (3, 4)
        assert 5 + rest + await one.take("points", 5, 1) <= limit.calls


async def test_what_the_channel_says_is_left_is_left_to_all_and_never_more(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    limit, account = CallsPerWindow(9, 3_600 * SECOND, 9), unique("lowered")
    async with sinks(redis_server, account, {"points": (limit,)}, "a", "b", terms=Terms()) as (one, other):
        await until(lambda: one._budgets["points"].likely_s() == 0)
        one.lower("points", 4)
        one.lower("points", 100)
        await until(lambda: one._budgets["points"].member._left is None)
        await asyncio.sleep(0.1)
        # A lease may be late, so that of four at most four are given.
        assert await other.take("points", 9, 1) in (3, 4)
        assert await one.take("points", 9, 1) == 0
