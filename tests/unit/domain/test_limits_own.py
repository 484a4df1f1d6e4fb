"""The budget of a process of its own: never more than burst and rate, and less after a refusal."""

from __future__ import annotations

from random import Random

from domain.facts import SECOND
from domain.limits import CallBudget, CallsPerWindow, RateAndBurst
from domain.limits_own import OwnBudget
from tests.simulation.budget_world import BEGIN, excess

LIMIT = RateAndBurst(5, SECOND, 5)


def test_no_period_sees_more_than_burst_and_rate_whenever_calls_are_wanted() -> None:
    for seed in range(30):
        random, own, now, calls = Random(seed), OwnBudget(CallBudget.of([LIMIT])), BEGIN, []
        for _ in range(200):
            now += random.choice([0, 1, 50_000, 199_999, 200_000, SECOND, 10 * SECOND])
            if own.wait(now) == 0:
                assert own.take(now)
                calls.append(now)
            else:
                assert not own.take(now)
                assert own.wait(now + own.wait(now)) == 0
        assert excess(calls, LIMIT.meter().interval) <= LIMIT.burst, f"seed {seed}"
        assert len(calls) > 50


def test_all_limits_are_kept_at_once() -> None:
    own = OwnBudget(CallBudget.of([LIMIT, CallsPerWindow(3, 60 * SECOND, 3)]))
    assert [own.take(BEGIN) for _ in range(4)] == [True, True, True, False]
    assert own.wait(BEGIN) == 60 * SECOND


def test_several_calls_are_taken_at_once_or_as_many_as_there_are_but_not_fewer_than_needed() -> None:
    own = OwnBudget(CallBudget.of([LIMIT]))
    assert own.take(BEGIN, 3, 3) == 3
    assert own.wait(BEGIN, 3) == SECOND // 5
    assert own.take(BEGIN, 3, 3) == 0
    assert own.take(BEGIN, 3, 1) == 2
    # More than it ever holds is all that it holds.
    assert own.take(BEGIN + 2 * SECOND, 9, 9) == 5


def test_what_the_channel_says_is_left_lowers_the_budget_and_never_raises_it() -> None:
    own = OwnBudget(CallBudget.of([LIMIT]))
    own.lower(BEGIN, 2)
    own.lower(BEGIN, 50)
    assert own.take(BEGIN, 9) == 2
    own.lower(BEGIN, 5)
    assert own.take(BEGIN) == 0
    # The rate is as it was.
    assert own.take(BEGIN + SECOND, 9) == 5


def test_a_refusal_empties_the_bucket_keeps_the_wait_and_halves_the_rate_until_it_has_grown_back() -> None:
    own = OwnBudget(CallBudget.of([LIMIT]))
    own.refused(BEGIN, 3 * SECOND)
    assert own.wait(BEGIN) == 3 * SECOND
    soon, later = (
        sum(own.take(since + tenth * SECOND // 10) for tenth in range(200))
        for since in (BEGIN + 3 * SECOND, BEGIN + 400 * SECOND)
    )
    assert 50 <= soon <= 60
    assert 100 <= later <= 105
