"""Laws L1 order, L2 repetition, L3 merge, L9 replay, L10 totality."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain import findings
from domain.availability import assess, attribution, tally_of
from domain.explain import explain
from domain.facts import Fact, Micros, fact_key, preferred
from domain.policy import Policy
from domain.pruning import forgettable
from domain.state import SkuState
from tests.builders import SKU, facts_of, state_of
from tests.properties.histories import MOST_FACTS, a_fact, histories, instants, orders_of, policies


@given(data=st.data(), known=histories(), policy=policies, now=instants)
def test_l1_any_order_gives_the_same_state_and_the_same_numbers(
    data: st.DataObject, known: list[Fact], policy: Policy, now: Micros
) -> None:
    state = state_of(known, policy)
    other = state_of(data.draw(orders_of(known)), policy)
    assert facts_of(other) == facts_of(state)
    assert assess(other, policy, now) == assess(state, policy, now)


@given(known=histories(min_size=1), policy=policies, now=instants, again=st.integers(0, 100))
def test_l2_an_event_delivered_again_changes_nothing_and_is_reported(
    known: list[Fact], policy: Policy, now: Micros, again: int
) -> None:
    state = state_of(known, policy)
    facts, numbers = facts_of(state), assess(state, policy, now)
    folded = state.fold(known[again % len(known)])
    assert folded.kept is None
    assert findings.KINDS[folded.finding].on_arrival
    assert facts_of(state) == facts
    assert assess(state, policy, now) == numbers


def joined(*states: SkuState) -> SkuState:
    """The join of partial states: the facts of all of them, folded again."""
    return state_of(fact for state in states for fact in state.facts())


@given(
    known=histories(),
    owners=st.lists(st.integers(1, 7), min_size=MOST_FACTS, max_size=MOST_FACTS),
    policy=policies,
    now=instants,
)
def test_l3_partial_states_join_to_the_whole_in_any_order_and_any_number_of_times(
    known: list[Fact], owners: list[int], policy: Policy, now: Micros
) -> None:
    one, two, three = (
        state_of(fact for fact, owner in zip(known, owners, strict=False) if owner & bit) for bit in (1, 2, 4)
    )
    whole = facts_of(state_of(known))
    assert facts_of(joined(one, two)) == facts_of(joined(two, one))
    assert facts_of(joined(joined(one, two), three)) == facts_of(joined(one, joined(two, three))) == whole
    assert facts_of(joined(one, one)) == facts_of(one)
    assert assess(joined(three, one, two), policy, now) == assess(state_of(known), policy, now)


@given(one=a_fact(), other=a_fact(), third=a_fact())
def test_l3_the_preferred_fact_is_a_maximum(one: Fact, other: Fact, third: Fact) -> None:
    assert preferred(one, other) == preferred(other, one)
    assert preferred(one, one) == one
    assert preferred(preferred(one, other), third) == preferred(one, preferred(other, third))


@given(known=histories(), policy=policies, now=instants)
def test_l9_the_facts_written_down_rebuild_the_state(known: list[Fact], policy: Policy, now: Micros) -> None:
    live = SkuState(SKU)
    rows: dict[object, Fact] = {}
    for fact in known:
        folded = live.fold(fact)
        if folded.kept is not None:
            rows[fact_key(folded.kept)] = folded.kept
        for key in folded.dropped:
            rows.pop(key, None)
    restored = state_of(rows.values())
    assert facts_of(restored) == facts_of(live)
    assert assess(restored, policy, now) == assess(live, policy, now)


@given(data=st.data(), known=histories(), now=instants)
def test_l10_every_history_has_numbers_an_explanation_and_known_findings(
    data: st.DataObject, known: list[Fact], now: Micros
) -> None:
    policy = data.draw(policies)
    state = state_of(known, policy)
    assessment = assess(state, policy, now)
    explained = explain(state, policy, now)
    assert explained.assessment == assessment
    assert {finding.code for finding in assessment.findings} <= set(findings.KINDS)
    for variance in assessment.variances:
        assert len(attribution(state, policy, variance)) <= 10
    gone = forgettable(state, tally_of(state, policy), now)
    assert set(gone) <= facts_of(state)


@given(known=histories())
def test_every_fact_has_one_key_and_every_key_one_fact(known: list[Fact]) -> None:
    kept = list(state_of(known).facts())
    assert len({fact_key(fact) for fact in kept}) == len(kept)
    assert {fact_key(fact) for fact in kept} <= {fact_key(fact) for fact in known}
