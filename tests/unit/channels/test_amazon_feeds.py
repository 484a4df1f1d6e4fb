"""The bulk route to Amazon against the fake, step by step and by a clock that only the tests move."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from connectors.channels.amazon import AmazonSettings, AmazonSink
from connectors.channels.amazon_feeds import AmazonFeeds
from connectors.channels.base import Outcome, Result, Update
from connectors.channels.delivery import Delivery
from connectors.channels.kind import CallLimits
from connectors.channels.rate import TokenBucket
from streams.demo.shops.amazon import FakeAmazon
from streams.demo.shops.amazon_feeds import (
    CANCELLED,
    DONE,
    FATAL,
    IN_PROGRESS,
    IN_QUEUE,
    MARKETPLACE,
    SELLER,
    Feed,
)
from streams.demo.shops.vendor import TOKEN_PATH, Fault
from tests.conformance.rig import PARTITION, Clock, Journal, Lifetime, update


class Racing(FakeAmazon):
    """While ``racing``, work on a feed begins just when it is cancelled: Amazon says yes, and goes on."""

    racing = False

    async def _cancel_feed(self, request: web.Request) -> web.Response:
        if not self.racing:
            return await super()._cancel_feed(request)
        self.operations.append("cancelFeed")
        self.begin(self.feeds[request.match_info["feed"]])
        return web.Response()


class Shop:
    """One seller, and sink processes that come and go."""

    def __init__(self, amazon: Racing, server: TestServer, clock: Clock) -> None:
        self.amazon = amazon
        self.server = server
        self.clock = clock
        self.journal = Journal()
        self.lives: list[Life] = []

    async def life(self, **feeds: object) -> Life:
        """A process starts and is given the partition."""
        address = str(self.server.make_url("/")).rstrip("/")
        settings = AmazonSettings(
            endpoint=address,
            token_url=address + TOKEN_PATH,
            seller_id=SELLER,
            marketplace_ids=MARKETPLACE,
            client_id="client",
            client_secret=SecretStr("s3cret"),
            refresh_token=SecretStr("refresh"),
            feeds=True,
            **{"feed_from": 3, **feeds},
        )
        sink = AmazonSink(settings, CallLimits(5), monotonic=self.clock.monotonic)
        await sink.open()
        life = Life(sink, self.journal, self.clock)
        self.lives.append(life)
        return life

    @property
    def feeds(self) -> list[Feed]:
        return list(self.amazon.feeds.values())


class Life(Lifetime):
    def __init__(self, sink: AmazonSink, journal: Journal, clock: Clock) -> None:
        super().__init__(sink, journal, clock)
        assert sink.bulk is not None
        self.sink = sink
        self.feeds: AmazonFeeds = sink.bulk
        before = self.delivery
        self.delivery = Delivery(
            sink=sink,
            backlog=self.backlog,
            latest=self.latest,
            acknowledge=journal,
            bucket=TokenBucket(5.0, 5),
            backoff=before.backoff,
            wall_clock=clock.wall,
            monotonic=clock.monotonic,
            bulk=self.feeds,
        )
        self.feeds.taken_over()

    def give_up(self) -> int:
        """The partition goes to another process; where that one begins to read."""
        offset = self.backlog.committable(PARTITION) or 0
        self.backlog.disown(PARTITION)
        self.latest.disown(PARTITION)
        self.feeds.given_up()
        return offset

    def take_over(self, offset: int, arrived: list[Update]) -> None:
        """The partition comes here."""
        self.backlog.own(PARTITION)
        self.latest.own(PARTITION, self.journal.acknowledgements)
        self.feeds.taken_over()
        self.offset = offset
        self.arrive(*arrived[offset:])
        self.backlog.open(PARTITION)

    async def go_on(self, steps: int = 1) -> list[Result]:
        """What the runner's listening task does."""
        told: list[Result] = []
        for _ in range(steps):
            results = list(await self.feeds.go_on())
            told += results
            await self.delivery.settle_later(results)
        return told

    async def tell(self) -> None:
        """Send what may be sent now."""
        while len(self.backlog) and self.delivery.wait_s() == 0.0:
            if not await self.delivery.attempt():
                return

    async def run(self, seconds: float) -> None:
        """Everything that happens while time passes, in seconds."""
        for _ in range(int(seconds)):
            await self.go_on(3)
            await self.tell()
            self.clock.advance(1.0)

    def bulk(self, first: int, last: int, publish_seq: int, **fields: object) -> None:
        """Many small changes; the quantity tells the sequence number."""
        self.arrive(*(update(f"L-{n}", publish_seq, publish_seq, **fields) for n in range(first, last + 1)))


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    clock = Clock()
    amazon = Racing(clock.monotonic, {"s3cret"})
    async with TestServer(amazon.app(), host="127.0.0.1") as server:
        shop = Shop(amazon, server, clock)
        yield shop
        amazon.release()
        for life in shop.lives:
            await life.sink.close()
    assert amazon.malformed == []


