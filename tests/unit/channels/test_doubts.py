"""When a listing is in doubt, when it is read back, and what follows from what is read."""

from __future__ import annotations

import pytest

from connectors.channels.backlog import Waiting
from connectors.channels.doubts import MOST_QUANTITIES, Doubt, Doubts, Verdict, judge
from tests.conformance.rig import NOW, update

SETTLE_S = 20.0


def waiting(publish_seq: int = 1, quantity: int = 5, listing: str = "L-1", partition: int = 3) -> Waiting:
    return Waiting(partition, publish_seq, update(listing, publish_seq, quantity), "P2", NOW)


def doubts(most_reads: int = 3, most: int = 10) -> Doubts:
    return Doubts(SETTLE_S, most_reads, most)


def in_doubt(unanswered: int = 9, accepted: int = 4, at: float = 1.0) -> Doubts:
    """A call at 0 had no answer, and a newer value was accepted."""
    found = doubts()
    found.unanswered(waiting(1, unanswered), 0.0)
    found.accepted(waiting(2, accepted), at)
    return found


@pytest.mark.parametrize(
    ("shown", "verdict"),
    [
        (4, Verdict.AS_TOLD),
        (9, Verdict.OVERTAKEN),  # the call without answer came last
        (7, Verdict.OVERTAKEN),  # and something was sold since
        (2, Verdict.OVERTAKEN),
        (3, Verdict.LESS),
        (0, Verdict.LESS),
        (-1, Verdict.LESS),
        (1, Verdict.AS_TOLD),  # what was told since, without an answer
    ],
)
def test_more_than_accepted_or_what_had_no_answer_is_overtaken_and_other_less_was_sold(
    shown: int, verdict: Verdict
) -> None:
    assert judge(shown, 4, (9, 2), (1,)) is verdict


def test_what_was_accepted_is_read_when_it_has_settled_and_not_before() -> None:
    found = in_doubt(at=7.0)
    assert found.due(26.9) == []
    assert found.due(27.0) == ["L-1"]


def test_a_listing_whose_calls_all_said_the_same_is_in_no_doubt() -> None:
    found = in_doubt(unanswered=4, accepted=4)
    assert found.due(19.9) == []
    assert len(found) == 1
    assert found.due(20.0) == []
    assert len(found) == 0


def test_what_is_accepted_when_no_call_can_be_under_way_is_in_no_doubt() -> None:
    found = in_doubt(at=SETTLE_S)
    assert len(found) == 0
    assert found.due(1_000.0) == []


def test_a_doubt_without_any_accepted_value_ends_with_the_call() -> None:
    found = doubts()
    found.unanswered(waiting(1, 9), 0.0)
    assert found.due(SETTLE_S) == []
    assert len(found) == 0


def test_a_newer_call_without_answer_puts_off_the_read() -> None:
    found = in_doubt()
    found.unanswered(waiting(3, 6), 5.0)
    assert found.due(SETTLE_S + 1.0) == []
    found.accepted(waiting(3, 6), 22.0)
    assert found.due(41.9) == []
    assert found.due(42.0) == ["L-1"]
    assert found.read("L-1", 9, 42.0) is Verdict.OVERTAKEN
    assert [one.update.quantity for one in found.overtaken()] == [6]


@pytest.mark.parametrize("shown", [4, 3])
def test_a_quantity_that_is_right_or_was_sold_ends_the_doubt(shown: int) -> None:
    found = in_doubt()
    assert found.read("L-1", shown, 30.0) in (Verdict.AS_TOLD, Verdict.LESS)
    assert len(found) == 0
    assert found.overtaken() == []


def test_what_was_overtaken_is_told_again_under_another_key_until_it_is_accepted() -> None:
    found = in_doubt()
    found.read("L-1", 9, 30.0)
    (again,) = found.overtaken()
    assert again.update._replace(idempotency_key="") == waiting(2, 4).update._replace(idempotency_key="")
    assert again.update.idempotency_key != waiting(2, 4).update.idempotency_key
    assert found.overtaken() == [again]
    assert found.due(1_000.0) == []
    assert found.accepted(again, 31.0) == 9
    assert len(found) == 0


def test_told_again_without_an_answer_it_is_in_doubt_again_and_read_a_bounded_number_of_times() -> None:
    found, now = in_doubt(), 21.0
    for reads in (1, 2, 3):
        assert not found.is_used_up("L-1")
        assert found.due(now) == ["L-1"]
        found.read("L-1", 9, now)
        found.unanswered(found.overtaken()[0], now + 1.0)
        assert found.overtaken() == []
        assert found.due(now + SETTLE_S) == []
        now += 1.0 + SETTLE_S
        assert found.is_used_up("L-1") == (reads == 3)


def test_a_read_that_fails_is_made_again_later_and_later_and_then_given_up() -> None:
    found = in_doubt()
    assert found.unread("L-1", 21.0)
    assert found.due(40.9) == []
    assert found.due(41.0) == ["L-1"]
    assert found.unread("L-1", 41.0)
    assert found.due(80.9) == []
    assert found.due(81.0) == ["L-1"]
    assert not found.unread("L-1", 81.0)
    assert len(found) == 0


def test_the_longest_waiting_are_read_first() -> None:
    found = doubts()
    for number, listing in enumerate(("L-2", "L-3", "L-1")):
        found.unanswered(waiting(1, 9, listing), 0.0)
        found.accepted(waiting(2, 4, listing), float(number))
    assert found.due(50.0) == ["L-2", "L-3", "L-1"]


