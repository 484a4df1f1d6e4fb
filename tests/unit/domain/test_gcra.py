"""Meters in whole microseconds: bursts, waits, shares, leases and slowdowns."""

from __future__ import annotations

from random import Random

import pytest

from domain.facts import SECOND
from domain.gcra import LONGEST_INTERVAL, ONE_INCIDENT, RECOVERY, SHARES, SLOWEST, Gcra, Slowdown

FIVE = Gcra.of(5, SECOND, 5)


def test_an_untouched_meter_allows_its_burst_and_then_one_call_an_interval() -> None:
    granted, arrival = FIVE.take(0, 10 * SECOND, 9)
    assert granted == FIVE.burst == 5
    assert FIVE.wait(arrival, 10 * SECOND) == SECOND // 5
    assert FIVE.take(arrival, 10 * SECOND + SECOND // 5 - 1, 1)[0] == 0
    assert FIVE.take(arrival, 10 * SECOND + SECOND // 5, 1)[0] == 1


def test_what_does_not_divide_is_rounded_to_the_slower_side() -> None:
    assert Gcra.of(3, SECOND, 1).interval == 333_334


@pytest.mark.parametrize(
    ("calls", "period", "burst"),
    [(0, SECOND, 1), (1, 0, 1), (1, SECOND, 0), (1, LONGEST_INTERVAL + 1, 1), (1, SECOND, 10**6 + 1)],
)
def test_a_rate_that_cannot_be_kept_is_refused(calls: int, period: int, burst: int) -> None:
    with pytest.raises(ValueError, match=r"calls"):
        Gcra.of(calls, period, burst)


def test_an_emptied_meter_owes_no_more_than_its_tolerance() -> None:
    arrival = FIVE.emptied(0, 7 * SECOND)
    assert FIVE.take(arrival, 7 * SECOND, 1)[0] == 0
    assert FIVE.emptied(arrival, 7 * SECOND) == arrival
    assert FIVE.take(arrival, 8 * SECOND, 9)[0] == 5


def test_a_meter_is_lowered_to_what_is_left_and_never_raised() -> None:
    now = 7 * SECOND
    lowered = FIVE.lowered(0, now, 2)
    assert FIVE.take(lowered, now, 9)[0] == 2
    assert FIVE.lowered(lowered, now, 4) == lowered
    assert FIVE.wait(lowered, now, 4) == 2 * FIVE.interval
    assert FIVE.lowered(lowered, now, 0) == FIVE.emptied(lowered, now)


@pytest.mark.parametrize("members", range(1, 17))
def test_equal_shares_add_up_to_the_whole_rate_and_burst(members: int) -> None:
    meter = Gcra.of(1, SECOND, members)
    part = meter.part(SHARES // members)
    assert part is not None
    assert part.interval == members * meter.interval
    assert part.burst == 1


def test_a_share_of_less_than_a_call_is_none() -> None:
    assert Gcra.of(1, SECOND, 2).part(SHARES // 3) is None
    assert FIVE.part(0) is None


@pytest.mark.parametrize("meter", [FIVE, Gcra.of(2, SECOND, 1), Gcra.of(20, SECOND, 2)], ids=str)
def test_calls_made_late_after_their_lease_keep_to_the_meter(meter: Gcra) -> None:
    late = 150_000
    leased = meter.used_within(late)
    for seed in range(30):
        random = Random(seed)
        now, arrival, calls = SECOND, 0, []
        for _ in range(200):
            now += random.choice([0, 1_000, leased.interval, 5 * leased.interval])
            granted, arrival = leased.take(arrival, now, random.randrange(1, 4))
            calls += [now + random.choice([0, late]) for _ in range(granted)]
        calls.sort()
        assert len(calls) > 50
        for first, since in enumerate(calls):
            for last in range(first, len(calls)):
                assert (last - first + 1) * meter.interval <= meter.tolerance + calls[last] - since


def test_a_lease_costs_tolerance_and_not_rate_where_there_is_a_burst() -> None:
    assert FIVE.used_within(100_000) == Gcra(200_000, 900_000)
    assert Gcra.of(2, SECOND, 1).used_within(100_000) == Gcra(600_000, 600_000)


def test_a_slowed_meter_still_allows_one_call() -> None:
    slowed = Gcra.of(2, SECOND, 1).slowed(SHARES // 4)
    assert slowed == Gcra(2 * SECOND, 2 * SECOND)
    assert slowed.take(0, SECOND, 5)[0] == 1


def test_refusals_halve_once_an_incident_down_to_a_bound() -> None:
    slowdown = Slowdown().refused(SECOND)
    assert slowdown.factor == SHARES // 2
    assert slowdown.refused(SECOND + ONE_INCIDENT - 1) == slowdown
    now = SECOND
    for _ in range(20):
        now += ONE_INCIDENT
        slowdown = slowdown.refused(now)
    assert slowdown.factor == SLOWEST


def test_a_slowdown_grows_back_evenly_and_never_beyond_the_whole() -> None:
    slowdown = Slowdown(SHARES // 2, SECOND)
    assert slowdown.now(SECOND + RECOVERY // 4) == SHARES * 3 // 4
    assert slowdown.now(SECOND + RECOVERY // 2) == SHARES
    assert slowdown.now(10 * RECOVERY) == SHARES
    assert slowdown.now(0) == SHARES // 2
