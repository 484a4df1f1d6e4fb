"""The simulated retailer's policy, how long it is simulated, and what must be true in the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from domain.availability import assess
from domain.facts import SECOND
from domain.numbers import BOOTSTRAP, Assessment, LocationNumbers
from domain.policy import EXCLUSIVE, ChannelPolicy, Held, LocationPolicy, Policy, SourcePolicy
from domain.state import SkuState
from tests.builders import seconds
from tests.properties import reference
from tests.simulation.cluster import Cluster, recovered
from tests.simulation.story import LONGEST_DELAY_S, Arrival

SKUS, STEPS = 3, 40
WINDOW = 5 * SECOND
END = seconds(5 * STEPS + 60)

POLICY = Policy(
    sources={
        "wms": SourcePolicy({"shipment": 3 * SECOND}, 0, 0),
        "erp": SourcePolicy({}, 1 * SECOND, 1 * SECOND),
    },
    locations={"A": LocationPolicy(Held(2))},
    channels={"web": ChannelPolicy(mode=EXCLUSIVE, quota=30, quota_from=0), "amazon": ChannelPolicy()},
    max_lateness=seconds(LONGEST_DELAY_S + 25),
    closed_line_retention=seconds(LONGEST_DELAY_S + 45),
)
WITHOUT_QUOTAS = replace(POLICY, channels={})
"""Lines that count against a quota are never forgotten."""

NOTHING = LocationNumbers(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, BOOTSTRAP)


def numbers_of(assessment: Assessment) -> dict[str, object]:
    """What a reader can tell apart: a location that nothing is known of any more is one with nothing in it."""
    plain = {
        location: numbers._replace(safety_stock=0)
        for location, numbers in assessment.locations.items()
        if numbers._replace(safety_stock=0) != NOTHING
    }
    return {
        "locations": plain,
        "pools": assessment.pools,
        "channels": assessment.channels,
        "variances": assessment.variances,
    }


def sellable_of(assessment: Assessment) -> dict[str, object]:
    """The same without quarantine, where a receipt and its disposition cancel and cannot be forgotten at once:
    a crash between the two leaves units that are reported, but weigh nothing.
    """
    numbers = {name: terms._replace(quarantine=0) for name, terms in assessment.locations.items()}
    return numbers_of(assessment._replace(locations=numbers))


def problems(cluster: Cluster, arrivals: list[Arrival], policy: Policy) -> Iterator[str]:
    """How the last worker and the changelog differ from the set of all facts, and from the formulas."""
    expected: dict[str, SkuState] = {}
    for arrival in arrivals:
        expected.setdefault(arrival.sku, SkuState(arrival.sku)).fold(arrival.fact)
    restored = recovered(cluster.changelog)
    if cluster.worker.states.keys() != expected.keys():
        yield f"SKUs {sorted(cluster.worker.states)} instead of {sorted(expected)}"
        return
    for sku, state in cluster.worker.states.items():
        facts = frozenset(expected[sku].facts())
        if not cluster.prunes:
            if frozenset(state.facts()) != facts:
                yield f"{sku}: facts differ"
            if frozenset(restored[sku].facts()) != facts:
                yield f"{sku}: facts recovered from the changelog differ"
        for now in (END - 30 * SECOND, END):
            compared = sellable_of if cluster.prunes else numbers_of
            numbers = compared(assess(state, policy, now))
            if numbers != compared(assess(expected[sku], policy, now)):
                yield f"{sku} at {now}: {numbers} are not the numbers of the whole set"
        terms = reference.locations(facts, policy, END)
        for location, got in assess(expected[sku], policy, END).locations.items():
            told = got._asdict()
            del told["confidence"]
            if told != terms[location]:
                yield f"{sku} {location}: {told} instead of {terms[location]}"
