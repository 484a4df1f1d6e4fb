"""What may be told of one listing, and when."""

from __future__ import annotations

from fractions import Fraction

import pytest

from domain.facts import SECOND
from domain.listings import (
    ACCEPTED,
    MAX_BACK_OFF_DOUBLINGS,
    P0,
    P1,
    P2,
    P3,
    REJECTED,
    UNKNOWN,
    Listing,
    Step,
    answered,
    classify,
    due,
    join,
    outlook,
    repair_due,
    restored,
    sent,
    sent_again,
    wanted,
)
from domain.policy import Held, PublishPolicy
from tests.publishing import told

PUBLISH = PublishPolicy(
    rise_debounce=30 * SECOND, min_delta=Held(3, Fraction(5)), low_band=5, heartbeat=300 * SECOND
)


@pytest.mark.parametrize(
    ("last", "desired", "priority"),
    [
        (5, 0, P0),
        (1000, 0, P0),
        (0, 1, P1),
        (0, 1000, P1),
        (5, 4, P1),
        (6, 5, P1),
        (5, 900, P1),
        (10, 7, P2),
        (10, 8, P3),
        (10, 12, P3),
        (10, 13, P2),
        (101, 107, P2),
        (101, 106, P3),
        (10, 10, None),
        (0, 0, None),
        (None, 0, P0),
        (None, 7, P1),
    ],
)
def test_the_class_follows_from_what_was_told_and_what_should_be(
    last: int | None, desired: int, priority: str | None
) -> None:
    assert classify(last, desired, PUBLISH) == priority


def test_back_in_stock_is_p1_whatever_the_low_band() -> None:
    assert classify(0, 9, PublishPolicy(low_band=-1)) == P1


def test_a_fall_is_due_at_once() -> None:
    assert due(wanted(told(10), 6, 7), PUBLISH) == 7


def test_a_rise_is_due_after_the_debounce_from_the_first_rise() -> None:
    listing = wanted(wanted(told(10), 14, 7), 20, 9)

    assert due(listing, PUBLISH) == 7 + PUBLISH.rise_debounce


def test_a_fall_ends_the_wait_of_a_rise() -> None:
    listing = wanted(wanted(wanted(told(10), 14, 7), 6, 9), 14, 11)

    assert due(listing, PUBLISH) == 11 + PUBLISH.rise_debounce


def test_a_small_change_is_due_with_the_heartbeat_after_the_last_update() -> None:
    assert due(wanted(told(10, at=5), 9, 7), PUBLISH) == 5 + PUBLISH.heartbeat


def test_a_small_change_long_after_the_last_update_is_due_at_once() -> None:
    now = 10 * PUBLISH.heartbeat

    assert due(wanted(told(10, at=5), 9, now), PUBLISH) == now


def test_a_small_change_of_an_unknown_past_waits_a_whole_heartbeat() -> None:
    assert due(wanted(told(10), 9, 7), PUBLISH) == 7 + PUBLISH.heartbeat


def test_a_small_rise_waits_for_the_debounce_and_the_heartbeat() -> None:
    assert due(wanted(told(10, at=0), 11, PUBLISH.heartbeat), PUBLISH) == PUBLISH.heartbeat + PUBLISH.rise_debounce


def test_a_first_value_is_due_at_once() -> None:
    assert due(wanted(Listing(), 9, 7), PUBLISH) == 7


def test_nothing_is_due_when_the_channel_has_the_value() -> None:
    assert due(wanted(wanted(told(10), 6, 7), 10, 8), PUBLISH) is None


def test_a_forced_value_is_due_at_once_even_if_it_is_the_same_small_or_a_rise() -> None:
    steps = [outlook(wanted(told(10), quantity, 7, force=True), PUBLISH, 7)[0] for quantity in (10, 9, 14)]

    assert steps == [Step(P2, 7, 10, "REPEATED"), Step(P2, 7, 9, "REPEATED"), Step(P2, 7, 14, "CHANGED")]


def test_a_forced_fall_to_0_stays_the_most_urgent() -> None:
    step, _ = outlook(wanted(told(10), 0, 7, force=True), PUBLISH, 7)

    assert step == Step(P0, 7, 0, "SOLD_OUT")