def test_no_more_listings_are_remembered_than_there_is_room_for_and_ended_doubts_make_room() -> None:
    found = doubts(most=2)
    assert found.unanswered(waiting(1, 9, "L-1"), 0.0)
    assert found.unanswered(waiting(1, 9, "L-2"), 1.0)
    assert not found.unanswered(waiting(1, 9, "L-3"), 2.0)
    assert found.unanswered(waiting(2, 8, "L-2"), 2.0)
    assert found.unanswered(waiting(1, 9, "L-3"), SETTLE_S)
    assert len(found) == 2


def test_of_many_quantities_without_answer_the_last_ones_are_remembered() -> None:
    found = doubts()
    for quantity in range(100, 100 + MOST_QUANTITIES + 5):
        found.unanswered(waiting(quantity, quantity), 0.0)
    found.unanswered(waiting(200, 110), 0.0)
    doubt = found.of("L-1")
    assert doubt is not None
    assert len(doubt.unanswered) == MOST_QUANTITIES
    assert doubt.unanswered[-2:] == ((last := 100 + MOST_QUANTITIES + 4, last), (200, 110))


def test_a_partition_that_goes_takes_its_doubts_along() -> None:
    found = doubts()
    found.unanswered(waiting(1, 9, "L-1", partition=1), 0.0)
    found.unanswered(waiting(1, 9, "L-2", partition=2), 0.0)
    found.disown(1)
    assert found.of("L-1") is None
    assert found.of("L-2") is not None


def test_a_suspicion_is_to_be_written_down_until_it_is_and_while_the_call_may_be_under_way() -> None:
    found, suspected = doubts(), waiting(1, 9)
    assert found.suspected(suspected, 0.0)
    assert found.suspected(waiting(1, 9, "L-2"), 0.0)
    assert found.unwritten("L-1", SETTLE_S - 0.1) is suspected
    found.written(waiting(2, 4))
    assert found.unwritten("L-1", SETTLE_S - 0.1) is suspected
    found.written(suspected)
    assert found.unwritten("L-1", SETTLE_S - 0.1) is None
    assert found.unwritten("L-2", SETTLE_S) is None
    assert found.unwritten("L-3", 0.0) is None


def test_a_suspicion_allows_for_the_attempt_of_a_process_that_is_cut_off() -> None:
    found = Doubts(SETTLE_S, 3, attempt_s=10.0)
    found.suspected(waiting(1, 9), 0.0)
    found.accepted(waiting(2, 4), 1.0)
    assert found.due(29.9) == []
    assert found.due(30.0) == ["L-1"]


def test_a_value_told_while_a_call_was_under_way_is_read_however_late_it_is_answered() -> None:
    found = doubts()
    found.unanswered(waiting(1, 9), 0.0)
    found.accepted(waiting(2, 4), 62.0, began_at=SETTLE_S - 0.1)
    assert found.due(82.0) == ["L-1"]
    assert found.accepted(waiting(3, 5), 83.0, began_at=SETTLE_S) is None
    assert len(found) == 0


def test_a_newer_call_without_answer_is_no_old_value() -> None:
    found = in_doubt()
    found.unanswered(waiting(3, 2), 2.0)
    assert found.read("L-1", 2, 30.0) is Verdict.AS_TOLD
    found = in_doubt()
    found.unanswered(waiting(3, 2), 2.0)
    assert found.read("L-1", 9, 30.0) is Verdict.OVERTAKEN
    assert [one.update.quantity for one in found.overtaken()] == [4]


def test_a_call_without_answer_of_our_own_is_no_suspicion() -> None:
    found = doubts()
    found.unanswered(waiting(1, 9), 0.0)
    assert found.unwritten("L-1", 1.0) is None


def test_suspicions_leave_half_of_the_room_to_calls_that_had_no_answer() -> None:
    found = doubts(most=4)
    assert [found.suspected(waiting(1, 9, f"L-{number}"), 0.0) for number in range(3)] == [True, True, False]
    assert found.suspected(waiting(2, 8, "L-1"), 0.0)
    assert [found.unanswered(waiting(1, 9, f"L-{number}"), 0.0) for number in (3, 4, 5)] == [True, True, False]


def test_doubts_of_another_process_are_taken_over_as_far_as_there_is_room() -> None:
    found = doubts(most=2)
    found.unanswered(waiting(1, 9, "L-0"), 0.0)
    nothing_to_read = Doubt(5, ((1, 9),), 5.0, 5.0)
    to_be_read = Doubt(5, ((1, 9),), 5.0, 7.0, waiting(2, 4, "L-2", 5))
    assert found.inherit({"L-1": nothing_to_read, "L-2": to_be_read}) == 1
    assert found.due(6.9) == []
    assert found.due(7.0) == ["L-2"]
    found.disown(5)
    assert len(found) == 1


def test_what_was_overtaken_is_to_be_told_again_until_that_is_answered_or_no_answer_came_again() -> None:
    found = in_doubt()
    found.read("L-1", 9, 21.0)
    (again,) = found.overtaken()
    found.unanswered(again, 22.0)
    assert found.overtaken() == []
    found.accepted(again, 23.0)
    found.read("L-1", 9, 43.0)
    (again,) = found.overtaken()
    found.accepted(again, 44.0)
    assert found.overtaken() == []
    assert len(found) == 0
