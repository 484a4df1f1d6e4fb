"""The acknowledgement loop of one channel: what follows from what was told and what was answered."""

from __future__ import annotations

from fractions import Fraction

import pytest

from agents.channel_watch import ABOVE, BELOW, ChannelWatch, ListingFinding, measured_channels
from domain.exposure import ExposureTotals
from domain.facts import SECOND, Acknowledgement
from domain.findings import CHANNEL_DRIFT, LISTING_NOT_TAKEN
from domain.latency import MILLISECOND
from domain.listings import ACCEPTED, REJECTED, UNKNOWN
from domain.numbers import Finding
from domain.planner import Planner
from domain.policy import ChannelPolicy, ItemPolicy, Policy, PublishPolicy
from domain.prices import Offer, Price
from domain.updates import ChannelUpdate
from tests.publishing import CHANNEL, sequence, told

PUBLISH = PublishPolicy()
RATE = Fraction(1, 8)


class Loop:
    """A planner and its watch, driven as a fan-out drives them."""

    def __init__(self, price: Price | None = None, **quantities: int) -> None:
        self.planner = Planner(CHANNEL, PUBLISH, sequence(100))
        self.watch = ChannelWatch(self.planner, lambda _: Offer(1, price))
        self.found: list[ListingFinding] = []
        for listing, quantity in quantities.items():
            self.planner.restore(listing, told(quantity)._replace(sku=listing), 0)
            self.watch.restored(listing, 0)

    def want(self, listing: str, quantity: int, now: int) -> None:
        if self.planner.want(listing, quantity, now):
            self.watch.changed(listing, now)

    def tick(self, now: int, budget: int = 1000) -> list[ChannelUpdate]:
        updates = self.planner.tick(now, budget)
        for update in updates:
            finding = self.watch.told(update, now)
            self.found += [] if finding is None else [finding]
        return updates

    def answer(
        self,
        update: ChannelUpdate,
        now: int,
        outcome: str = ACCEPTED,
        reason: str | None = None,
        previous: int | None = None,
    ) -> None:
        latency = (now - update.planned_at) // MILLISECOND
        answer = Acknowledgement(
            CHANNEL, update.listing, update.publish_seq, outcome, update.quantity, latency, reason, now, previous
        )
        changed = self.planner.acknowledged(*answer[1:5], now, previous)
        self.found += self.watch.answered(answer, changed, now)


def test_a_fall_exposes_until_it_is_accepted() -> None:
    loop = Loop(A=10)
    loop.want("A", 4, SECOND)
    assert loop.watch.exposure.totals() == ExposureTotals(1, 6, {}, 6, SECOND)

    (update,) = loop.tick(2 * SECOND)
    assert loop.watch.exposure.totals() == ExposureTotals(1, 6, {}, 6, SECOND)

    loop.answer(update, 3 * SECOND)
    assert loop.watch.exposure.totals().listings == 0


def test_a_rise_exposes_nobody() -> None:
    loop = Loop(A=10)
    loop.want("A", 40, SECOND)

    assert loop.watch.exposure.totals().listings == 0


def test_after_a_restart_what_was_told_in_vain_is_exposed_since_then() -> None:
    loop = Loop()
    row = told(10)._replace(last_quantity=4, desired=4, publish_seq=2, last_sent_at=SECOND)
    loop.planner.restore("A", row, 9 * SECOND)
    loop.watch.restored("A", 9 * SECOND)

    assert loop.watch.exposure.totals() == ExposureTotals(1, 6, {}, 6, SECOND)
    assert loop.watch.reactions.silence(11 * SECOND) == 2 * SECOND


def test_the_reaction_is_measured_from_the_decision_to_the_answer() -> None:
    loop = Loop(A=10)
    assert loop.watch.reaction(0, PUBLISH, RATE) >= PUBLISH.resend_after
    loop.want("A", 4, 0)
    (update,) = loop.tick(0)
    loop.answer(update, 4096 * MILLISECOND)

    assert loop.watch.reaction(SECOND, PUBLISH, RATE) == 4096 * MILLISECOND
    assert loop.watch.reaction(SECOND, PublishPolicy(resend_after=0), RATE) == 0


