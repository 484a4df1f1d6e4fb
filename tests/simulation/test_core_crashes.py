"""Seeded runs of the core under crashes, pauses, repetition and disorder: the end is that of the whole set.

SIMULATION_SEEDS=2000 pytest tests/simulation/test_core_crashes.py
"""

from __future__ import annotations

import os
import random

import pytest

from domain.policy import Policy
from tests.simulation.cluster import Cluster
from tests.simulation.runs import END, POLICY, SKUS, STEPS, WINDOW, WITHOUT_QUOTAS, problems
from tests.simulation.story import Arrival, story

SEEDS = range(int(os.environ.get("SIMULATION_SEEDS", "25")))


def simulated(seed: int, policy: Policy, prunes: bool) -> tuple[Cluster, list[Arrival]]:
    chance = random.Random(seed)
    arrivals = story(chance, SKUS, STEPS)
    cluster = Cluster(chance, arrivals, policy, prunes)
    cluster.run(END, WINDOW)
    return cluster, arrivals


@pytest.mark.parametrize("seed", SEEDS)
def test_after_any_crashes_the_state_is_the_set_of_all_facts(seed: int) -> None:
    cluster, arrivals = simulated(seed, POLICY, prunes=False)
    assert list(problems(cluster, arrivals, POLICY)) == [], f"seed {seed}: {cluster.events}"


@pytest.mark.parametrize("seed", SEEDS)
def test_after_any_crashes_and_forgetting_the_numbers_are_those_of_all_facts(seed: int) -> None:
    cluster, arrivals = simulated(seed, WITHOUT_QUOTAS, prunes=True)
    told = f"seed {seed}: {cluster.events}"
    assert cluster.forgotten > 0, told
    assert list(problems(cluster, arrivals, WITHOUT_QUOTAS)) == [], told


def test_the_same_seed_tells_the_same_story() -> None:
    runs = [simulated(7, WITHOUT_QUOTAS, prunes=True)[0] for _ in range(2)]
    assert runs[0].events == runs[1].events
    assert runs[0].changelog == runs[1].changelog


def test_the_seeds_contain_crashes_pauses_and_stale_rows() -> None:
    text = " ".join(event for seed in range(8) for event in simulated(seed, POLICY, prunes=False)[0].events)
    assert "crash at" in text
    assert "pause at" in text
    assert "stale rows" in text
