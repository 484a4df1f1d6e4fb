"""Inventory feeds of Walmart: worked off later, ten an hour, and never with an old value behind a newer one."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from connectors.channels.backoff import Backoff
from connectors.channels.base import Outcome, Result
from connectors.channels.bulk import BulkRoute, HasBulkRoute
from connectors.channels.delivery import Delivery
from connectors.channels.http import Answered
from connectors.channels.kind import CallLimits
from connectors.channels.rate import TokenBucket
from connectors.channels.walmart import WalmartSettings, WalmartSink
from connectors.channels.walmart_feed_wire import details
from streams.demo.shops.vendor import TOKEN_PATH, Fault
from tests.conformance.rig import Clock, Journal, Lifetime, update
from tests.fakes.walmart import FakeWalmart, Feed

SECRET = "s3cret-of-the-client"
BASIC = "Basic " + b64encode(f"client-7:{SECRET}".encode()).decode("ascii")


class Shop:
    """Walmart, a process that tells it, and the clock of both."""

    def __init__(self, address: str, walmart: FakeWalmart, clock: Clock) -> None:
        self.address = address
        self.walmart = walmart
        self.clock = clock
        self.journal = Journal()
        self.sinks: list[WalmartSink] = []
        self.by_node = False
        self.max_bytes = 1_000_000

    async def process(self) -> Lifetime:
        """A sink process that begins."""
        settings = WalmartSettings(
            api_url=self.address,
            token_url=self.address + TOKEN_PATH,
            client_id="client-7",
            client_secret=SecretStr(SECRET),
            by_node=self.by_node,
            feed_from=10,
        )
        calls = CallLimits(100, self.max_bytes, 1_000_000, 1.0, 0.3)
        sink = WalmartSink(settings, calls, wall_clock=self.clock.wall_s, monotonic=self.clock.monotonic)
        assert isinstance(sink, HasBulkRoute)
        assert sink.bulk is not None
        self.sinks.append(sink)
        await sink.open()
        life = Lifetime(sink, self.journal, self.clock)
        life.delivery = Delivery(
            sink=sink,
            backlog=life.backlog,
            latest=life.latest,
            acknowledge=self.journal,
            bucket=TokenBucket(1000.0, 1000),
            backoff=Backoff(1.0, 60.0, lambda low, high: high),
            wall_clock=self.clock.wall,
            monotonic=self.clock.monotonic,
            bulk=sink.bulk,
        )
        sink.bulk.taken_over()
        return life

    async def listen(self, life: Lifetime, steps: int = 3) -> list[Result]:
        """What the task beside the delivery does."""
        bulk = life.delivery.bulk
        assert bulk is not None
        answered: list[Result] = []
        for _ in range(steps):
            results = await bulk.go_on()
            await life.delivery.settle_later(results)
            answered += results
        return answered


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    clock = Clock()
    walmart = FakeWalmart({BASIC}, per_minute=10_000, clock=clock.wall_s)
    async with TestServer(walmart.app(), host="127.0.0.1") as server:
        shop = Shop(str(server.make_url("/")).rstrip("/"), walmart, clock)
        yield shop
        for sink in shop.sinks:
            await sink.close()
        walmart.release()


def many(publish_seq: int = 1, quantity: int = 5, count: int = 12) -> list:
    return [update(f"S-{number:03}", publish_seq, quantity, priority="P3") for number in range(count)]


def bulk_of(life: Lifetime) -> BulkRoute:
    assert life.delivery.bulk is not None
    return life.delivery.bulk


def told(shop: Shop) -> set[str]:
    return {outcome for _, _, outcome in shop.journal.outcomes()}


async def test_many_updates_go_in_one_feed_and_are_accepted_when_it_is_worked_off(shop: Shop) -> None:
    life = await shop.process()
    await shop.listen(life)
    life.arrive(*many())
    await life.delivery.attempt()
    await shop.listen(life)
    assert len(shop.walmart.feeds) == 1
    assert shop.journal.outcomes() == []
    shop.walmart.work_off()
    assert await shop.listen(life) == []  # not asked again before its time
    shop.clock.advance(60)
    await shop.listen(life)
    assert told(shop) == {"ACCEPTED"}
    assert dict(shop.walmart.taken) == {one.listing: 5 for one in many()}
    assert life.delivery.submitted == 0


async def test_few_updates_and_urgent_ones_do_not_wait_for_a_feed(shop: Shop) -> None:
    life = await shop.process()
    await shop.listen(life)
    life.arrive(*many(count=11), update("stop", 1, 0, priority="P0"), update("first", 1, 9, priority="P1"))
    await life.delivery.attempt()
    await life.delivery.attempt()
    assert shop.walmart.taken == [("stop", 0), ("first", 9)]
    await shop.listen(life)
    ((_, first), *_) = shop.walmart.feeds[0].quantities
    assert first == {"S-000": 5}
    life.arrive(update("later", 1, 3, priority="P3"))
    await life.delivery.attempt()
    assert shop.walmart.taken[-1] == ("later", 3)


async def test_each_sku_of_a_feed_gets_its_own_answer_through_all_pages(shop: Shop) -> None:
    life = await shop.process()
    await shop.listen(life)
    life.arrive(*many(count=320))
    await life.delivery.attempt()
    await shop.listen(life)
    errors = {"S-007": "DATA_ERROR", "S-200": "SYSTEM_ERROR", "S-319": "TIMEOUT_ERROR", "S-111": "INPROGRESS"}
    shop.walmart.work_off(**errors)
    shop.clock.advance(60)
    results = {one.listing: one for one in await shop.listen(life)}
    assert len(results) == 320
    unusual = {listing: one.outcome for listing, one in results.items() if one.outcome is not Outcome.ACCEPTED}
    assert unusual == {
        "S-007": Outcome.REJECTED, "S-200": Outcome.RETRY, "S-319": Outcome.RETRY, "S-111": Outcome.UNKNOWN
    }  # fmt: skip
    assert results["S-007"].reason == "DATA_ERROR ERR_EXT_DATA_0101: S-007 is no SKU of yours"
    await life.deliver()  # what failed at Walmart goes again, newest value, the fast way
    assert dict(shop.walmart.taken)["S-200"] == 5


async def test_nodes_of_a_sku_share_an_entry_and_its_answer(shop: Shop) -> None:
    shop.by_node = True
    life = await shop.process()
    await shop.listen(life)
    listings = [f"{node}/S-{number}" for number in range(5) for node in (10001, 10002, 10003)]
    life.arrive(*(update(listing, 1, 4, priority="P3") for listing in listings))
    await life.delivery.attempt()
    await shop.listen(life)
    (feed,) = shop.walmart.feeds
    assert feed.feed_type == "MP_INVENTORY"
    assert feed.quantities[0] == ("S-0", {"10001/S-0": 4, "10002/S-0": 4, "10003/S-0": 4})
    shop.walmart.work_off(**{"S-3": "DATA_ERROR"})
    shop.clock.advance(60)
    results = await shop.listen(life)
    assert {one.listing for one in results if one.outcome is Outcome.REJECTED} == {
        "10001/S-3", "10002/S-3", "10003/S-3"
    }  # fmt: skip
    assert len(results) == len(listings)


async def test_a_stop_sell_behind_a_feed_is_sent_at_once_when_the_feed_is_worked_off(shop: Shop) -> None:
    life = await shop.process()
    await shop.listen(life)
    life.arrive(*many())
    await life.delivery.attempt()
    await shop.listen(life)
    life.arrive(update("S-003", 2, 0, priority="P0"))
    await life.delivery.attempt()
    assert shop.walmart.taken == []
    shop.walmart.work_off()
    await shop.listen(life)  # hurried: looked at before its time
    await life.deliver()
    assert shop.walmart.taken[-1] == ("S-003", 0)
    assert shop.journal.outcomes()[-1] == ("S-003", 2, "ACCEPTED")


async def test_no_more_than_ten_feeds_are_submitted_in_any_hour(shop: Shop) -> None:
    life = await shop.process()
    await shop.listen(life)
    submitted_at: list[float] = []
    for turn in range(40):
        life.arrive(
            *(update(f"T-{turn}-{number}", 1, 1, priority="P3", expires_in_s=90_000) for number in range(10))
        )
        before = len(shop.walmart.feeds)
        if bulk_of(life).room(10):
            await life.delivery.attempt()
            await shop.listen(life)
        if len(shop.walmart.feeds) > before:
            submitted_at.append(shop.clock.now_s)
        shop.walmart.work_off()
        shop.clock.advance(150)
        await shop.listen(life)
    assert len(submitted_at) >= 15
    assert all(later - first >= 3600 for first, later in zip(submitted_at, submitted_at[10:], strict=False))
    assert shop.walmart.above_limit == 0


async def test_a_process_that_takes_over_sends_nothing_before_the_feed_of_the_former_has_ended(
    shop: Shop,
) -> None:
    former = await shop.process()
    await shop.listen(former)
    former.arrive(*many(quantity=9))
    await former.delivery.attempt()
    await shop.listen(former)
    assert len(shop.walmart.feeds) == 1
    # It is killed: nothing was acknowledged, so the next one reads the updates again, and newer ones.
    life = await shop.process()
    life.arrive(*many(quantity=9), *many(2, 0))
    assert life.delivery.wait_s() > 0
    await shop.listen(life)
    assert life.delivery.wait_s() > 0
    assert bulk_of(life).room(12) == 0
    shop.walmart.work_off()
    shop.clock.advance(60)
    await shop.listen(life)
    assert bulk_of(life).hold_s() == 0
    await life.delivery.attempt()
    await shop.listen(life)
    shop.walmart.work_off()
    shop.clock.advance(60)
    await shop.listen(life)
    assert dict(shop.walmart.taken) == {one.listing: 0 for one in many()}
    assert told(shop) == {"ACCEPTED"}


@pytest.mark.parametrize(
    "fault", [Fault(taken=True, closed=True), Fault(502, taken=True), Fault(200, body="{}", taken=True)]
)
async def test_a_feed_without_an_answer_is_waited_for_and_its_updates_are_sent_again(
    shop: Shop, fault: Fault
) -> None:
    life = await shop.process()
    await shop.listen(life)
    shop.walmart.next_faults.append(fault)
    life.arrive(*many(quantity=9))
    await life.delivery.attempt()
    await shop.listen(life, 1)
    life.arrive(*many(2, 0))
    await shop.listen(life)
    assert life.delivery.wait_s() > 0
    assert shop.journal.outcomes() == []
    shop.walmart.work_off()
    shop.clock.advance(60)
    results = await shop.listen(life)
    assert {(one.outcome, one.reason) for one in results} == {(Outcome.UNKNOWN, "NO_FEED_ID")}
    await life.delivery.attempt()
    await shop.listen(life)
    shop.walmart.work_off()
    shop.clock.advance(60)
    await shop.listen(life)
    assert dict(shop.walmart.taken) == {one.listing: 0 for one in many()}


@pytest.mark.parametrize("fault", [Fault(429, {"Retry-After": "90"}), Fault(503), Fault(401), Fault(400)])
async def test_a_feed_that_is_not_taken_goes_back_to_the_backlog(shop: Shop, fault: Fault) -> None:
    life = await shop.process()
    await shop.listen(life)
    life.arrive(*many())
    await life.delivery.attempt()
    shop.walmart.next_faults += [fault] * (2 if fault.status == 401 else 1)
    await shop.listen(life, 1)
    assert life.delivery.submitted == 0
    assert bulk_of(life).room(1000) == 0
    await life.deliver()
    assert dict(shop.walmart.taken) == {one.listing: 5 for one in many()}


async def test_a_feed_that_fails_as_a_whole_is_tried_in_halves(shop: Shop) -> None:
    life = await shop.process()
    await shop.listen(life)
    life.arrive(*many(count=40))
    await life.delivery.attempt()
    await shop.listen(life)
    shop.walmart.feeds[0].status = "ERROR"
    shop.clock.advance(60)
    results = await shop.listen(life)
    assert {(one.outcome, one.reason) for one in results} == {(Outcome.SPLIT, "FEED_ERROR")}
    assert bulk_of(life).room(1000) == 20


async def test_a_feed_that_never_ends_is_given_up_as_unknown(shop: Shop) -> None:
    life = await shop.process()
    await shop.listen(life)
    life.arrive(*many())
    await life.delivery.attempt()
    await shop.listen(life)
    shop.clock.advance(14_500)
    results = await shop.listen(life)
    assert {(one.outcome, one.reason) for one in results} == {(Outcome.UNKNOWN, "FEED_TOO_SLOW")}


async def test_feeds_of_others_that_never_end_are_not_waited_for_without_end(shop: Shop) -> None:
    shop.walmart.feeds.append(Feed("F-OF-ANOTHER@A", "inventory", []))
    life = await shop.process()
    await shop.listen(life)
    assert bulk_of(life).hold_s() > 0
    shop.clock.advance(14_500)
    await shop.listen(life)
    assert bulk_of(life).hold_s() == 0


async def test_a_list_of_feeds_that_cannot_be_read_keeps_everything_waiting(shop: Shop) -> None:
    life = await shop.process()
    for fault in (Fault(500), Fault(200, body="[]"), Fault(200, body='{"results": {}}')):
        shop.walmart.next_faults.append(fault)
        await shop.listen(life)
        assert bulk_of(life).hold_s() > 0
        shop.clock.advance(5)
    await shop.listen(life)
    assert bulk_of(life).hold_s() == 0


async def test_a_list_of_feeds_that_can_never_be_read_does_not_stop_everything_for_good(shop: Shop) -> None:
    life = await shop.process()
    shop.walmart.next_faults += [Fault(403)] * 2
    await shop.listen(life, 1)
    shop.clock.advance(14_500)
    await shop.listen(life, 1)
    assert bulk_of(life).hold_s() == 0


async def test_a_feed_behind_which_a_stop_sell_waits_is_looked_at_more_often(shop: Shop) -> None:
    life = await shop.process()
    await shop.listen(life)
    life.arrive(*many())
    await life.delivery.attempt()
    await shop.listen(life)
    life.arrive(update("S-003", 2, 0, priority="P0"))
    looks = shop.walmart.calls
    for _ in range(6):
        await shop.listen(life)
        shop.clock.advance(10)
    assert shop.walmart.calls - looks == 6


async def test_a_feed_is_cut_to_the_bytes_that_may_be_sent(shop: Shop) -> None:
    shop.max_bytes = 1_000
    life = await shop.process()
    await shop.listen(life)
    life.arrive(*many(count=60))
    await life.delivery.attempt()
    await shop.listen(life)
    (feed,) = shop.walmart.feeds
    assert 1 < len(feed.quantities) < 60
    assert life.delivery.submitted == len(feed.quantities)


async def test_what_was_not_sent_when_listings_went_away_is_handed_back(shop: Shop) -> None:
    life = await shop.process()
    await shop.listen(life)
    life.arrive(*many())
    await life.delivery.attempt()
    bulk_of(life).given_up()
    results = await shop.listen(life)
    assert {one.outcome for one in results} == {Outcome.LATER}
    assert shop.walmart.feeds == []
    await life.deliver(30)
    await shop.listen(life)
    assert len(shop.walmart.feeds) == 1


@pytest.mark.parametrize("stated", ["", " ", None])
def test_an_item_without_a_status_is_unknown_and_the_reason_says_so(stated: str | None) -> None:
    item = {"sku": "S-1", "index": 0, "ingestionStatus": stated}
    body = json.dumps({"itemDetails": {"itemIngestionStatus": [item]}}).encode()
    [found] = details(Answered(200, {}, body, None))
    assert (found.outcome, found.reason) == (Outcome.UNKNOWN, "NO_STATUS")