def test_a_forced_0_is_urgent_only_if_the_channel_did_not_confirm_it() -> None:
    unconfirmed = told(10)._replace(last_quantity=0, publish_seq=2, last_sent_at=0)

    assert outlook(wanted(told(0), 0, 7, force=True), PUBLISH, 7)[0] == Step(P2, 7, 0, "REPEATED")
    assert outlook(wanted(unconfirmed, 0, 7, force=True), PUBLISH, 7)[0] == Step(P0, 7, 0, "REPEATED")


def test_force_lasts_until_the_value_is_sent() -> None:
    listing = wanted(wanted(told(10), 10, 7, force=True), 10, 8)

    assert listing.pending_since == 7
    assert sent(listing, 10, 2, 9).pending_since is None
    assert not sent(listing, 10, 2, 9).forced


def test_an_unanswered_value_is_sent_again_under_its_own_number() -> None:
    listing = sent(wanted(told(10), 6, 7), 6, 2, 7)
    step, _ = outlook(listing, PUBLISH, 7 + PUBLISH.resend_after)

    assert outlook(listing, PUBLISH, 8) == (None, 7 + PUBLISH.resend_after)
    assert step == Step(P3, 7 + PUBLISH.resend_after, 6, "UNANSWERED", again=True)


def test_an_unanswered_0_is_urgent() -> None:
    step, _ = outlook(sent(wanted(told(10), 0, 7), 0, 2, 7), PUBLISH, 7 + PUBLISH.resend_after)

    assert step is not None
    assert step.priority == P0


