"""What is concluded from answers: reaction time, silence, and listings that are not taken."""

from __future__ import annotations

from domain.answers import LONGEST_REACTION, Failures, Reactions, planner_breaker
from domain.breaker import CLOSED, HALF_OPEN, OPEN
from domain.facts import SECOND
from domain.latency import MILLISECOND

ASSUMED = 64 * MILLISECOND * 1000


def test_before_the_first_answer_the_assumed_latency_counts() -> None:
    assert Reactions().reaction(0, ASSUMED) >= ASSUMED
    assert Reactions().reaction(0, 0) == 0


def test_answers_replace_what_was_assumed() -> None:
    reactions = Reactions()
    reactions.sent("A", 0)
    reactions.answered("A", 128 * MILLISECOND, SECOND)

    assert reactions.p95() == 128 * MILLISECOND
    assert reactions.reaction(SECOND, ASSUMED) == 128 * MILLISECOND


def test_a_channel_that_falls_silent_reacts_the_slower_the_longer_it_is() -> None:
    reactions = Reactions()
    reactions.sent("A", 0)
    reactions.answered("A", 128 * MILLISECOND, SECOND)
    reactions.sent("B", 2 * SECOND)
    reactions.sent("C", 9 * SECOND)

    assert reactions.silence(10 * SECOND) == 8 * SECOND
    assert reactions.reaction(10 * SECOND, 0) >= 8 * SECOND

    reactions.answered("C", SECOND, 10 * SECOND)
    assert reactions.silence(11 * SECOND) == SECOND  # B is still open

    reactions.answered("B", 9 * SECOND, 11 * SECOND)
    assert reactions.silence(99 * SECOND) == 0


def test_one_listing_that_is_never_answered_is_not_the_channels_silence() -> None:
    reactions = Reactions()
    reactions.sent("stuck", 0)
    for second in range(1, 100):
        reactions.sent("A", second * SECOND)
        reactions.answered("A", 128 * MILLISECOND, second * SECOND + 128 * MILLISECOND)

    assert reactions.silence(100 * SECOND) < SECOND


def test_an_answer_to_an_older_update_leaves_the_newer_one_open() -> None:
    reactions = Reactions()
    reactions.sent("A", 0)
    reactions.answered("A", SECOND, SECOND, newest=False)

    assert reactions.silence(3 * SECOND) == 2 * SECOND


def test_what_is_not_ours_any_more_is_not_waited_for() -> None:
    reactions = Reactions()
    reactions.sent("A", 0)
    reactions.forget("A")

    assert reactions.silence(3 * SECOND) == 0


def test_the_wait_for_budget_comes_on_top() -> None:
    reactions = Reactions()
    reactions.answered("A", 4096 * MILLISECOND, 0)

    assert reactions.reaction(0, 0, queued=4096 * MILLISECOND) == 8192 * MILLISECOND


def test_it_widens_at_once_and_shrinks_when_it_is_worth_it() -> None:
    def reacted(*waits: int) -> list[int]:
        return [reactions.reaction(0, 0, queued=wait * SECOND) // SECOND for wait in waits]

    reactions = Reactions()

    assert reacted(10, 11, 10, 7, 6, 8) == [11, 11, 11, 11, 6, 8]
    assert reacted(0) == [0]


def test_a_channel_that_is_down_for_a_week_is_down_for_a_day() -> None:
    reactions = Reactions()
    reactions.sent("A", 0)

    assert reactions.reaction(7 * LONGEST_REACTION, 0) == reactions.reaction(LONGEST_REACTION, 0)


def test_a_clock_that_is_set_back_does_not_stop_the_silence() -> None:
    reactions = Reactions()
    reactions.sent("A", 100 * SECOND)
    reactions.set_back(10 * SECOND)

    assert reactions.silence(12 * SECOND) == 2 * SECOND


def test_the_third_failure_in_a_row_is_a_finding_and_the_fourth_is_no_other() -> None:
    failures = Failures(limit=3)

    assert [failures.failed("A") for _ in range(6)] == [False, False, True, False, False, False]
    assert len(failures) == 1


def test_a_listing_that_is_taken_starts_from_nothing() -> None:
    failures = Failures(limit=2)
    assert not failures.failed("A")
    failures.accepted("A")
    assert not failures.failed("A")
    assert failures.failed("A")
    failures.forget("A")

    assert len(failures) == 0


def test_a_planner_whose_channel_is_silent_probes_with_ten_updates_and_one_answer_is_enough() -> None:
    breaker = planner_breaker()
    for _ in range(5):
        assert breaker.state(0) == CLOSED
        breaker = breaker.failed(0)

    assert breaker.state(0) == OPEN
    assert breaker.state(5 * SECOND) == HALF_OPEN
    assert breaker.calls(5 * SECOND) == 10
    assert breaker.began(5 * SECOND, 10).succeeded(6 * SECOND).state(6 * SECOND) == CLOSED
