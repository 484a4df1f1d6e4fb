"""Calls of several tokens each, and a channel that says what is left: the limit is kept, and what is told."""

from __future__ import annotations

from collections import Counter
from functools import partial
from random import Random

import pytest

from domain.facts import SECOND, Micros
from domain.limits import CallBudget, RateAndBurst
from domain.limits_member import Standing
from tests.simulation.budget_channel import ChannelBucket
from tests.simulation.budget_trouble import EVERYTHING, LASTS, TERMS, WITH_A_REPLICA, began, troubled
from tests.simulation.budget_world import BEGIN, World, excess

SEEDS = 40
LEASE = 12
LIMITS = [
    RateAndBurst(10, SECOND, 100),
    RateAndBurst(10, SECOND, 20),
    RateAndBurst(5, SECOND, 5),
    RateAndBurst(2, SECOND, 1),
]
RESTED = BEGIN + 15 * SECOND
NEWS: Micros = 100_000
"""Until every sink obeys what one was told: an answer, a request, and leases that were under way."""


def with_channel(world: World, limit: RateAndBurst) -> ChannelBucket:
    world.bucket = ChannelBucket(limit.meter())
    return world.bucket


def spenders(world: World, bucket: ChannelBucket, limit: RateAndBurst, seed: int) -> list[Micros]:
    """Others empty half of the bucket, or all of it, now and then. Returns when."""
    random = Random(seed)
    times = [BEGIN + random.randrange(5 * SECOND, LASTS) for _ in range(3)]
    for at in times:
        spent = random.choice([limit.burst // 2, limit.burst])
        world.at(at, partial(bucket.others, at, spent))
    return times


@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_calls_of_several_tokens_keep_to_burst_and_rate_whatever_happens_and_whatever_is_told(
    limit: RateAndBurst,
) -> None:
    seen: Counter[Standing] = Counter()
    for seed in range(SEEDS):
        world = troubled(seed, CallBudget.of([limit]), EVERYTHING, lease=LEASE)
        bucket = with_channel(world, limit)
        if seed % 2:
            spenders(world, bucket, limit, seed)
        world.run()
        assert excess(began(world), limit.meter().interval) <= limit.burst, f"seed {seed}"
        if not seed % 2:
            assert bucket.short == [], f"seed {seed}"
        seen.update(call.standing for call in world.calls)
    assert seen[Standing.SHARED] > 10 * SEEDS
    assert seen[Standing.ALONE] >= 10


@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_a_replica_that_takes_over_costs_calls_of_several_tokens_one_burst_too(limit: RateAndBurst) -> None:
    for seed in range(SEEDS // 2):
        world = troubled(seed, CallBudget.of([limit]), WITH_A_REPLICA, lease=LEASE)
        with_channel(world, limit)
        world.run()
        assert excess(began(world), limit.meter().interval) <= 2 * limit.burst, f"seed {seed}"


def rested(seed: int, limit: RateAndBurst) -> tuple[World, ChannelBucket]:
    """Our bucket is full, and others have just emptied the channel's, when three sinks begin to call."""
    world = World(seed, CallBudget.of([limit]), TERMS, 3, LASTS, lease=LEASE)
    bucket = with_channel(world, limit)
    for site in world.sites:
        site.wants = [(RESTED, world.end)]
    world.at(RESTED - 1, partial(bucket.others, RESTED - 1, limit.burst))
    return world, bucket


@pytest.mark.parametrize("limit", LIMITS[:3], ids=str)
def test_what_others_spent_is_felt_by_nobody_after_one_of_us_was_told(limit: RateAndBurst) -> None:
    felt = 0
    for seed in range(SEEDS):
        world, bucket = rested(seed, limit)
        world.run()
        told = min(began(world))
        assert all(at - told <= NEWS for at in bucket.short), f"seed {seed}"
        felt += len(bucket.short)
    assert felt >= SEEDS


def test_without_what_the_channel_says_everybody_would_go_on_spending_what_is_not_there() -> None:
    short = Counter[bool]()
    for seed in range(SEEDS):
        for answers in (False, True):
            world, bucket = rested(seed, LIMITS[0])
            world.answers = answers
            world.run()
            short[answers] += len(bucket.short)
    assert short[False] > 4 * short[True]


@pytest.mark.parametrize("limit", LIMITS[:3], ids=str)
def test_what_the_channel_says_costs_nothing_of_the_rate_while_nobody_else_spends(limit: RateAndBurst) -> None:
    used: dict[bool, int] = {}
    for told in (False, True):
        world = World(1, CallBudget.of([limit]), TERMS, 4, LASTS)
        for site in world.sites:
            site.wants = [(BEGIN, world.end)]
        if told:
            with_channel(world, limit)
        world.run()
        used[told] = sum(at >= BEGIN + 8 * SECOND for at in began(world))
    assert used[True] >= 0.95 * used[False]
