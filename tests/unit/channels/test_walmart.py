"""Single updates, updates by node, tokens, quotas and refusals of Walmart Marketplace."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from connectors.channels.base import Outcome
from connectors.channels.kind import CallLimits
from connectors.channels.walmart import WalmartSettings, WalmartSink
from connectors.channels.walmart_wire import Place, place, replenished_s, single_path
from streams.demo.shops.vendor import TOKEN_PATH, Fault
from tests.conformance.rig import Clock, Journal, Lifetime, update
from tests.fakes.walmart import FakeWalmart

SECRET = "s3cret-of-the-client"
BASIC = "Basic " + b64encode(f"client-7:{SECRET}".encode()).decode("ascii")
Opened = Callable[..., AbstractAsyncContextManager[WalmartSink]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def walmart(clock: Clock) -> FakeWalmart:
    return FakeWalmart({BASIC}, per_minute=5, clock=clock.wall_s)


@pytest.fixture
async def opened(walmart: FakeWalmart, clock: Clock) -> AsyncIterator[Opened]:
    async with TestServer(walmart.app(), host="127.0.0.1") as server:

        @asynccontextmanager
        async def open_one(by_node: bool = False) -> AsyncIterator[WalmartSink]:
            address = str(server.make_url("/")).rstrip("/")
            settings = WalmartSettings(
                api_url=address,
                token_url=address + TOKEN_PATH,
                client_id="client-7",
                client_secret=SecretStr(SECRET),
                by_node=by_node,
            )
            sink = WalmartSink(settings, CallLimits(), wall_clock=clock.wall_s, monotonic=clock.monotonic)
            await sink.open()
            try:
                yield sink
            finally:
                await sink.close()

        yield open_one


@pytest.mark.parametrize(
    ("listing", "by_node", "named"),
    [
        ("SKU/7", False, Place("SKU/7", None)),
        ("", False, None),
        ("10001/SKU/7", True, Place("SKU/7", "10001")),
        ("SKU", True, None),
        ("/SKU", True, None),
        ("10001/", True, None),
    ],
)
def test_a_listing_is_a_sku_or_a_node_and_a_sku(listing: str, by_node: bool, named: Place | None) -> None:
    assert place(listing, by_node) == named


async def test_a_single_call_carries_one_sku_whatever_is_in_it(walmart: FakeWalmart, opened: Opened) -> None:
    awkward = "A/B c?d=&e#f%g+h'ü"
    assert "A%2FB%20c%3Fd%3D%26e%23f%25g%2Bh" in single_path(awkward)
    async with opened() as sink:
        assert sink.limits.max_updates == 1
        (result,) = await sink.send([update(awkward, quantity=3)])
    assert result.outcome is Outcome.ACCEPTED
    assert walmart.taken == [(awkward, 3)]


async def test_the_minute_is_used_up_and_no_further_and_then_waited_for(
    walmart: FakeWalmart, opened: Opened, clock: Clock
) -> None:
    async with opened() as sink:
        life = Lifetime(sink, Journal(), clock)
        life.arrive(*(update(f"S-{number}") for number in range(12)))
        await life.deliver(60)
    assert len(walmart.taken) == 12
    assert walmart.above_limit == 0
    assert {outcome for _, _, outcome in life.journal.outcomes()} == {"ACCEPTED"}


async def test_an_unknown_sku_is_rejected_with_walmarts_words(walmart: FakeWalmart, opened: Opened) -> None:
    walmart.refused.add("S-1")
    async with opened() as sink:
        (result,) = await sink.send([update("S-1")])
    assert result.outcome is Outcome.REJECTED
    assert result.reason == "HTTP 404: CONTENT_NOT_FOUND.GMP_INVENTORY_API: told by Walmart"


async def test_an_address_that_does_not_exist_is_an_outage_and_rejects_nothing(
    walmart: FakeWalmart, opened: Opened
) -> None:
    walmart.next_faults.append(Fault(404, body="<h1>not found</h1>"))
    async with opened() as sink:
        (result,) = await sink.send([update("S-1")])
    assert result.outcome is Outcome.RETRY


async def test_nodes_of_one_sku_share_a_call_and_each_has_its_own_answer(
    walmart: FakeWalmart, opened: Opened
) -> None:
    walmart.refused.add("10002/S-1")
    walmart.troubled.add("10003/S-1")
    batch = [update(listing) for listing in ("10001/S-1", "10002/S-1", "10001/S-2", "10003/S-1", "nowhere")]
    async with opened(by_node=True) as sink:
        results = await sink.send(batch)
    outcomes = [one.outcome for one in results]
    assert outcomes == [Outcome.ACCEPTED, Outcome.REJECTED, Outcome.LATER, Outcome.SPLIT, Outcome.REJECTED]
    assert results[1].reason == "INVALID_SHIP_NODE.GMP_INVENTORY_API: told by Walmart"
    assert (walmart.calls, walmart.taken) == (1, [("10001/S-1", 5)])


@pytest.mark.parametrize(
    ("nodes", "outcome", "reason"),
    [
        ("[]", Outcome.UNKNOWN, "NOT_IN_ANSWER"),
        ('[{"shipNode": "10001"}]', Outcome.UNKNOWN, "NODE_STATUS None"),
        ('[{"shipNode": "10001", "status": "PENDING", "errors": []}, 7]', Outcome.UNKNOWN, "NODE_STATUS PENDING"),
        ('[{"shipNode": 10001, "status": "SUCCESS"}]', Outcome.ACCEPTED, None),
        ('[{"shipNode": "10001", "errors": [{}]}]', Outcome.REJECTED, "NO_CODE:"),
    ],
)
async def test_only_a_node_that_says_success_has_taken_its_quantity(
    walmart: FakeWalmart, opened: Opened, nodes: str, outcome: Outcome, reason: str | None
) -> None:
    walmart.next_faults.append(Fault(200, body=f'{{"sku": "S-1", "nodes": {nodes}}}'))
    async with opened(by_node=True) as sink:
        (result,) = await sink.send([update("10001/S-1")])
    assert (result.outcome, result.reason) == (outcome, reason)


async def test_a_token_is_fetched_anew_before_its_fifteen_minutes_end(
    walmart: FakeWalmart, opened: Opened, clock: Clock
) -> None:
    async with opened() as sink:
        await sink.send([update("S-1")])
        clock.advance(800)
        await sink.send([update("S-2")])
        assert walmart.token_requests == 1
        clock.advance(50)
        walmart.expire_tokens()
        (result,) = await sink.send([update("S-3")])
    assert result.outcome is Outcome.ACCEPTED
    assert walmart.token_requests == 2
    assert walmart.calls == 3


async def test_retries_of_a_call_have_one_correlation_id_and_other_calls_another(
    walmart: FakeWalmart, opened: Opened
) -> None:
    async with opened() as sink:
        for publish_seq in (1, 1, 2):
            await sink.send([update("S-1", publish_seq)])
    first, second, third = walmart.correlations
    assert first == second != third


@pytest.mark.parametrize(
    ("stated", "wait_s"),
    [
        ("1767225640", 30.0),
        ("1767225640000", 30.0),
        ("2026-01-01T00:00:40Z", 30.0),
        ("2026-01-01T00:00:40", 30.0),
        ("2026-01-01T01:00:40+01:00", 30.0),
        ("0", 0.0),
        ("9" * 300, 300.0),
        ("9999-12-31T23:59:59Z", 300.0),
        ("soon", None),
        ("", None),
        ("٣", None),
    ],
)
def test_the_time_of_the_next_token_is_read_in_any_form_and_bounded(stated: str, wait_s: float | None) -> None:
    assert replenished_s({"x-next-replenishment-time": stated}, Clock().wall_s(), 300.0) == wait_s


def test_feeds_are_off_unless_asked_for_and_lengthen_what_a_rebalance_waits_for() -> None:
    common = {"client_id": "client-7", "client_secret": SecretStr(SECRET)}
    without = WalmartSettings(**common)
    assert WalmartSink(without, CallLimits()).bulk is None
    assert without.attempt_s(CallLimits()) == 10.0
    with_feeds = WalmartSettings(**common, feed_from=2_000)
    assert WalmartSink(with_feeds, CallLimits()).bulk is not None
    assert with_feeds.attempt_s(CallLimits()) > without.attempt_s(CallLimits())