async def submitted(shop: Shop, last: int = 4, **feeds: object) -> tuple[Life, Feed]:
    """A life that has a feed of small changes in the queue."""
    life = await shop.life(**feeds)
    life.bulk(1, last, 1)
    await life.run(3)
    (feed,) = shop.feeds
    assert feed.status == IN_QUEUE
    return life, feed


async def test_small_changes_go_by_a_feed_and_urgent_ones_at_once(shop: Shop) -> None:
    life = await shop.life()
    life.bulk(1, 4, 1)
    life.arrive(update("stop", 1, 0, priority="P0"), update("low", 1, 2, priority="P1"))
    await life.run(3)
    assert shop.amazon.taken == [("stop", 0), ("low", 2)]
    assert [message["sku"] for message in shop.feeds[0].messages] == ["L-1", "L-2", "L-3", "L-4"]
    shop.amazon.work_on_all()
    await life.run(20)
    assert dict(shop.amazon.taken) == {"stop": 0, "low": 2, "L-1": 1, "L-2": 1, "L-3": 1, "L-4": 1}
    assert {outcome for *_, outcome in life.journal.outcomes()} == {"ACCEPTED"}
    assert life.backlog.committable(PARTITION) == 6
    assert shop.amazon.throttled == []


async def test_few_changes_are_patched_one_by_one(shop: Shop) -> None:
    life = await shop.life(feed_from=10)
    life.bulk(1, 9, 1)
    await life.run(5)
    assert len(shop.amazon.taken) == 9
    assert shop.feeds == []
    assert shop.amazon.throttled == []


@pytest.mark.parametrize("zipped", [True, False])
async def test_the_report_says_of_each_message_what_became_of_it(shop: Shop, zipped: bool) -> None:
    shop.amazon.zipped = zipped
    shop.amazon.refused = {"L-2"}
    life, _ = await submitted(shop)
    shop.amazon.work_on_all()
    await life.run(20)
    refused = [one for one in life.journal.acknowledgements if one.outcome != "ACCEPTED"]
    assert [(one.listing, one.outcome, one.reason) for one in refused] == [
        ("L-2", "REJECTED", "8541: L-2 is not sold here.")
    ]
    assert len(life.journal.answers) == 4


async def test_a_stop_sell_withdraws_the_queued_feed_before_it(shop: Shop) -> None:
    life, feed = await submitted(shop)
    life.arrive(update("L-2", 2, 0, priority="P0"))
    began = shop.clock.now_s
    await life.go_on(2)
    await life.tell()
    assert feed.status == CANCELLED
    assert shop.clock.now_s == began
    assert shop.amazon.taken == [("L-2", 0)]
    await life.run(5)
    assert [message["sku"] for message in shop.feeds[1].messages] == ["L-1", "L-3", "L-4"]


async def test_a_stop_sell_for_another_listing_leaves_the_feed_alone(shop: Shop) -> None:
    life, feed = await submitted(shop)
    life.arrive(update("other", 1, 0, priority="P0"), update("L-1", 2, 2, priority="P2"))
    await life.run(5)
    assert feed.status == IN_QUEUE
    assert shop.amazon.taken == [("other", 0)]


