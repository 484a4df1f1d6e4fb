"""Bulk routes that share their limits on a real server: what one sink used is missing to the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp.test_utils import TestServer
from pydantic import SecretStr
from redis.asyncio import Redis

from connectors.budgets import SharedBudget
from connectors.budgets_routes import SharedMeters
from connectors.budgets_sink import NO_TOKEN, BudgetedSink
from connectors.channels.amazon import AmazonSettings, AmazonSink
from connectors.channels.amazon_calls import CREATE_DOCUMENT, CREATE_FEED, FEED_LIMITS, GET_FEEDS
from connectors.channels.base import Outcome
from connectors.channels.kind import CALLS, CallLimits
from connectors.channels.routes import Limits
from connectors.channels.shopify import ShopifySettings, ShopifySink
from domain.facts import SECOND
from domain.limits import CallBudget, CallsPerWindow, RateAndBurst
from domain.limits_member import Terms
from streams.demo.shops.amazon import FakeAmazon
from streams.demo.shops.amazon_feeds import MARKETPLACE, SELLER
from streams.demo.shops.shopify import MUTATION_COST, FakeShopify
from streams.demo.shops.vendor import TOKEN_PATH
from tests.conformance.rig import update
from tests.integration.sinks.waiting import QUICK, micros, until

SEVERAL: Limits = {
    "feeds": (CallsPerWindow(3, 3_600 * SECOND, 3),),
    "looks": (RateAndBurst(500, SECOND, 20),),
}


@asynccontextmanager
async def sinks(
    url: str, account: str, limits: Limits, *names: str, terms: Terms = QUICK
) -> AsyncIterator[list[SharedMeters]]:
    """The meters of several sinks of an account whose buckets are full."""
    async with AsyncExitStack() as opened, Redis.from_url(url) as redis:
        found = []
        for name in names:
            budgets = {
                route: SharedBudget(url, f"{account}/{route}", name, CallBudget.of(stated), micros, terms=terms)
                for route, stated in limits.items()
            }
            for budget in budgets.values():
                await budget.open()
                opened.push_async_callback(budget.close)
            for budget in budgets.values():
                await until(lambda member=budget.member: member.shared)
            found.append(SharedMeters(budgets))
        await asyncio.sleep(0.1)
        for route in limits:
            # Long after: the buckets, which began empty, are full.
            await redis.hset(f"atstream:budget:{account}/{route}", "t0", 0)
        yield found


async def test_two_sinks_together_get_what_a_window_allows_and_other_routes_go_on(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    async with sinks(redis_server, unique("routes"), SEVERAL, "a", "b") as (one, other):
        taken = [await meters.take("feeds") for meters in (one, other, one, other, one)]
        # A lease may be late, so that of a burst of three at most three are given.
        assert 2 <= sum(taken) <= 3
        assert not taken[-1]
        assert one.wait_s("feeds") > 60
        await until(lambda: other.wait_s("feeds") > 60)
        assert await one.take("looks")
        assert await other.take("looks")


async def test_asking_when_there_will_be_a_token_takes_none(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    async with sinks(redis_server, unique("asking"), SEVERAL, "a") as (meters,):
        await until(lambda: meters.wait_s("feeds") == 0)
        for _ in range(20):
            meters.wait_s("feeds")
            await asyncio.sleep(0.005)
        assert meters.wait_s("feeds") == 0
        assert await meters.take("feeds")


async def test_a_429_of_one_sink_holds_the_route_of_all_back(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    async with sinks(redis_server, unique("429"), SEVERAL, "a", "b") as (one, other):
        one.refused("looks", 60.0)
        await until(lambda: other.wait_s("looks") > 50)
        assert not await other.take("looks")


async def test_without_a_store_there_is_no_token_and_nobody_waits_for_one() -> None:
    budget = SharedBudget("redis://127.0.0.1:1/0", "nowhere", "a", CallBudget.of(SEVERAL["looks"]), micros)
    await budget.open()
    assert not await SharedMeters({"looks": budget}).take("looks")
    await budget.close()


async def test_amazons_feeds_take_their_tokens_from_the_store(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    amazon = FakeAmazon(time.monotonic, {"s3cret"})
    account = unique("amazon")
    async with (
        TestServer(amazon.app(), host="127.0.0.1") as server,
        sinks(redis_server, account, FEED_LIMITS, "a", "b") as (ours, theirs),
    ):
        address = str(server.make_url("/")).rstrip("/")
        settings = AmazonSettings(
            endpoint=address,
            token_url=address + TOKEN_PATH,
            seller_id=SELLER,
            marketplace_ids=MARKETPLACE,
            client_id="client",
            client_secret=SecretStr("s3cret"),
            refresh_token=SecretStr("refresh"),
            feeds=True,
            feed_from=1,
        )
        sink = AmazonSink(settings)
        sink.metered_by(ours)
        assert sink.bulk is not None
        await sink.open()
        sink.bulk.taken_over()
        await sink.bulk.go_on()
        assert sink.bulk.hold_s() == 0
        await until(lambda: sink.bulk is not None and sink.bulk.room(10) > 0)
        sink.bulk.submit([update("L-1", 1, 5, priority="P3")])
        await sink.bulk.go_on()
        await sink.bulk.go_on()
        assert len(amazon.feeds) == 1
        # What is left of createFeed goes to the other sink: then this one has no room, and asks Amazon nothing.
        while await theirs.take(CREATE_FEED):
            pass
        await until(lambda: sink.bulk is not None and sink.bulk.room(10) == 0)
        assert theirs.wait_s(GET_FEEDS) == theirs.wait_s(CREATE_DOCUMENT) == 0
        await sink.close()
    assert amazon.throttled == []


async def test_two_sinks_of_a_shop_never_ask_for_points_that_the_bucket_does_not_hold(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    # It holds more than the sinks know, because the way from a token to the shop takes now longer, now shorter.
    shop = FakeShopify(
        client_secrets={"s3cret"}, clock=time.monotonic, maximum=12 * MUTATION_COST, restore_per_s=300.0
    )
    account = unique("shop")
    async with AsyncExitStack() as opened:
        server = await opened.enter_async_context(TestServer(shop.app(), host="127.0.0.1"))
        settings = ShopifySettings(
            url=str(server.make_url("/")).rstrip("/"),
            location_id="71",
            client_id="client",
            client_secret=SecretStr("s3cret"),
            points_per_s=300,
            points_burst=40,
        )
        limits = settings.call_limits(CallLimits())[CALLS]

        async def tell(name: str) -> None:
            budget = SharedBudget(redis_server, account, name, CallBudget.of(limits), micros, terms=QUICK)
            sink = BudgetedSink(ShopifySink("web", settings, CallLimits()), budget)
            await sink.open()
            opened.push_async_callback(sink.close)
            accepted = 0
            while accepted < 40:
                one = update("4001" if name == "a" else "4002", accepted + 1, accepted)
                (result,) = await sink.send([one])
                accepted += result.outcome is Outcome.ACCEPTED
                assert result.reason in (None, NO_TOKEN)
                await asyncio.sleep(min(budget.wait_s(), 0.005))

        await asyncio.gather(tell("a"), tell("b"))
    assert shop.mutations == 80
