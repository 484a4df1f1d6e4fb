"""Many listings of one channel: order, budget, answers, recovery, full sync."""

from __future__ import annotations

from domain.facts import SECOND
from domain.listings import ACCEPTED, REJECTED, Listing
from domain.planner import ADOPTED_PER_STEP, ChannelUpdate, Planner
from domain.policy import Held, PublishPolicy
from domain.updates import MAX_CAUSES
from tests.publishing import CHANNEL, sequence, told

PUBLISH = PublishPolicy(
    rise_debounce=30 * SECOND,
    min_delta=Held(3),
    heartbeat=300 * SECOND,
    expires_after=100 * SECOND,
    resend_after=60 * SECOND,
)
UNLIMITED = 10**9


def planner_of(**listings: int) -> Planner:
    """A planner whose listings were told these quantities at 0 and confirmed them."""
    planner = Planner(CHANNEL, PUBLISH, sequence(first=100))
    for listing, quantity in listings.items():
        planner.restore(listing, told(quantity, at=0)._replace(sku=f"SKU-{listing}"), 0)
    return planner


def accept(planner: Planner, updates: list[ChannelUpdate], now: int) -> None:
    for update in updates:
        planner.acknowledged(update.listing, update.publish_seq, ACCEPTED, update.quantity, now)


def test_an_update_says_everything_a_sink_needs() -> None:
    planner = planner_of(k=10)
    planner.want("k", 4, 7, caused_by=("ev-1",), occurred_at=5)
    planner.want("k", 3, 8, caused_by=("ev-2",), occurred_at=6)

    assert planner.tick(9, 1) == [
        ChannelUpdate(
            channel=CHANNEL,
            listing="k",
            sku="SKU-k",
            quantity=3,
            publish_seq=100,
            expires_at=9 + 100 * SECOND,
            expected_previous=10,
            idempotency_key="k:100",
            priority="P2",
            reason="CHANGED",
            caused_by=("ev-1", "ev-2"),
            occurred_at=5,
            planned_at=9,
        )
    ]


def test_causes_of_a_withdrawn_change_do_not_travel_with_the_next() -> None:
    planner = planner_of(k=10)
    planner.want("k", 4, 7, caused_by=("ev-1",), occurred_at=5)
    planner.want("k", 10, 8, caused_by=("ev-2",), occurred_at=6)
    planner.want("k", 3, 9, caused_by=("ev-3",), occurred_at=8)

    update = planner.tick(9, 1)[0]

    assert (update.caused_by, update.occurred_at) == (("ev-3",), 8)


def test_the_newest_causes_are_named_and_the_oldest_is_dated() -> None:
    planner = planner_of(k=1000)
    for number in range(100):
        planner.want("k", 900 - number, 10 + number, caused_by=(f"ev-{number}",), occurred_at=number)

    update = planner.tick(200, 1)[0]

    assert update.caused_by == tuple(f"ev-{number}" for number in range(100 - MAX_CAUSES, 100))
    assert update.occurred_at == 0


def test_the_budget_is_not_exceeded_and_the_most_urgent_go_first() -> None:
    planner = planner_of(a=100, b=100, c=100)
    planner.want("a", 50, 1)
    planner.want("b", 40, 2)
    planner.want("c", 0, 3)

    assert planner.ready(4) == 3
    assert [update.listing for update in planner.tick(4, 2)] == ["c", "a"]
    assert planner.tick(4, 0) == []
    assert [update.listing for update in planner.tick(4, 2)] == ["b"]


def test_the_sequence_grows_even_if_an_earlier_owner_was_ahead() -> None:
    planner = planner_of(k=10)
    planner.acknowledged("k", 5_000, ACCEPTED, 99, 1)

    update = planner.tick(2, 1)[0]

    assert (update.quantity, update.publish_seq, update.expected_previous) == (10, 5_001, 99)


def test_an_unanswered_update_is_repeated_word_for_word_and_counted() -> None:
    planner = planner_of(k=10)
    planner.want("k", 0, 0)
    first = planner.tick(0, 1)[0]

    assert planner.tick(60 * SECOND - 1, 1) == []
    again = planner.tick(60 * SECOND, 1)[0]

    assert (again.publish_seq, again.quantity, again.idempotency_key) == (100, 0, first.idempotency_key)
    assert again.expected_previous == first.expected_previous == 10
    assert again.expires_at == 160 * SECOND
    assert planner.resent == 1


def test_a_rejected_update_is_planned_anew_after_the_heartbeat() -> None:
    planner = planner_of(k=10)
    planner.want("k", 4, 0)
    planner.tick(0, 1)
    planner.acknowledged("k", 100, REJECTED, 4, 1)

    assert planner.next_wake() == 300 * SECOND
    update = planner.tick(300 * SECOND, 1)[0]

    assert (update.publish_seq, update.quantity, update.expected_previous) == (101, 4, 10)


def test_a_refused_update_expects_what_the_channel_shows_when_it_is_told_anew() -> None:
    planner = planner_of(k=10)
    planner.want("k", 4, 0)
    planner.tick(0, 1)
    planner.acknowledged("k", 100, REJECTED, 4, 1, shown=8)

    update = planner.tick(1, 1)[0]

    assert (update.publish_seq, update.quantity, update.expected_previous) == (101, 4, 8)


def test_an_answer_that_tells_nothing_new_leaves_no_row_to_store() -> None:
    planner = planner_of(k=10)
    planner.want("k", 4, 0)
    planner.tick(0, 1)

    assert planner.acknowledged("k", 100, ACCEPTED, 4, 1)
    assert not planner.acknowledged("k", 100, ACCEPTED, 4, 2)


