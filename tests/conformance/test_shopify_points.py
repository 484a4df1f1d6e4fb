"""Shopify's points: every call pays for itself, and an attempt that is broken off is never in vain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp.test_utils import TestServer

from connectors.channels.base import COST_BUCKET, Outcome, Update, refusal_s
from connectors.channels.kind import CALLS, CallLimits
from connectors.channels.shopify import UNREAD, ShopifySink
from streams.demo.shops.shopify import FakeShopify
from tests.conformance.rig import Clock, Journal, Lifetime
from tests.conformance.test_shopify_sink import SECRET, ShopifyBench


@dataclass
class Meters:
    """A meter that has ``tokens`` to give, ``most`` at once, and writes down what it is asked and told."""

    tokens: int = 1_000
    most: int = 1_000
    taken: list[tuple[int, int, int]] = field(default_factory=list)
    told: list[int] = field(default_factory=list)

    def wait_s(self, route: str) -> float:
        assert route == CALLS
        return 7.0

    async def take(self, route: str, wanted: int = 1, least: int = 1) -> int:
        assert route == CALLS
        given = min(wanted, self.tokens, self.most)
        given = given if given >= least else 0
        self.tokens -= given
        self.taken.append((wanted, least, given))
        return given

    def lower(self, route: str, left: int) -> None:
        assert route == CALLS
        self.told.append(left)

    def refused(self, route: str, wait_s: float) -> None:
        raise AssertionError("delivery tells refusals")


@pytest.fixture
async def bench() -> AsyncIterator[ShopifyBench]:
    clock = Clock()
    vendor = FakeShopify(client_secrets={SECRET}, clock=clock.monotonic, maximum=1_000.0)
    async with TestServer(vendor.app(), host="127.0.0.1") as server:
        yield ShopifyBench(vendor, server, clock)
    assert vendor.malformed == []
    assert vendor.throttled == []


@asynccontextmanager
async def metered(bench: ShopifyBench, meters: Meters) -> AsyncIterator[ShopifySink]:
    sink = ShopifySink("web", bench.settings(), CallLimits(), monotonic=bench.clock.monotonic)
    sink.metered_by(meters)
    await sink.open()
    yield sink
    await sink.close()


def drifted(bench: ShopifyBench, count: int, first: int = 1) -> list[Update]:
    """So many listings whose shop shows 7 where we believe 9 and want 4."""
    numbers = range(first, first + count)
    bench.vendor.available |= {bench.listing(number): 7 for number in numbers}
    return [bench.update(number, 1, 4)._replace(expected_previous=9) for number in numbers]


def points(vendor: FakeShopify) -> float:
    return vendor.maximum - vendor._points


async def test_a_mutation_is_paid_for_by_the_token_of_its_attempt(bench: ShopifyBench) -> None:
    meters = Meters()
    async with metered(bench, meters) as sink:
        await sink.send([bench.update(number) for number in (1, 2, 3)])
    assert meters.taken == []
    assert meters.told == [99]


async def test_every_further_call_takes_the_tokens_for_its_cost_in_one_lease(bench: ShopifyBench) -> None:
    meters = Meters()
    async with metered(bench, meters) as sink:
        results = await sink.send(drifted(bench, 5))
    assert {one.outcome for one in results} == {Outcome.ACCEPTED}
    # Five items are 15 points, of which a part is of use too; then the mutation that sets them.
    assert meters.taken == [(2, 1, 2), (1, 1, 1)]
    assert points(bench.vendor) == 10 + 15 + 10
    assert meters.told == [99, 97, 96]


async def test_a_mutation_that_costs_more_takes_all_its_tokens_anew_or_is_not_made(bench: ShopifyBench) -> None:
    meters, mutations = Meters(), []
    async with metered(bench, meters) as sink:
        sink._calls._bucket.mutation_cost = 25.0
        await sink.send([bench.update(1)])
        mutations.append(bench.vendor.mutations)
        sink._calls._bucket.mutation_cost, meters.tokens = 25.0, 2
        (result,) = await sink.send([bench.update(2)])
        mutations.append(bench.vendor.mutations)
    assert meters.taken == [(3, 3, 3), (3, 3, 0)]
    assert mutations == [1, 1]
    assert result[2:] == (Outcome.RETRY, COST_BUCKET, 7.0, None)


async def test_no_more_is_read_than_there_are_tokens_for_and_the_rest_waits_on(bench: ShopifyBench) -> None:
    meters = Meters(3)
    async with metered(bench, meters) as sink:
        results = await sink.send(drifted(bench, 40))
    # Three tokens are ten items; then there is none for the mutation.
    assert meters.taken == [(12, 1, 3), (1, 1, 0)]
    assert [one.reason for one in results] == [COST_BUCKET] * 10 + [UNREAD] * 30
    assert {one.outcome for one in results[10:]} == {Outcome.LATER}
    assert points(bench.vendor) == 10 + 30


async def test_with_the_tokens_of_attempts_alone_everything_is_set_one_call_an_attempt(
    bench: ShopifyBench,
) -> None:
    """Others take every token that comes: each attempt gets on by the call that it has paid for."""
    meters, journal, calls = Meters(0), Journal(), []
    fresh = [bench.update(number, 1, 4) for number in range(20, 23)]
    async with metered(bench, meters) as sink:
        life = Lifetime(sink, journal, bench.clock)
        life.arrive(*drifted(bench, 10), *fresh)
        for _ in range(30):
            bench.clock.advance(life.delivery.wait_s())
            before = bench.vendor.mutations + bench.vendor.queries
            await life.delivery.attempt()
            calls.append(bench.vendor.mutations + bench.vendor.queries - before)
            if not len(life.backlog):
                break
    assert set(calls) == {1}
    assert set(bench.shown().values()) == {4}
    assert {outcome for _, _, outcome in journal.outcomes()} == {"ACCEPTED"}
    # Ten items need four reads of three; a mutation each sets what was read, and one has shown what drifted.
    assert len(calls) <= 1 + 2 * 4
    assert life.delivery.tallies.throttled == 0


async def test_what_was_read_before_is_still_compared_when_it_is_set(bench: ShopifyBench) -> None:
    meters = Meters(1)
    async with metered(bench, meters) as sink:
        (update,) = drifted(bench, 1)
        (broken_off,) = await sink.send([update])
        bench.vendor.available[bench.listing(1)] = 6
        meters.tokens = 10
        (result,) = await sink.send([update])
    assert broken_off.reason == COST_BUCKET
    assert result[2:] == (Outcome.ACCEPTED, "DRIFT: it showed 6, we believed 9", None, 6)
    assert bench.shown()[bench.listing(1)] == 4


async def test_an_attempt_broken_off_before_its_new_key_begins_with_it(bench: ShopifyBench) -> None:
    bench.refuse(bench.listing(1))
    meters = Meters(0)
    async with metered(bench, meters) as sink:
        outcomes = [(await sink.send([bench.update(1)]))[0].outcome]
        bench.vendor.refused.clear()
        for _ in range(2):
            outcomes += [(await sink.send([bench.update(1)]))[0].outcome]
    assert outcomes == [Outcome.REJECTED, Outcome.RETRY, Outcome.ACCEPTED]
    assert bench.vendor.mutations == 3


async def test_too_few_points_are_no_refusal_and_a_throttled_call_is_one(bench: ShopifyBench) -> None:
    async with metered(bench, Meters(0)) as sink:
        broken_off = await sink.send(drifted(bench, 1))
        bench.vendor.next_faults.append(bench.vendor.throttling(3))
        throttled = await sink.send([bench.update(2)])
    assert broken_off[0].retry_after_s == 7.0
    assert refusal_s(broken_off) is None
    assert throttled[0].reason == "THROTTLED"
    assert refusal_s([*broken_off, *throttled]) == throttled[0].retry_after_s


async def test_an_attempt_that_settled_something_has_not_failed_for_what_it_did_not_get_to(
    bench: ShopifyBench,
) -> None:
    async with metered(bench, Meters(most=1)) as sink:
        results = await sink.send(drifted(bench, 40))
    # Three items are read three times, and set twice.
    assert [one.outcome for one in results] == [Outcome.ACCEPTED] * 6 + [Outcome.LATER] * 34