def test_repetitions_back_off_to_a_limit() -> None:
    listing = sent(wanted(told(10), 6, 0), 6, 2, 0)
    waits = []
    for _ in range(MAX_BACK_OFF_DOUBLINGS + 3):
        at = repair_due(listing, PUBLISH)
        assert at is not None
        waits.append((at - (listing.last_sent_at or 0)) // PUBLISH.resend_after)
        listing = sent_again(listing, at)

    assert waits == [1, 2, 4, 8, 16, 32, 64, 64, 64]


def test_a_channel_that_never_answers_can_be_configured() -> None:
    listing = sent(wanted(told(10), 6, 7), 6, 2, 7)

    assert repair_due(listing, PublishPolicy(resend_after=0)) is None


def test_a_rise_that_became_due_goes_instead_of_the_repetition() -> None:
    listing = wanted(sent(wanted(told(10), 6, 7), 6, 2, 7), 20, 8)
    step, again = outlook(listing, PUBLISH, 7 + PUBLISH.resend_after)

    assert step == Step(P2, 8, 20, "CHANGED")
    assert again is None


def test_a_repetition_goes_while_a_rise_still_waits() -> None:
    publish = PublishPolicy(rise_debounce=600 * SECOND, resend_after=60 * SECOND)
    listing = wanted(sent(wanted(told(10), 6, 0), 6, 2, 0), 20, 1)
    step, again = outlook(listing, publish, 60 * SECOND)

    assert step is not None
    assert (step.quantity, step.again) == (6, True)
    assert again == 1 + publish.rise_debounce


def test_an_accepted_value_needs_nothing_more() -> None:
    listing = answered(sent(wanted(told(10), 6, 7), 6, 2, 7), 2, ACCEPTED, 6, 9)

    assert outlook(listing, PUBLISH, 10**12) == (None, None)
    assert listing.is_settled


def test_a_rejected_value_is_told_anew_with_the_heartbeat() -> None:
    listing = answered(sent(wanted(told(10), 6, 7), 6, 2, 7), 2, REJECTED, 6, 9)
    at = 7 + PUBLISH.heartbeat

    assert listing.acked_quantity == 10
    assert outlook(listing, PUBLISH, 9) == (None, at)
    assert outlook(listing, PUBLISH, at)[0] == Step(P3, at, 6, "REFUSED")


def test_a_rejected_repetition_of_what_the_channel_has_is_no_harm() -> None:
    listing = answered(sent(wanted(told(10), 10, 7, force=True), 10, 2, 7), 2, REJECTED, 10, 9)

    assert outlook(listing, PUBLISH, 10**12) == (None, None)


def test_a_refusal_that_says_what_the_channel_shows_is_told_anew_at_once() -> None:
    listing = answered(sent(wanted(told(10), 6, 7), 6, 2, 7), 2, REJECTED, 6, 9, shown=8)

    assert listing.acked_quantity == 8
    assert outlook(listing, PUBLISH, 9) == (Step(P2, 9, 6, "REPEATED"), None)


def test_a_refused_0_on_another_ground_is_told_anew_most_urgently() -> None:
    listing = answered(sent(wanted(told(10), 0, 7), 0, 2, 7), 2, REJECTED, 0, 9, shown=8)

    assert outlook(listing, PUBLISH, 9)[0] == Step(P0, 9, 0, "REPEATED")


def test_a_refusal_that_says_what_we_believed_waits_for_the_heartbeat() -> None:
    listing = answered(sent(wanted(told(10), 6, 7), 6, 2, 7), 2, REJECTED, 6, 9, shown=10)

    assert outlook(listing, PUBLISH, 9) == (None, 7 + PUBLISH.heartbeat)


def test_a_refusal_by_a_channel_that_shows_the_value_already_is_as_good_as_accepted() -> None:
    listing = answered(sent(wanted(told(10), 6, 7), 6, 2, 7), 2, REJECTED, 6, 9, shown=6)

    assert listing.is_settled
    assert outlook(listing, PUBLISH, 10**12) == (None, None)


def test_an_accepted_value_counts_whatever_the_channel_showed_before() -> None:
    listing = answered(sent(wanted(told(10), 6, 7), 6, 2, 7), 2, ACCEPTED, 6, 9, shown=8)

    assert listing.acked_quantity == 6
    assert outlook(listing, PUBLISH, 10**12) == (None, None)


def test_a_refusal_of_what_is_replaced_already_changes_nothing_but_the_answer() -> None:
    listing = sent(wanted(sent(wanted(told(10), 6, 7), 6, 2, 7), 3, 8), 3, 3, 8)

    assert answered(listing, 2, REJECTED, 6, 9, shown=8) == listing._replace(acked_seq=2)


def test_an_unknown_outcome_is_no_answer() -> None:
    listing = sent(wanted(told(10), 6, 7), 6, 2, 7)

    assert answered(listing, 2, UNKNOWN, 6, 9) == listing


def test_an_answer_to_an_older_update_does_not_confirm_the_newest() -> None:
    listing = sent(wanted(sent(wanted(told(10), 6, 7), 6, 2, 7), 3, 8), 3, 3, 8)
    listing = answered(listing, 2, ACCEPTED, 6, 9)

    assert not listing.is_settled
    assert (listing.acked_seq, listing.acked_quantity) == (2, 6)


def test_a_late_answer_does_not_replace_a_newer_one() -> None:
    listing = answered(told(10)._replace(publish_seq=5, acked_seq=5), 3, ACCEPTED, 99, 9)

    assert listing.acked_quantity == 10


@pytest.mark.parametrize("outcome", [ACCEPTED, REJECTED, UNKNOWN])
def test_an_answer_to_what_we_never_told_shows_what_an_earlier_owner_did(outcome: str) -> None:
    listing = answered(told(10), 9, outcome, 50, 7)

    assert (listing.last_quantity, listing.publish_seq) == (50, 9)
    assert outlook(listing, PUBLISH, 7)[0] == Step(P2, 7, 10, "CHANGED")


def test_an_earlier_owner_who_told_what_we_want_leaves_nothing_to_tell() -> None:
    listing = answered(wanted(told(10), 50, 3), 9, ACCEPTED, 50, 7)

    assert outlook(listing, PUBLISH, 10**12) == (None, None)


def test_an_answer_for_a_listing_nobody_wants_yet_is_remembered() -> None:
    listing = answered(Listing(), 9, ACCEPTED, 50, 7)

    assert outlook(listing, PUBLISH, 10**12) == (None, None)
    assert outlook(wanted(listing, 20, 8), PUBLISH, 8)[0] == Step(P2, 8, 20, "CHANGED")


def test_joined_rows_keep_the_newer_send_and_the_newer_answer() -> None:
    ours = told(10)._replace(publish_seq=7, acked_seq=3)
    theirs = told(4)._replace(publish_seq=6, acked_seq=6)

    assert join(ours, theirs) == told(10)._replace(publish_seq=7, acked_seq=6, acked_quantity=4)


def test_a_row_whose_answer_is_newer_than_its_send_is_mended() -> None:
    row = told(10)._replace(publish_seq=3, acked_seq=6, acked_quantity=4)
    listing = restored(row, 7)

    assert (listing.last_quantity, listing.publish_seq) == (4, 6)
    assert due(listing, PUBLISH) == 7 + PUBLISH.rise_debounce


def test_a_consistent_row_is_restored_as_it_is() -> None:
    row = wanted(told(10, at=1), 14, 3)

    assert restored(row, 99) == row
