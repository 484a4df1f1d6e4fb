"""Golden cases: read from canonical JSON, run in any order, compared with what they expect."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from domain.availability import assess, tally_of
from domain.facts import SECOND, Event, Fact, Micros
from domain.numbers import Assessment
from domain.policy import Policy
from domain.state import SkuState
from schemas.policies import policy_of
from schemas.records import event_of
from tests.builders import SKU

DATA = Path(__file__).parent / "data"


class Case(NamedTuple):
    """One worked case: events in the order given, the policy, the instant, and what must come out."""

    id: str
    title: str
    events: tuple[Fact, ...]
    policy: Policy
    now: Micros
    expect: dict[str, Any]


class Outcome(NamedTuple):
    """What a run of a case gave: the numbers, and the codes seen on arrival."""

    assessment: Assessment
    arrived: frozenset[str]

    @property
    def codes(self) -> set[str]:
        return self.arrived | {finding.code for finding in self.assessment.findings}


def load(name: str) -> list[Case]:
    """The cases of a data file."""
    return [
        Case(
            case["id"],
            case["title"],
            tuple(map(fact_of, case["events"])),
            policy_of(case["policy"]),
            micros(case["now"]),
            case["expect"],
        )
        for case in json.loads((DATA / name).read_text())
    ]


def run(case: Case, events: Iterable[Fact], doubled: bool = False) -> Outcome:
    """Fold the events, each twice if ``doubled``, with the sums kept up to date all along."""
    state = SkuState(SKU)
    tally_of(state, case.policy)
    arrived = set()
    for fact in events:
        for _ in range(2 if doubled else 1):
            folded = state.fold(fact)
            if folded.finding:
                arrived.add(folded.finding)
    return Outcome(assess(state, case.policy, case.now), frozenset(arrived))


def differences(case: Case, outcome: Outcome) -> list[str]:
    """Numbers that are not the expected ones, as readable lines."""
    assessment = outcome.assessment
    expect = case.expect
    found: list[tuple[str, Any, Any]] = []
    for location, terms in expect.get("locations", {}).items():
        numbers = assessment.locations.get(location)
        found += [(f"{location}.{name}", value, getattr(numbers, name, None)) for name, value in terms.items()]
    pools = {"default": expect["pool"]} if "pool" in expect else expect.get("pools", {})
    for pool, terms in pools.items():
        known = assessment.pools[pool]
        found += [(f"pool {pool}.{name}", value, getattr(known, name)) for name, value in terms.items()]
    for channel, value in expect.get("channels", {}).items():
        found.append((f"channel {channel}", value, assessment.channels.get(channel)))
    for location, value in expect.get("variance", {}).items():
        units = [variance.units for variance in assessment.variances if variance.location == location]
        found.append((f"variance {location}", [value], units))
    assert found, f"{case.id} expects nothing"
    return [f"{what}: expected {value}, got {got}" for what, value, got in found if value != got]


def micros(time: str) -> Micros:
    """ISO-8601 UTC as microseconds."""
    return round(datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp() * SECOND)


def fact_of(event: dict[str, Any]) -> Fact:
    """The fact of one canonical JSON event."""
    spoken = event_of(event)
    assert isinstance(spoken, Event)
    assert spoken.sku == SKU
    return spoken.fact