async def test_a_feed_that_is_being_worked_on_is_waited_for_and_looked_at_more_often(shop: Shop) -> None:
    life, feed = await submitted(shop, feed_poll_s=600.0)
    shop.amazon.begin(feed)
    life.arrive(update("L-2", 2, 0, priority="P0"))
    await life.run(5)
    assert shop.amazon.taken == []
    shop.amazon.work(feed)
    await life.run(4)
    assert shop.amazon.taken[-1] == ("L-2", 0)
    assert shop.amazon.throttled == []


async def test_a_cancellation_counts_when_amazon_shows_the_feed_as_cancelled_and_not_when_it_says_yes(
    shop: Shop,
) -> None:
    life, feed = await submitted(shop)
    shop.amazon.racing = True
    life.arrive(update("L-2", 2, 0, priority="P0"))
    await life.run(10)
    assert "cancelFeed" in shop.amazon.operations
    assert feed.status == IN_PROGRESS
    assert shop.amazon.taken == []
    shop.amazon.work(feed)
    await life.run(4)
    assert shop.amazon.taken[-1] == ("L-2", 0)


async def test_a_feed_is_looked_at_before_it_is_cancelled(
    shop: Shop,
) -> None:
    life, feed = await submitted(shop)
    before = len(shop.amazon.operations)
    life.arrive(update("L-2", 2, 0, priority="P0"))
    await life.go_on()
    assert shop.amazon.operations[before:] == ["getFeed", "cancelFeed"]
    assert feed.status == CANCELLED


async def test_a_feed_that_is_being_worked_on_is_not_cancelled(shop: Shop) -> None:
    life, feed = await submitted(shop)
    shop.amazon.begin(feed)
    before = len(shop.amazon.operations)
    life.arrive(update("L-3", 2, 0, priority="P0"))
    await life.run(10)
    assert set(shop.amazon.operations[before:]) == {"getFeed"}


async def test_a_feed_that_a_former_process_left_is_not_cancelled_while_it_is_worked_on(shop: Shop) -> None:
    _, feed = await submitted(shop)
    shop.amazon.begin(feed)
    before = len(shop.amazon.operations)
    await (await shop.life()).run(40)
    assert set(shop.amazon.operations[before:]) == {"getFeeds", "getFeed"}


async def test_more_listings_do_not_make_a_process_withdraw_its_own_feeds(shop: Shop) -> None:
    life, feed = await submitted(shop)
    life.feeds.taken_over()
    await life.run(40)
    assert feed.status == IN_QUEUE
    assert life.delivery.wait_s() == 0.0
    shop.amazon.work_on_all()
    await life.run(20)
    assert [outcome for *_, outcome in life.journal.outcomes()] == ["ACCEPTED"] * 4


async def test_a_change_that_comes_before_its_feed_is_submitted_is_not_submitted_twice(shop: Shop) -> None:
    life = await shop.life()
    await life.go_on()
    life.bulk(1, 4, 1)
    await life.tell()
    life.arrive(update("L-2", 2, 0, priority="P0"))
    await life.run(5)
    assert shop.amazon.taken[0] == ("L-2", 0)
    (feed,) = shop.feeds
    assert [message["sku"] for message in feed.messages] == ["L-1", "L-3", "L-4"]


async def test_feeds_keep_to_five_in_any_five_minutes_and_the_rest_goes_one_by_one(shop: Shop) -> None:
    life = await shop.life(feed_messages=3)
    life.bulk(1, 40, 1)
    for _ in range(400):
        await life.run(1)
        shop.amazon.work_on_all()
    assert len(shop.amazon.taken) == 40
    assert shop.amazon.throttled == []
    for round_ in range(2, 6):
        life.bulk(1, 40, round_, planned_at=life.clock.wall())
        for _ in range(100):
            await life.run(1)
            shop.amazon.work_on_all()
    assert len(shop.feeds) > 6
    assert dict(shop.amazon.taken) == {f"L-{n}": 5 for n in range(1, 41)}
    assert shop.amazon.throttled == []


async def test_a_new_process_withdraws_what_the_last_one_left_before_it_sends_anything(shop: Shop) -> None:
    _, feed = await submitted(shop)
    heir = await shop.life()
    heir.arrive(update("L-1", 2, 0, priority="P0"))
    assert heir.delivery.wait_s() > 0
    await heir.run(20)
    assert feed.status == CANCELLED
    assert shop.amazon.taken == [("L-1", 0)]