def test_a_stop_sell_waits_for_those_before_it() -> None:
    loop = Loop(A=10, B=10, C=10)
    loop.want("C", 9, 0)
    (update,) = loop.tick(0)
    loop.answer(update, 4096 * MILLISECOND)
    loop.want("A", 0, 5 * SECOND)
    loop.want("B", 0, 5 * SECOND)
    loop.want("C", 8, 5 * SECOND)
    reaction = loop.watch.reaction(5 * SECOND, PUBLISH, RATE)

    assert 4 * SECOND + 16 * SECOND <= reaction <= 1.19 * 21 * SECOND
    assert loop.watch.reaction(5 * SECOND, PUBLISH, Fraction(0)) == 4096 * MILLISECOND


def test_packs_are_exposed_with_all_their_units() -> None:
    planner = Planner(CHANNEL, PUBLISH, sequence(100))
    watch = ChannelWatch(planner, lambda listing: {"A": Offer(6)}[listing])
    planner.restore("A", told(10), 0)
    planner.want("A", 8, SECOND)
    watch.changed("A", SECOND)

    assert watch.exposure.totals().units == 12


def test_an_answer_that_is_delivered_twice_counts_once() -> None:
    loop = Loop(A=10)
    loop.want("A", 4, 0)
    (update,) = loop.tick(0)
    for _ in range(3):
        loop.answer(update, SECOND, REJECTED, "not active", previous=12)

    assert loop.watch.drifts == {ABOVE: 1}
    assert len(loop.found) == 1


def test_the_third_refusal_in_a_row_is_a_finding_with_its_exposure() -> None:
    loop = Loop(A=10)
    loop.want("A", 4, 0)
    for attempt in range(5):
        now = attempt * PUBLISH.heartbeat
        (update,) = loop.tick(now)
        loop.answer(update, now + SECOND, REJECTED, "listing is not active")

    assert loop.found == [
        ListingFinding(
            "A",
            Finding(LISTING_NOT_TAKEN, "", (CHANNEL, "A")),
            "listing is not active; told 4, took 10, 6 units more than is safe",
        )
    ]


def test_the_finding_says_what_the_exposure_is_worth_where_the_price_is_known() -> None:
    loop = Loop(Price(1999, "EUR"), A=10)
    loop.want("A", 4, 0)
    for attempt in range(3):
        now = attempt * PUBLISH.heartbeat
        (update,) = loop.tick(now)
        loop.answer(update, now + SECOND, REJECTED, "closed")

    (found,) = loop.found
    assert found.note.endswith("6 units more than is safe, worth 11994 in the smallest unit of EUR")


def test_repetitions_without_any_answer_are_a_finding_too() -> None:
    loop = Loop(A=10)
    loop.want("A", 0, 0)
    now = 0
    for _ in range(4):
        (update,) = loop.tick(now)
        now = loop.planner.next_wake() or now

    assert update.reason == "UNANSWERED"
    (found,) = loop.found
    assert found.finding.code == LISTING_NOT_TAKEN
    assert found.note == "no answer; told 0, took 10, 10 units more than is safe"


def test_an_accepted_update_ends_the_count_of_failures() -> None:
    loop = Loop(A=10)
    for attempt, outcome in enumerate([REJECTED, REJECTED, ACCEPTED, REJECTED, REJECTED]):
        now = attempt * PUBLISH.heartbeat
        loop.want("A", attempt, now)
        (update,) = loop.tick(now)
        loop.answer(update, now + SECOND, outcome)

    assert loop.found == []


def test_a_channel_that_shows_more_than_it_took_drifts_and_says_so_once() -> None:
    loop = Loop(A=10)
    for attempt, quantity in enumerate([9, 8, 7]):
        loop.want("A", quantity, attempt * SECOND)
        (update,) = loop.tick(attempt * SECOND + PUBLISH.heartbeat * attempt)
        loop.answer(update, update.planned_at + 1, previous=50)

    assert loop.watch.drifts == {ABOVE: 3}
    (found,) = loop.found
    assert found.finding == Finding(CHANNEL_DRIFT, "", (CHANNEL, "A"))
    assert found.note == f"{CHANNEL} showed 50 and had taken 10"


def test_a_channel_that_shows_less_has_sold_and_is_only_counted() -> None:
    loop = Loop(A=10)
    loop.want("A", 4, 0)
    (update,) = loop.tick(0)
    loop.answer(update, SECOND, previous=8)

    assert loop.watch.drifts == {BELOW: 1}
    assert loop.found == []


def test_a_channel_that_shows_what_it_took_does_not_drift() -> None:
    loop = Loop(A=10)
    loop.want("A", 4, 0)
    (update,) = loop.tick(0)
    loop.answer(update, SECOND, previous=10)

    assert +loop.watch.drifts == {}


