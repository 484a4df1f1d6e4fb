"""A recomputation takes measured guards, and nothing else, from what was told."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from domain.availability import assess
from domain.policy import ChannelPolicy, Policy
from streams.operations.told_guards import guards_told
from tests.builders import SKU, balance, seconds, state_of
from tests.unit.worker.test_measured_guards import newest, selling

POLICY = Policy(
    channels={"amazon": ChannelPolicy(service_level=Fraction(95, 100)), "web": ChannelPolicy(guard_units=2)}
)


def step(channel: str, units: int, term: str = "guard") -> dict[str, Any]:
    return {"scope": "channel", "location": channel, "term": term, "units": units, "note": ""}


def test_the_guard_of_a_channel_with_a_service_level_is_believed() -> None:
    told = {"explain": [step("amazon", -3), step("amazon", -5, "buffer"), step("web", -9), step("gone", -1)]}

    assert guards_told(SKU, POLICY, told) == {"amazon": 3}
    assert guards_told(SKU, POLICY, None) == {}


def test_with_it_the_quantity_is_recomputed() -> None:
    guards = guards_told(SKU, POLICY, {"explain": [step("amazon", -3)]})

    assert assess(state_of([balance(50)]), POLICY, seconds(60), guards).channels == {"amazon": 47, "web": 48}


def test_a_worker_tells_the_guard_in_its_explanation() -> None:
    world = selling(latency_s=600)
    told = world.told(world.log, "ats-changed")[-1]

    assert guards_told("SKU-1", world.state.policy, told) == {"amazon": 3}
    assert newest(world)["quantity"] == 41