async def test_a_new_process_waits_for_a_feed_that_it_cannot_withdraw(shop: Shop) -> None:
    _, feed = await submitted(shop)
    shop.amazon.begin(feed)
    heir = await shop.life()
    heir.arrive(update("L-1", 2, 0, priority="P0"))
    await heir.run(40)
    assert shop.amazon.taken == []
    shop.amazon.work(feed)
    await heir.run(20)
    assert shop.amazon.taken[-1] == ("L-1", 0)


async def test_feeds_are_withdrawn_when_their_listings_go_to_another_process(shop: Shop) -> None:
    life, feed = await submitted(shop)
    life.give_up()
    await life.go_on(3)
    assert feed.status == CANCELLED
    assert life.journal.answers == []
    assert life.feeds.unfinished == 0


async def test_a_feed_whose_creation_was_not_answered_is_found_and_withdrawn(shop: Shop) -> None:
    life = await shop.life()
    await life.go_on()
    life.bulk(1, 4, 1)
    await life.tell()
    await life.go_on()
    shop.amazon.next_faults.append(Fault(taken=True, closed=True))
    await life.go_on()
    (lost,) = shop.feeds
    life.arrive(update("L-1", 2, 0, priority="P0"), update("other", 1, 0, priority="P0"))
    await life.run(10)
    assert shop.amazon.taken == [("other", 0)]
    await life.run(60)
    assert lost.status == CANCELLED
    assert ("L-1", 0) in shop.amazon.taken
    shop.amazon.work_on_all()
    await life.run(60)
    assert dict(shop.amazon.taken) == {"other": 0, "L-1": 0, "L-2": 1, "L-3": 1, "L-4": 1}


@pytest.mark.parametrize("failing", [0, 1])
async def test_a_feed_that_cannot_be_submitted_gives_everything_back(shop: Shop, failing: int) -> None:
    life = await shop.life()
    await life.go_on()
    life.bulk(1, 4, 1)
    await life.tell()
    await life.go_on(failing)
    shop.amazon.next_faults.append(Fault(503))
    results = await life.go_on()
    assert {one.outcome for one in results} == {Outcome.RETRY}
    await life.run(5)
    # While no feed can be submitted they go one by one.
    assert len(shop.amazon.taken) == 4


async def test_a_fatal_feed_leaves_its_updates_unknown_and_the_next_one_is_half_as_large(shop: Shop) -> None:
    life, feed = await submitted(shop, last=8)
    feed.status = FATAL
    await life.run(20)
    assert len(shop.feeds[1].messages) == 4
    shop.amazon.work_on_all()
    await life.run(20)
    assert [outcome for *_, outcome in life.journal.outcomes()] == ["ACCEPTED"] * 8


async def test_a_feed_that_never_ends_is_given_up_and_no_other_begins_before_it_ends(shop: Shop) -> None:
    life, feed = await submitted(shop, feed_patience_s=60.0)
    shop.amazon.begin(feed)
    await life.run(90)
    assert [outcome for *_, outcome in life.journal.outcomes()] == ["ACCEPTED"] * 4
    assert len(shop.feeds) == 1
    shop.amazon.work(feed)
    await life.run(20)
    life.bulk(1, 4, 2)
    await life.run(5)
    assert len(shop.feeds) == 2


async def test_a_report_that_cannot_be_had_leaves_the_updates_unknown(shop: Shop) -> None:
    life, feed = await submitted(shop)
    shop.amazon.work(feed)
    life.clock.advance(15)
    await life.go_on()
    assert feed.status == DONE
    shop.amazon.next_faults += [Fault(500)] * 5
    for _ in range(4):
        assert await life.go_on() == []
        life.clock.advance(15)
    results = await life.go_on()
    assert {(one.outcome, one.reason) for one in results} == {(Outcome.UNKNOWN, "GET: HTTP 500")}


