"""Limits by route: what each kind documents, what an operator says instead, and calls that take a token each."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from connectors.channels.amazon import AmazonSettings
from connectors.channels.amazon_calls import FEED_LIMITS
from connectors.channels.bigcommerce import BigCommerceSettings
from connectors.channels.http import Answered, CallFailed
from connectors.channels.kind import CALLS, CallLimits, KindSettings
from connectors.channels.kinds import MODULES, kind_named
from connectors.channels.rate import OwnBucket
from connectors.channels.routes import NO_TOKEN, OwnMeters, RoutedCaller, as_told
from connectors.channels.shopify import ShopifySettings
from connectors.channels.walmart import WalmartSettings
from domain.facts import SECOND
from domain.limits import CallBudget, CallsPerWindow, RateAndBurst, SerialOnly
from domain.limits_own import OwnBudget

AMAZON = {"endpoint": "https://sp.example", "seller_id": "S", "marketplace_ids": "M", "client_id": "c"}
ANSWERED = Answered(200, {}, b"{}", None)


def limits(kind: type[KindSettings], **fields: object) -> Mapping[str, tuple[object, ...]]:
    filled = {name: field.get_default() for name, field in kind.model_fields.items() if not field.is_required()}
    return kind.model_construct(**{**filled, **fields}).call_limits(CallLimits())


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_kind_states_limits_of_single_calls_that_can_be_kept(name: str) -> None:
    stated = limits(kind_named(name).settings)
    budgets = {route: CallBudget.of(of_route) for route, of_route in stated.items()}  # type: ignore[arg-type]
    assert OwnBudget(budgets[CALLS]).take(0)


def test_amazon_is_called_five_times_a_second_and_has_routes_for_feeds_only_when_they_are_used() -> None:
    assert limits(AmazonSettings, **AMAZON) == {CALLS: (RateAndBurst(5, SECOND, 5),)}
    with_feeds = limits(AmazonSettings, **AMAZON, feeds=True)
    assert set(with_feeds) == {CALLS, *FEED_LIMITS}
    (submissions,) = FEED_LIMITS["createFeed"]
    assert isinstance(submissions, CallsPerWindow)
    assert submissions[:2] == (5, 300 * SECOND)


def test_walmart_takes_ten_feeds_an_hour_and_no_more_bytes_than_ten_of_the_largest() -> None:
    calls, size = limits(WalmartSettings, feed_from=10)["feeds"]
    assert isinstance(calls, CallsPerWindow)
    assert calls[:2] == (10, 3_600 * SECOND)
    assert size.meter() == calls.meter()  # type: ignore[attr-defined]


def test_bigcommerce_wants_one_call_at_a_time_until_an_operator_says_otherwise() -> None:
    quota, serial = limits(BigCommerceSettings)[CALLS]
    assert serial == SerialOnly(10 * SECOND)
    assert as_told((quota,), None, None, None) == (quota,)  # type: ignore[arg-type]


def test_shopifys_points_are_reserved_for_a_mutation_an_attempt() -> None:
    budget = OwnBudget(CallBudget.of(limits(ShopifySettings, points_per_s=200, points_burst=2_000)[CALLS]))  # type: ignore[arg-type]
    assert sum(budget.take(0) for _ in range(300)) == 200
    assert sum(budget.take(SECOND) for _ in range(300)) == 20


@pytest.mark.parametrize(
    ("rate_per_s", "burst", "told"),
    [
        (None, None, (CallsPerWindow(150, 30 * SECOND, 10),)),
        (15.0, None, (RateAndBurst(15, SECOND, 10),)),
        (None, 3, (RateAndBurst(1, 212_766, 3),)),
        (0.5, 2, (RateAndBurst(1, 2 * SECOND, 2),)),
    ],
)
def test_what_an_operator_says_takes_the_place_of_what_is_documented(
    rate_per_s: float | None, burst: int | None, told: tuple[object, ...]
) -> None:
    documented = (CallsPerWindow(150, 30 * SECOND, 10), SerialOnly(SECOND))
    assert as_told(documented, rate_per_s, burst, None) == told
    assert as_told(documented, rate_per_s, burst, SerialOnly(9)) == (*told, SerialOnly(9))


class Scripted:
    """A channel that gives one answer, and counts."""

    def __init__(self, answer: Answered | CallFailed) -> None:
        self.answer = answer
        self.calls = 0

    async def call(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answered | CallFailed:
        self.calls += 1
        return self.answer


async def test_a_call_without_a_token_is_not_made_and_certainly_did_not_arrive() -> None:
    channel, now = Scripted(ANSWERED), [100.0]
    limits = {"feeds": (RateAndBurst(1, 10 * SECOND, 1),), "looks": (RateAndBurst(1, SECOND, 1),)}
    meters = OwnMeters(limits, lambda: now[0])
    caller = RoutedCaller(channel, meters)
    assert await caller.call("feeds", "POST", "/feeds") == ANSWERED
    refused = await caller.call("feeds", "POST", "/feeds")
    assert isinstance(refused, CallFailed)
    assert (refused.outcome.value, refused.reason) == ("RETRY", NO_TOKEN)
    assert channel.calls == 1
    assert await caller.call("looks", "GET", "/feeds") == ANSWERED
    assert meters.wait_s("feeds") == 10.0
    now[0] += 10
    assert await caller.call("feeds", "POST", "/feeds") == ANSWERED


async def test_tokens_that_will_be_there_soon_are_waited_for_and_the_others_not() -> None:
    limits = {"points": (RateAndBurst(100, SECOND, 5),), "slow": (RateAndBurst(1, SECOND, 5),)}
    meters = OwnMeters(limits, time.monotonic)
    for route in limits:
        assert await meters.take(route, 5, 5) == 5
    assert await meters.take("points", 2, 2) >= 2
    assert await meters.take("slow", 2, 2) == 0


async def test_what_delivery_takes_and_what_an_attempt_takes_is_of_one_budget() -> None:
    meters = OwnMeters({CALLS: (RateAndBurst(1, 10 * SECOND, 5),)}, lambda: 100.0)
    bucket = OwnBucket(meters.budget(CALLS))
    bucket.take(100.0)
    assert await meters.take(CALLS, 9, 1) == 4
    assert bucket.wait_s(100.0) == 10.0
    meters.lower(CALLS, 0)
    assert bucket.wait_s(120.0) == 0.0
    meters = OwnMeters({CALLS: (RateAndBurst(1, 10 * SECOND, 5),)}, lambda: 100.0)
    meters.lower(CALLS, 2)
    assert await meters.take(CALLS, 9, 1) == 2


@pytest.mark.parametrize(("wait_s", "waits"), [(None, 2.0), (30.0, 30.0)])
async def test_a_429_empties_its_route_and_no_other(wait_s: float | None, waits: float) -> None:
    channel = Scripted(Answered(429, {}, b"", wait_s))
    limit = (RateAndBurst(1, SECOND, 5),)
    meters = OwnMeters({"feeds": limit, "looks": limit}, lambda: 100.0)
    await RoutedCaller(channel, meters).call("feeds", "POST", "/feeds")
    assert meters.wait_s("feeds") == pytest.approx(waits, abs=0.01)
    assert meters.wait_s("looks") == 0.0