def test_a_known_value_changes_nothing_unless_forced() -> None:
    planner = planner_of(k=10)

    assert not planner.want("k", 10, 1)
    assert planner.tick(1, 1) == []
    assert planner.want("k", 10, 2, force=True)
    assert [update.quantity for update in planner.tick(2, 5)] == [10]
    assert planner.tick(3, 5) == []


def test_less_than_nothing_is_told_as_0() -> None:
    planner = planner_of(k=10)
    planner.want("k", -3, 1)

    assert planner.tick(1, 1)[0].quantity == 0


def test_the_next_wake_is_when_something_becomes_due() -> None:
    planner = planner_of(a=10, b=10)

    assert planner.next_wake() is None
    planner.want("a", 20, 5)
    assert planner.next_wake() == 5 + 30 * SECOND
    planner.want("b", 0, 7)
    assert planner.next_wake() == 7


def test_a_withdrawn_rise_wakes_nobody() -> None:
    planner = planner_of(k=10)
    planner.want("k", 20, 5)
    planner.want("k", 10, 6)

    assert planner.next_wake() is None


def test_rows_that_are_restored_twice_are_joined() -> None:
    planner = planner_of(k=10)
    planner.restore("k", told(4, at=9)._replace(publish_seq=50, acked_seq=50), 10)
    planner.restore("k", told(10, at=0), 11)

    assert planner.listings["k"].last_quantity == 4


def test_what_was_pending_in_a_row_goes_on_after_recovery() -> None:
    before = planner_of(k=10)
    before.want("k", 20, 5)
    after = Planner(CHANNEL, PUBLISH, sequence(first=200))
    after.restore("k", before.listings["k"], 8)

    assert after.next_wake() == 5 + 30 * SECOND
    assert [update.quantity for update in after.tick(5 + 30 * SECOND, 1)] == [20]


def test_a_forgotten_listing_is_not_told_any_more() -> None:
    planner = planner_of(a=10, b=10)
    planner.want("a", 0, 1)
    planner.want("b", 20, 1)
    planner.forget("a")
    planner.forget("b")

    assert planner.tick(100 * SECOND, UNLIMITED) == []
    assert planner.next_wake() is None


def test_other_rules_hold_also_for_what_is_pending() -> None:
    planner = planner_of(k=10)
    planner.want("k", 20, 5)
    planner.adopt_policy(PublishPolicy(rise_debounce=0), 6)

    assert [update.quantity for update in planner.tick(6, 1)] == [20]


def test_other_rules_are_adopted_in_steps_while_listings_come_and_go() -> None:
    names = [f"L-{number:04}" for number in range(2 * ADOPTED_PER_STEP + 10)]
    planner = planner_of(**dict.fromkeys(names, 10))
    for name in names:
        planner.want(name, 20, 5)
    steps = planner.adoption(PublishPolicy(rise_debounce=0), 6)
    assert planner.tick(6, UNLIMITED) == []
    next(steps)
    planner.forget(names[-1])
    planner.want("new", 7, 6)
    assert sum(1 for _ in steps) == 1

    told = {update.listing for update in planner.tick(6, UNLIMITED)}
    assert told == {*names[:-1], "new"}


def test_rules_of_a_single_sku_win() -> None:
    planner = Planner(CHANNEL, PUBLISH, sequence(), overrides={"SKU-b": PublishPolicy(min_delta=Held(1))})
    for listing in ("a", "b"):
        planner.restore(listing, told(10, at=0)._replace(sku=f"SKU-{listing}"), 0)
        planner.want(listing, 9, 1)

    assert [update.listing for update in planner.tick(1, 5)] == ["b"]


def test_a_clock_that_steps_back_does_not_delay_anything() -> None:
    planner = planner_of(k=10)
    planner.want("k", 4, 100)

    assert planner.tick(50, 1)[0].planned_at == 100


# -- full sync ---------------------------------------------------------------------------------------------------


def test_a_full_sync_tells_once_more_what_was_told_before_it_began() -> None:
    planner = planner_of(a=1, b=2)

    [update] = planner.tell_once_more([("a", 99)], 10)
    assert (update.listing, update.quantity, update.priority, update.reason) == ("a", 1, "P4", "FULL_SYNC")
    assert planner.tell_once_more([("a", 99), ("gone", 99)], 11) == []
    accept(planner, [update], 12)
    assert planner.listings["a"].is_settled


def test_a_listing_told_since_the_start_of_the_full_sync_is_not_told_again() -> None:
    planner = planner_of(a=10)
    planner.want("a", 0, 11)

    assert [update.priority for update in planner.tick(12, 9)] == ["P0"]
    assert planner.tell_once_more([("a", 99)], 12) == []


def test_a_full_sync_does_not_shorten_the_debounce_of_a_rise() -> None:
    planner = planner_of(k=10)
    planner.want("k", 20, 10)

    assert [update.quantity for update in planner.tell_once_more([("k", 99)], 11)] == [10]
    assert [update.quantity for update in planner.tick(10 + 30 * SECOND, 9)] == [20]


def test_a_full_sync_carries_small_changes_along() -> None:
    planner = planner_of(k=10)
    planner.want("k", 9, 10)

    assert [update.quantity for update in planner.tell_once_more([("k", 99)], 11)] == [9]
    assert planner.tick(400 * SECOND, 9)[0].reason == "UNANSWERED"


def test_a_full_sync_passes_over_listings_without_any_value() -> None:
    planner = planner_of()
    planner.restore("b", Listing(sku="b"), 0)

    assert planner.tell_once_more([("b", 99)], 10) == []


def test_the_backlog_names_what_waits_for_budget() -> None:
    planner = planner_of(a=10, b=10, c=10)
    planner.want("a", 0, 1)
    planner.want("b", 4, 1)

    assert planner.backlog() == {"P0": 1, "P1": 0, "P2": 1, "P3": 0, "P4": 0}