async def test_nothing_is_sent_while_it_cannot_be_told_which_feeds_are_unfinished(shop: Shop) -> None:
    life = await shop.life()
    shop.amazon.next_faults.append(Fault(500))
    life.arrive(update("L-1", 1, 0, priority="P0"))
    await life.run(40)
    assert shop.amazon.taken == []
    await life.run(10)
    assert shop.amazon.taken == [("L-1", 0)]


@pytest.mark.parametrize("seed", range(40))
async def test_whatever_happens_no_value_follows_a_newer_one_and_the_newest_one_stays(
    shop: Shop, seed: int
) -> None:
    """Quantities are sequence numbers, so an old value over a newer one is a quantity that falls."""
    chance = random.Random(seed)
    life = await shop.life(feed_messages=chance.choice([3, 6, 25]), feeds_unfinished=chance.choice([1, 3, 5]))
    newest: dict[str, int] = {}
    arrived = []
    for publish_seq in range(1, 25):
        for listing in chance.sample([f"L-{n}" for n in range(8)], chance.randint(1, 6)):
            newest[listing] = publish_seq
            priority = chance.choices(["P0", "P1", "P2", "P3"], [1, 1, 6, 6])[0]
            one = update(listing, publish_seq, publish_seq, priority=priority, planned_at=shop.clock.wall())
            arrived.append(one)
            life.arrive(one)
        if chance.random() < 0.1:
            shop.amazon.next_faults.append(Fault(taken=chance.random() < 0.5, closed=True))
        if chance.random() < 0.1:
            # The process ends, and the next one is given everything that was not committed.
            offset = life.backlog.committable(PARTITION) or 0
            life = await shop.life(feed_messages=chance.choice([3, 6, 25]))
            life.offset = offset
            life.arrive(*arrived[offset:])
        for _ in range(chance.randint(0, 3)):
            await life.run(chance.choice([1, 5, 20]))
            for feed in shop.feeds:
                if feed.status in (IN_QUEUE, IN_PROGRESS) and chance.random() < 0.4:
                    shop.amazon.work(feed, chance.randint(0, 4))
    for _ in range(40):
        await life.run(10)
        shop.amazon.work_on_all()
    shown: dict[str, int] = {}
    for listing, quantity in shop.amazon.taken:
        assert quantity >= shown.get(listing, 0), (listing, quantity, shown)
        shown[listing] = quantity
    assert shown == newest
    # A new process does not know how many feeds the last one submitted: Amazon may say so.
    assert shop.amazon.throttled == [] or (len(shop.lives) > 1 and set(shop.amazon.throttled) == {"createFeed"})


@pytest.mark.parametrize("seed", range(25))
async def test_two_processes_that_take_listings_from_each_other_never_send_an_old_value_over_a_newer_one(
    shop: Shop, seed: int
) -> None:
    chance = random.Random(seed)
    owner, other = await shop.life(), await shop.life()
    other.give_up()
    newest: dict[str, int] = {}
    arrived: list[Update] = []
    for publish_seq in range(1, 21):
        for listing in chance.sample([f"L-{n}" for n in range(8)], chance.randint(1, 6)):
            newest[listing] = publish_seq
            priority = chance.choices(["P0", "P2"], [1, 6])[0]
            one = update(listing, publish_seq, publish_seq, priority=priority, planned_at=shop.clock.wall())
            arrived.append(one)
            owner.arrive(one)
        if chance.random() < 0.3:
            other.take_over(owner.give_up(), arrived)
            owner, other = other, owner
        for _ in range(chance.randint(1, 3)):
            await owner.run(chance.choice([1, 5, 20]))
            await other.go_on(chance.randint(0, 4))
            for feed in shop.feeds:
                if feed.status in (IN_QUEUE, IN_PROGRESS) and chance.random() < 0.4:
                    shop.amazon.work(feed, chance.randint(0, 4))
    for _ in range(40):
        await owner.run(10)
        await other.go_on(2)
        shop.amazon.work_on_all()
    shown: dict[str, int] = {}
    for listing, quantity in shop.amazon.taken:
        assert quantity >= shown.get(listing, 0), (listing, quantity, shown)
        shown[listing] = quantity
    assert shown == newest
    assert set(shop.amazon.throttled) <= {"createFeed", "getFeeds"}
