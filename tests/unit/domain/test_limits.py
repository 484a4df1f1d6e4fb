"""Limits as channels state them, and the meters that keep to them."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest

from domain.facts import SECOND
from domain.gcra import Gcra
from domain.limits import BytesPerWindow, CallBudget, CallsPerWindow, RateAndBurst, SerialOnly


@pytest.mark.parametrize(
    ("calls", "window", "burst"), [(5, 300 * SECOND, 5), (10, 3_600 * SECOND, 1), (7, SECOND, 3)]
)
def test_no_half_open_window_sees_more_than_its_calls_wherever_it_begins(
    calls: int, window: int, burst: int
) -> None:
    meter = CallsPerWindow(calls, window, burst).meter()
    for seed in range(20):
        random = Random(seed)
        now, arrival, made = window, 0, []
        for _ in range(300):
            now += random.choice([0, meter.interval, meter.interval // 3 + 1, window])
            granted, arrival = meter.take(arrival, now, 3)
            made += [now] * granted
        assert max(sum(since <= at < since + window for at in made) for since in made) <= calls


def test_a_window_of_one_call_allows_the_next_when_it_is_over() -> None:
    assert CallsPerWindow(1, 60 * SECOND, 4).meter() == Gcra(60 * SECOND, 60 * SECOND)


def test_bytes_are_counted_as_calls_of_the_largest_size() -> None:
    assert BytesPerWindow(100, 10 * SECOND, 25).meter() == CallsPerWindow(4, 10 * SECOND).meter()
    with pytest.raises(ValueError, match="does not fit"):
        BytesPerWindow(100, SECOND, 101).meter()


def test_a_budget_is_divided_into_no_more_parts_than_its_smallest_burst() -> None:
    limits = [RateAndBurst(5, SECOND, 5), CallsPerWindow(10, 60 * SECOND, 3)]
    assert CallBudget.of(limits).parts == 3
    assert CallBudget.of([*limits, SerialOnly(10 * SECOND)]) == CallBudget(
        (limits[0].meter(), limits[1].meter()), 10 * SECOND
    )
    assert CallBudget.of([*limits, SerialOnly(10 * SECOND)]).parts == 1


@pytest.mark.parametrize("limits", [[], [SerialOnly(SECOND)], [RateAndBurst(1, SECOND, 1)] * 5], ids=len)
def test_a_budget_without_a_rate_or_with_too_many_is_refused(limits: list[RateAndBurst]) -> None:
    with pytest.raises(ValueError, match="limits of calls or bytes"):
        CallBudget.of(limits)


@pytest.mark.parametrize(
    ("limit", "age"),
    [
        (RateAndBurst(10, SECOND, 10), 100_000),
        (RateAndBurst(1_000, SECOND, 51), 25_000),
        (RateAndBurst(5, SECOND, 1), 50_000),
        (RateAndBurst(1_000, SECOND, 1), 10_000),
    ],
)
def test_a_lease_grows_no_older_than_the_burst_can_pay_for(limit: RateAndBurst, age: int) -> None:
    assert CallBudget.of([limit]).lease_age(100_000) == age


def test_a_rate_a_second_is_kept_exactly() -> None:
    assert RateAndBurst.per_second(Fraction("0.2"), 1).meter() == Gcra(5 * SECOND, 5 * SECOND)
