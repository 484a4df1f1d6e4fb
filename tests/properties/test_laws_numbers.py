"""Laws L4 to L7, and the sums against the formulas computed from the bare set of facts."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from domain.availability import assess, split_of, tally_of
from domain.channels import is_ring_fenced
from domain.facts import PHYSICAL, SELLABLE, Balance, Fact, Micros, Shipment
from domain.policy import Policy, SourcePolicy
from domain.tally import Tally
from tests.builders import SKU, balance, facts_of, line, seconds, state_of
from tests.properties import reference
from tests.properties.histories import LAST_SECOND, histories, instants, policies

LATER = seconds(LAST_SECOND + 10)
"""After everything in a history, lags and skews included."""


@given(known=histories(), policy=policies, now=instants)
def test_numbers_are_those_of_the_formulas(known: list[Fact], policy: Policy, now: Micros) -> None:
    state = state_of(known, policy)
    assessment = assess(state, policy, now)
    facts = facts_of(state)
    expected = reference.locations(facts, policy, now)
    got = {name: numbers._asdict() for name, numbers in assessment.locations.items()}
    for numbers in got.values():
        del numbers["confidence"]
    # Parts of a transfer may contradict each other about its ends; where nothing moves, the core shows one.
    ends = reference.contradicted_ends(facts)
    unseen = {name for name in ends - got.keys() if not any({**expected[name], "safety_stock": 0}.values())}
    assert got == {name: terms for name, terms in expected.items() if name not in unseen}
    for name, pool in assessment.pools.items():
        assert pool._asdict() == reference.pool(facts, policy, now, name)


@given(known=histories(min_size=4), policy=policies)
def test_variances_are_those_of_the_formulas(known: list[Fact], policy: Policy) -> None:
    certain = {name: replace(rules, clock_skew=0) for name, rules in policy.sources.items()}
    policy = replace(policy, sources=certain)
    state = state_of(known, policy)
    got = {one.location: one.units for one in assess(state, policy, 0).variances}
    for location in ("A", "B"):
        assert got.get(location) == reference.variance(facts_of(state), policy, location)


@given(
    known=histories(),
    policy=policies,
    others=st.lists(policies, max_size=2),
    nows=st.lists(instants, min_size=1, max_size=4),
)
def test_running_sums_equal_the_sums_of_the_set_after_every_event(
    known: list[Fact], policy: Policy, others: list[Policy], nows: list[Micros]
) -> None:
    state = state_of([], policy)
    for index, fact in enumerate(known):
        state.fold(fact)
        now = nows[index % len(nows)]
        fresh = state_of(state.facts())
        assert assess(state, policy, now) == assess(fresh, policy, now)
    for other in others:
        assert assess(state, other, nows[0]) == assess(state_of(state.facts()), other, nows[0])


@given(known=histories(), policy=policies, now=instants, ordered=st.integers(0, 9), shipped=st.integers(0, 9))
def test_l4_a_shipment_of_a_released_line_never_changes_net(
    known: list[Fact], policy: Policy, now: Micros, ordered: int, shipped: int
) -> None:
    state = state_of([*known, line(ordered, at=6, order_id="O1", version=9)], policy)
    shipped = min(shipped, reference.open_units(facts_of(state), line(ordered, version=9)))
    before = assess(state, policy, now).locations["A"]
    state.fold(Shipment("D9", "O1", "1", 0, "A", shipped, False, "wms", LATER))
    after = assess(state, policy, now).locations["A"]
    assert after.net == before.net
    assert after.on_hand == before.on_hand - shipped
    assert after.reserved == before.reserved - shipped


@given(known=histories(), policy=policies, now=instants, counted=st.integers(0, 20), certain=st.booleans())
def test_l5_a_balance_equal_to_the_prediction_changes_nothing(
    known: list[Fact], policy: Policy, now: Micros, counted: int, certain: bool
) -> None:
    if certain:
        policy = replace(policy, sources={name: SourcePolicy() for name in policy.sources})
    state = state_of([*known, balance(counted, as_of=LAST_SECOND)], policy)
    before = assess(state, policy, now)
    expected = reference.predicted(facts_of(state), policy, "A", LATER)
    state.fold(Balance("A", SELLABLE, "count", LATER, 0, 0, expected, PHYSICAL, None, LATER))
    after = assess(state, policy, now)
    assert after.channels == before.channels
    assert after.pools == before.pools
    for name, numbers in before.locations.items():
        assert after.locations[name]._replace(uncertain=0, confidence="") == numbers._replace(
            uncertain=0, confidence=""
        )
    assert after.locations["A"].uncertain == 0
    if certain:
        assert [one.units for one in after.variances if one.location == "A"] == [0]


@given(known=histories(), policy=policies, now=instants)
def test_l6_what_is_reserved_withheld_or_sold_is_never_negative(
    known: list[Fact], policy: Policy, now: Micros
) -> None:
    assessment = assess(state_of(known, policy), policy, now)
    for numbers in assessment.locations.values():
        assert min(numbers.reserved, numbers.soft_reserved, numbers.withheld, numbers.available_to_sell) >= 0
        assert min(numbers.demand_shortage, numbers.in_transit, numbers.quarantine, numbers.uncertain) >= 0
        assert numbers.available_to_sell <= max(0, numbers.net)
    for pool in assessment.pools.values():
        assert min(pool) >= 0
    assert all(quantity >= 0 for quantity in assessment.channels.values())


@given(
    known=histories(),
    policy=policies,
    now=instants,
    guards=st.dictionaries(st.sampled_from(["web", "shop"]), st.integers(0, 5)),
)
def test_l7_a_channel_is_told_at_most_its_pool_and_ring_fences_sum_to_at_most_the_pool(
    known: list[Fact], policy: Policy, now: Micros, guards: dict[str, int]
) -> None:
    state = state_of(known, policy)
    assessment = assess(state, policy, now, guards)
    parts = split_of(tally_of(state, policy), assessment.pools, guards)
    fenced = dict.fromkeys(assessment.pools, 0)
    for name, part in parts.items():
        rules = policy.channel_of(SKU, name)
        pool = assessment.pools[rules.pool].available_to_sell if rules.pool in assessment.pools else 0
        assert assessment.channels[name] == part.quantity
        assert part.quantity * rules.pack_size <= part.share <= pool
        if is_ring_fenced(rules) and rules.pool in fenced:
            fenced[rules.pool] += part.share
    assert all(units <= assessment.pools[pool].available_to_sell for pool, units in fenced.items())


@given(known=histories(), policy=policies, now=instants)
def test_the_next_change_is_the_first_instant_at_which_numbers_differ(
    known: list[Fact], policy: Policy, now: Micros
) -> None:
    state = state_of(known, policy)
    assessment = assess(state, policy, now)
    change = assessment.next_change_at
    for later in range(now, LATER, seconds(1)):
        if change is None or later < change:
            assert assess(state, policy, later) == assessment
    if change is not None:
        assert change > now
        then = assess(state, policy, change)._replace(next_change_at=change)
        assert then != assessment


def test_sums_are_kept_by_the_state_until_the_policy_changes() -> None:
    policy, other = Policy(), Policy(version=1)
    state = state_of([], policy)
    assert isinstance(state.observer, Tally)
    assert tally_of(state, policy) is tally_of(state, policy)
    assert tally_of(state, other) is not tally_of(state, policy)
