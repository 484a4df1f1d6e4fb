"""Limits of calls and bytes by window, shared: whatever is lost, no window sees more, wherever it begins."""

from __future__ import annotations

from collections import Counter

import pytest

from domain.facts import SECOND, Micros
from domain.limits import BytesPerWindow, CallBudget, CallsPerWindow, RateAndBurst
from domain.limits_member import Standing, Terms
from tests.simulation.budget_trouble import EVERYTHING, WITH_A_REPLICA, began, troubled

SEEDS = 40
LASTS: Micros = 90 * SECOND
WINDOWS = [
    CallsPerWindow(5, 20 * SECOND, 2),
    CallsPerWindow(6, 15 * SECOND),
    CallsPerWindow(12, 10 * SECOND, 12),
    CallsPerWindow(40, 30 * SECOND, 20),
]


def terms(seed: int) -> Terms:
    """Shares of silent members come back early or late."""
    return Terms(forget_after=(10 if seed % 2 else 45) * SECOND)


def fullest(calls: list[Micros], window: Micros) -> int:
    """The most calls in any half-open window."""
    calls = sorted(calls)
    first, most = 0, 0
    for last, at in enumerate(calls):
        while at - calls[first] >= window:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.parametrize("limit", WINDOWS, ids=str)
def test_no_window_sees_more_calls_whatever_is_killed_cut_off_slow_or_restarted_empty(
    limit: CallsPerWindow,
) -> None:
    seen: Counter[Standing] = Counter()
    for seed in range(SEEDS):
        world = troubled(seed, CallBudget.of([limit]), EVERYTHING, LASTS, terms(seed))
        world.run()
        assert fullest(began(world), limit.window) <= limit.calls, f"seed {seed}"
        seen.update(call.standing for call in world.calls)
    assert seen[Standing.SHARED] > 2 * SEEDS
    assert seen[Standing.ALONE] > 0


@pytest.mark.parametrize("limit", WINDOWS, ids=str)
def test_a_replica_that_takes_over_with_less_costs_a_window_at_most_one_burst(limit: CallsPerWindow) -> None:
    for seed in range(SEEDS // 2):
        world = troubled(seed, CallBudget.of([limit]), WITH_A_REPLICA, LASTS, terms(seed))
        world.run()
        assert fullest(began(world), limit.window) <= limit.calls + limit.burst, f"seed {seed}"


def test_calls_and_bytes_by_window_are_kept_both_and_the_tighter_one_decides() -> None:
    calls, size = CallsPerWindow(8, 10 * SECOND, 4), BytesPerWindow(5_000_000, 10 * SECOND, 1_000_000, 2)
    rate = RateAndBurst(2, SECOND, 4)
    for seed in range(SEEDS):
        world = troubled(seed, CallBudget.of([calls, size, rate]), EVERYTHING, LASTS, terms(seed))
        world.run()
        made = began(world)
        assert fullest(made, size.window) * size.largest <= size.size, f"seed {seed}"
        assert fullest(made, calls.window) <= calls.calls, f"seed {seed}"