def test_a_value_that_was_replaced_before_it_arrived_is_no_drift() -> None:
    loop = Loop(A=10)
    loop.want("A", 4, 0)
    loop.tick(0)
    loop.want("A", 0, SECOND)
    (update,) = loop.tick(SECOND)
    assert update.expected_previous == 4
    loop.answer(update, 2 * SECOND, previous=10)

    assert +loop.watch.drifts == {}


def silent() -> tuple[Loop, int]:
    """A channel that answered none of 20 falls nor of 5 repetitions, and when that was."""
    names = {f"L{number:02}": 10 for number in range(20)}
    loop = Loop(**names)
    for name in names:
        loop.want(name, 5, 0)
    assert len(loop.tick(0)) == 20
    now = PUBLISH.resend_after
    assert loop.watch.allowed(now, 99) == 99
    assert loop.watch.held_until() == 0
    assert len(loop.tick(now, budget=5)) == 5
    return loop, now


def test_a_silent_channel_is_only_probed_and_the_first_answer_opens_it_with_stop_sells_first() -> None:
    loop, now = silent()
    assert loop.watch.allowed(now, 99) == 0
    until = loop.watch.held_until()
    assert now < until <= now + 60 * SECOND

    loop.want("L07", 0, until)
    assert loop.watch.allowed(until, 99) == 10
    probes = loop.tick(until, budget=10)
    assert (probes[0].listing, probes[0].priority) == ("L07", "P0")
    assert loop.watch.allowed(until, 99) == 0

    loop.answer(probes[0], until + SECOND)
    assert loop.watch.allowed(until + SECOND, 99) == 99


def test_a_stop_sell_is_not_held_back_from_a_silent_channel() -> None:
    loop, now = silent()
    loop.want("L07", 0, now + 1)
    loop.want("L08", 3, now + 1)

    assert loop.planner.ready(now + 1) > 1
    assert loop.watch.allowed(now + 1, 99) == 1
    assert loop.watch.held_until() == 0
    assert [each.listing for each in loop.tick(now + 1, budget=1)] == ["L07"]
    assert loop.watch.allowed(now + 1, 99) == 0


def test_outcomes_that_are_not_known_cut_the_channel_off_as_well() -> None:
    loop = Loop(**{f"L{number}": 10 for number in range(5)})
    for number in range(5):
        loop.want(f"L{number}", 5, 0)
    for update in loop.tick(0):
        loop.answer(update, SECOND, UNKNOWN, "TIME_OUT")

    assert loop.watch.allowed(SECOND, 99) == 0


def test_an_update_that_was_too_old_says_nothing_good_of_the_channel() -> None:
    loop = Loop(A=10)
    loop.want("A", 4, 0)
    (update,) = loop.tick(0)
    loop.watch.breaker = loop.watch.breaker.failed(0)
    before = loop.watch.breaker
    loop.answer(update, 3600 * SECOND, REJECTED, "EXPIRED")

    assert loop.watch.breaker == before
    assert loop.watch.reactions.p95() is not None


def test_what_went_elsewhere_is_forgotten() -> None:
    loop = Loop(A=10)
    loop.want("A", 4, 0)
    loop.tick(0)
    loop.watch.forget("A")

    assert loop.watch.exposure.totals().listings == 0
    assert loop.watch.reactions.silence(9 * SECOND) == 0


def test_a_clock_that_is_set_back_does_not_hold_updates_for_long() -> None:
    loop = Loop()
    for _ in range(5):
        loop.watch.breaker = loop.watch.breaker.failed(10**6 * SECOND)
    loop.watch.set_back(0)

    assert (loop.watch.breaker.held_until() or 0) <= 60 * SECOND


@pytest.mark.parametrize(
    ("policy", "channels"),
    [
        (Policy(channels={"web": ChannelPolicy()}), ()),
        (Policy(channels={"web": ChannelPolicy(service_level=Fraction(1, 2)), "shop": ChannelPolicy()}), ("web",)),
        (
            Policy(
                channels={"web": ChannelPolicy(), "shop": ChannelPolicy()},
                items={"A": ItemPolicy(channels={"shop": ChannelPolicy(service_level=Fraction(1, 2))})},
            ),
            ("shop",),
        ),
    ],
)
def test_a_channel_is_measured_if_any_sku_has_a_service_level_there(
    policy: Policy, channels: tuple[str, ...]
) -> None:
    assert measured_channels(policy) == channels
