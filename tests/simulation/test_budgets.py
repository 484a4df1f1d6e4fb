"""However members and their store are killed, cut off and restarted: the channel sees its limit kept."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from domain.facts import SECOND
from domain.gcra import SHARES
from domain.limits import CallBudget, RateAndBurst, SerialOnly
from domain.limits_member import Standing, Terms
from tests.simulation.budget_trouble import EVERYTHING, LASTS, TERMS, WITH_A_REPLICA, began, troubled
from tests.simulation.budget_world import BEGIN, World, excess

SEEDS = 30
LIMITS = [
    RateAndBurst(5, SECOND, 5),
    RateAndBurst(2, SECOND, 1),
    RateAndBurst(10, SECOND, 20),
    RateAndBurst(20, SECOND, 3),
]


@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_no_period_sees_more_than_burst_and_rate_whatever_is_killed_cut_off_slow_or_restarted_empty(
    limit: RateAndBurst,
) -> None:
    seen: Counter[Standing] = Counter()
    for seed in range(SEEDS):
        world = troubled(seed, CallBudget.of([limit]), EVERYTHING)
        world.run()
        assert excess(began(world), limit.meter().interval) <= limit.burst, f"seed {seed}"
        seen.update(call.standing for call in world.calls)
    assert seen[Standing.SHARED] > 10 * SEEDS
    assert seen[Standing.ALONE] >= 10


@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_a_replica_that_takes_over_with_less_and_another_clock_costs_at_most_one_burst(
    limit: RateAndBurst,
) -> None:
    for seed in range(SEEDS // 2):
        world = troubled(seed, CallBudget.of([limit]), WITH_A_REPLICA)
        world.run()
        assert excess(began(world), limit.meter().interval) <= 2 * limit.burst, f"seed {seed}"


def test_one_call_at_a_time_stays_one_whatever_happens() -> None:
    budget = CallBudget.of([RateAndBurst(10, SECOND, 3), SerialOnly(SECOND)])
    calls = 0
    for seed in range(SEEDS):
        world = troubled(seed, budget, (*EVERYTHING, "stale"))
        world.longest_call = SECOND * 9 // 10
        world.run()
        in_order = sorted(world.calls)
        assert all(one.ended <= other.began for one, other in pairwise(in_order)), f"seed {seed}"
        calls += len(in_order)
    assert calls > 10 * SEEDS


@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_without_trouble_the_whole_rate_is_used(limit: RateAndBurst) -> None:
    world = World(1, CallBudget.of([limit]), TERMS, 4, LASTS)
    for site in world.sites:
        site.wants = [(BEGIN, world.end)]
    world.run()
    since = BEGIN + 8 * SECOND
    used = sum(at >= since for at in began(world))
    interval = limit.meter().used_within(world.terms.use_within).interval
    # Where a burst is hardly longer than a lease may live, a token that was asked for late is not made up for.
    assert used >= 0.75 * (world.end - since) / interval


@pytest.mark.parametrize("members", [1, 2, 5])
def test_while_the_store_is_away_the_members_use_the_whole_rate_between_them(members: int) -> None:
    limit = RateAndBurst(10, SECOND, 20)
    world = World(2, CallBudget.of([limit]), Terms(), members, LASTS)
    for site in world.sites:
        site.wants = [(BEGIN, world.end)]
    world.at(BEGIN + 8 * SECOND, world.store.go_down)
    world.run()
    since = BEGIN + 13 * SECOND
    assert all(call.standing is Standing.ALONE for call in world.calls if call.began >= since)
    assert sum(at >= since for at in began(world)) >= 0.9 * (world.end - since) / limit.meter().interval


def test_a_sink_started_again_under_its_name_gets_the_share_of_the_one_that_was_killed() -> None:
    limit = RateAndBurst(10, SECOND, 2)
    world = World(3, CallBudget.of([limit]), Terms(), 1, LASTS)
    world.at(BEGIN + 8 * SECOND, lambda: world.kill(world.sites[0], "sink/0"))
    world.run()
    assert world.sites[1].member.share == SHARES
    assert any(call.began > BEGIN + 15 * SECOND for call in world.calls)


def test_a_refusal_halves_the_rate_of_everybody_and_it_grows_back_slowly() -> None:
    limit = RateAndBurst(20, SECOND, 4)
    world = World(4, CallBudget.of([limit]), TERMS, 3, LASTS)
    for site in world.sites:
        site.wants = [(BEGIN, world.end)]
    world.at(BEGIN + 10 * SECOND, lambda: world.sites[0].member.refused(world.sites[0].clock(), SECOND))
    world.run()
    before = sum(BEGIN + 8 * SECOND <= at < BEGIN + 10 * SECOND for at in began(world)) / 2
    pause = sum(BEGIN + 10 * SECOND + 700_000 <= at < BEGIN + 11 * SECOND for at in began(world))
    after = sum(BEGIN + 12 * SECOND <= at < BEGIN + 20 * SECOND for at in began(world)) / 8
    assert pause == 0
    assert 0.4 * before < after < 0.6 * before
    assert [site.member.incidents for site in world.sites] == [1, 0, 0]
