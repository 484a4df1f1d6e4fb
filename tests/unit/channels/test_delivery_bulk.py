"""Delivery with a second, slower way into the channel that the test answers for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from connectors.channels.base import Limits, Outcome, Result, Update, same_answer
from connectors.channels.delivery import Delivery
from tests.conformance.rig import PARTITION, Clock, Journal, Lifetime, update


class Fast:
    """Accepts everything, one update a call."""

    limits = Limits(1, 1_000_000)

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        self.sent += [(one.listing, one.publish_seq) for one in batch]
        return same_answer(batch, Outcome.ACCEPTED)


class Bulk:
    """Takes what there is room for, when at least ``worth`` updates wait."""

    def __init__(self, most: int, worth: int) -> None:
        self.most = most
        self.worth = worth
        self.held_s = 0.0
        self.submitted: list[Update] = []
        self.hurried: list[str] = []

    def room(self, waiting: int) -> int:
        return self.most if waiting >= self.worth else 0

    def submit(self, batch: Sequence[Update]) -> None:
        self.submitted += batch

    def hurry(self, listing: str) -> None:
        self.hurried.append(listing)

    def taken_over(self) -> None:
        raise AssertionError("nobody asks for this here")

    def given_up(self) -> None:
        raise AssertionError("nor for this")

    def hold_s(self) -> float:
        return self.held_s

    async def go_on(self) -> Sequence[Result]:
        return ()


@pytest.fixture
def bulk() -> Bulk:
    return Bulk(most=3, worth=3)


@pytest.fixture
def life(bulk: Bulk) -> Lifetime:
    life = Lifetime(Fast(), Journal(), Clock())
    before = life.delivery
    life.delivery = Delivery(
        sink=before.sink,
        backlog=life.backlog,
        latest=life.latest,
        acknowledge=life.journal,
        bucket=before.bucket,
        backoff=before.backoff,
        wall_clock=life.clock.wall,
        monotonic=life.clock.monotonic,
        bulk=bulk,
    )
    return life


def sent(life: Lifetime) -> list[tuple[str, int]]:
    assert isinstance(life.delivery.sink, Fast)
    return life.delivery.sink.sent


def bulky(*listings: str) -> list[Update]:
    return [update(listing, 1, 5, priority="P2") for listing in listings]


async def test_what_is_urgent_goes_the_fast_way_and_the_rest_in_bulk(life: Lifetime, bulk: Bulk) -> None:
    life.arrive(*bulky("b", "c", "d", "e"), update("a", 1, 0, priority="P0"), update("f", 1, 1, priority="P1"))
    await life.deliver()
    assert [one.listing for one in bulk.submitted] == ["b", "c", "d"]
    assert sent(life) == [("a", 1), ("f", 1), ("e", 1)]
    assert life.delivery.submitted == 3


async def test_urgent_updates_do_not_make_a_bulk_worth_it(life: Lifetime, bulk: Bulk) -> None:
    urgent = [update(f"u-{number}", 1, 0, priority="P1") for number in range(5)]
    life.arrive(*urgent, *bulky("b", "c"))
    await life.delivery.attempt()
    assert bulk.submitted == []
    life.arrive(*bulky("d"))
    await life.delivery.attempt()
    assert [one.listing for one in bulk.submitted] == ["b", "c", "d"]


async def test_a_stop_sell_replaced_by_a_small_change_still_goes_the_fast_way(life: Lifetime, bulk: Bulk) -> None:
    life.arrive(*bulky("b", "c", "d"), update("a", 1, 0, priority="P0"), update("a", 2, 1, priority="P3"))
    await life.deliver()
    assert sent(life) == [("a", 2)]


async def test_few_updates_are_not_worth_a_submission(life: Lifetime, bulk: Bulk) -> None:
    life.arrive(*bulky("b", "c"))
    await life.deliver()
    assert bulk.submitted == []
    assert sent(life) == [("b", 1), ("c", 1)]


async def test_a_submitted_listing_is_not_sent_the_fast_way_before_it_is_answered(
    life: Lifetime, bulk: Bulk
) -> None:
    life.arrive(*bulky("b", "c", "d"))
    await life.deliver()
    life.arrive(update("b", 2, 0, priority="P0"), update("c", 2, 4, priority="P2"))
    for _ in range(3):
        assert await life.delivery.attempt() is False
    assert sent(life) == []
    assert bulk.hurried == ["b"]
    await life.delivery.settle_later([Result("b", 1, Outcome.RETRY), Result("c", 1, Outcome.ACCEPTED)])
    await life.deliver()
    assert sent(life) == [("b", 2), ("c", 2)]
    assert life.journal.outcomes() == [("c", 1, "ACCEPTED"), ("b", 2, "ACCEPTED"), ("c", 2, "ACCEPTED")]
    assert life.delivery.submitted == 1
    assert life.backlog.committable(PARTITION) == 2


async def test_what_is_given_back_is_submitted_again_and_what_stays_unknown_ends_as_unknown(
    life: Lifetime, bulk: Bulk
) -> None:
    life.arrive(*bulky("b", "c", "d"))
    for _ in range(3):
        await life.delivery.attempt()
        await life.delivery.settle_later([Result(name, 1, Outcome.UNKNOWN) for name in "bcd"])
    assert len(bulk.submitted) == 9
    assert {outcome for *_, outcome in life.journal.outcomes()} == {"UNKNOWN"}
    assert life.backlog.committable(PARTITION) == 3


async def test_answers_to_listings_that_went_elsewhere_are_dropped(life: Lifetime, bulk: Bulk) -> None:
    life.arrive(*bulky("b", "c", "d"))
    await life.deliver()
    life.backlog.disown(PARTITION)
    life.latest.disown(PARTITION)
    await life.delivery.settle_later([Result(name, 1, Outcome.ACCEPTED) for name in "bcd"])
    assert life.journal.answers == []
    assert life.delivery.submitted == 0


async def test_an_expired_update_is_not_submitted(life: Lifetime, bulk: Bulk) -> None:
    life.arrive(*bulky("b", "c"), update("d", 1, 5, expires_in_s=10))
    life.clock.advance(10)
    await life.deliver()
    assert [one.listing for one in bulk.submitted] == ["b", "c"]
    assert life.journal.outcomes() == [("d", 1, "REJECTED")]


async def test_nothing_is_sent_while_submissions_of_before_are_unfinished(life: Lifetime, bulk: Bulk) -> None:
    bulk.held_s = 0.2
    assert life.delivery.wait_s() == pytest.approx(0.2)
