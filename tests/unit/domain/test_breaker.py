"""The circuit breaker, transition by transition, to the microsecond."""

from __future__ import annotations

from domain.breaker import CLOSED, HALF_OPEN, OPEN, Breaker, BreakerPolicy
from domain.facts import SECOND

POLICY = BreakerPolicy(
    failures=3, calls=5, cool_down=SECOND, longest=8 * SECOND, probes=2, passes=2, patience=10 * SECOND
)


def opened(at: int = 0) -> Breaker:
    breaker = Breaker(POLICY)
    for _ in range(3):
        breaker = breaker.failed(at)
    return breaker


def test_a_new_breaker_is_closed_and_limits_nothing() -> None:
    assert Breaker().state(0) == CLOSED
    assert Breaker().calls(0) is None
    assert Breaker().next_at(0) is None


def test_failures_one_short_of_the_limit_leave_it_closed() -> None:
    breaker = Breaker(POLICY).failed(0).failed(0)

    assert breaker.state(0) == CLOSED
    assert breaker.failed(0).state(0) == OPEN


def test_a_channel_that_fails_every_other_call_is_cut_off_too() -> None:
    breaker = Breaker(POLICY).failed(0).succeeded(0).failed(0).succeeded(0)

    assert breaker.state(0) == CLOSED
    assert breaker.failed(0).state(0) == OPEN


def test_failures_beyond_the_last_calls_are_forgotten() -> None:
    breaker = Breaker(POLICY).failed(0).failed(0)
    for _ in range(4):
        breaker = breaker.succeeded(0)

    assert breaker.failed(0).failed(0).state(0) == CLOSED


def test_no_call_goes_before_the_cool_down_is_over_and_not_a_microsecond_later() -> None:
    breaker = opened(at=0)

    assert breaker.calls(SECOND - 1) == 0
    assert breaker.next_at(0) == SECOND
    assert breaker.state(SECOND) == HALF_OPEN
    assert breaker.calls(SECOND) == 2


def test_no_more_probes_than_allowed_are_under_way() -> None:
    breaker = opened().began(SECOND)

    assert breaker.calls(SECOND) == 1
    assert breaker.began(SECOND).calls(SECOND) == 0
    assert breaker.began(SECOND).next_at(SECOND) == 11 * SECOND


def test_probes_that_nobody_answers_are_replaced_after_their_patience() -> None:
    breaker = opened().began(SECOND, 2)

    assert breaker.calls(11 * SECOND - 1) == 0
    assert breaker.calls(11 * SECOND) == 2


def test_passed_probes_close_it_and_nothing_is_held_against_the_channel() -> None:
    breaker = opened().began(SECOND).succeeded(SECOND).began(SECOND).succeeded(SECOND)

    assert breaker == Breaker(POLICY)


def test_a_failed_probe_opens_it_for_twice_as_long_up_to_the_longest() -> None:
    breaker, now, waits = opened(), 0, []
    for _ in range(6):
        assert breaker.reopens_at is not None
        waits.append((breaker.reopens_at - now) // SECOND)
        now = breaker.reopens_at
        breaker = breaker.began(now).failed(now)

    assert waits == [1, 2, 4, 8, 8, 8]


def test_after_it_closed_it_opens_for_the_shortest_time_again() -> None:
    breaker = opened().failed(SECOND)
    assert breaker.reopens_at == 3 * SECOND
    breaker = breaker.succeeded(3 * SECOND).succeeded(3 * SECOND)
    for _ in range(3):
        breaker = breaker.failed(4 * SECOND)

    assert breaker.reopens_at == 5 * SECOND


def test_the_wait_that_the_channel_asked_for_is_kept() -> None:
    breaker = Breaker(POLICY).failed(0).failed(0).failed(0, at_least=5 * SECOND)

    assert breaker.reopens_at == 5 * SECOND
    assert breaker.failed(SECOND, at_least=2 * SECOND).reopens_at == 5 * SECOND
    assert breaker.failed(SECOND, at_least=9 * SECOND).reopens_at == 10 * SECOND


def test_late_failures_of_calls_from_before_do_not_open_it_anew() -> None:
    assert opened().failed(SECOND // 2) == opened()


def test_the_earliest_call_is_known_without_asking_what_time_it_is() -> None:
    assert Breaker(POLICY).held_until() is None
    assert opened(at=0).held_until() == SECOND
    assert opened(at=0).began(SECOND).held_until() == SECOND
    assert opened(at=0).began(SECOND, 2).held_until() == 11 * SECOND


def test_a_clock_that_is_set_back_does_not_keep_it_open_for_long() -> None:
    breaker = opened(at=1000 * SECOND).began(1001 * SECOND, 2).set_back(0)

    assert breaker.held_until() == 10 * SECOND
    assert breaker.state(POLICY.longest) == HALF_OPEN
    assert Breaker(POLICY).set_back(0) == Breaker(POLICY)


def test_an_answer_while_open_lets_the_next_probe_go_at_once() -> None:
    breaker = opened().succeeded(SECOND // 2)

    assert breaker.state(SECOND // 2) == HALF_OPEN
    assert breaker.succeeded(SECOND // 2).state(SECOND // 2) == CLOSED
