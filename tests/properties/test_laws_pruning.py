"""Law L8: forgetting what the balance already contains changes no number, now and later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from domain.availability import assess, tally_of
from domain.facts import Balance, Fact, LineVersion, Micros, fact_key
from domain.policy import Policy
from domain.pruning import forgettable, worth_pruning
from domain.state import SMALL_UNITS, SkuState
from domain.units import RESERVATION, Unit, document_of, unit_of
from tests.builders import SKU, facts_of, line, seconds, state_of
from tests.properties.histories import LAST_SECOND, a_fact, histories, policies
from tests.simulation.runs import numbers_of, sellable_of

DAWN = seconds(LAST_SECOND + 4)
"""Later than everything in a history, lags and skews included."""

fresh = st.integers(LAST_SECOND + 8, 2 * LAST_SECOND).map(seconds)
"""When the events after the pruning happen: what is late by more than the policy's lateness is excluded."""
balances = a_fact(fresh).filter(lambda fact: type(fact) is Balance)


def pruned(state: SkuState, policy: Policy, now: Micros) -> list[Fact]:
    """Forget what may be forgotten, and say what it was."""
    gone = forgettable(state, tally_of(state, policy), now)
    state.forget(gone)
    return gone


def about_others(facts: Iterable[Fact], gone: Iterable[Fact]) -> list[Fact]:
    """Facts that speak of nothing that was forgotten: the lateness bound says that no others can arrive."""
    units: set[Unit] = set(map(unit_of, gone))
    documents = {document_of(fact) for fact in gone} - {None}
    return [
        fact
        for fact in facts
        if unit_of(fact) not in units
        and document_of(fact) not in documents
        and not (isinstance(fact, LineVersion) and (RESERVATION, fact.reservation_id) in units)
    ]


def settling(policy: Policy, now: Micros) -> list[Fact]:
    """Two counts of each location, late enough for everything before to be settled."""
    at = now + policy.max_lateness
    return [
        Balance(location, bucket, "erp", at + step, 0, 0, 7, basis, None, at + step)
        for location in "AB"
        for bucket in ("SELLABLE", "QUARANTINE")
        for step, basis in ((seconds(2), "PHYSICAL"), (seconds(3), "NET_OF_OPEN_ORDERS"))
    ]


@given(known=histories(), policy=policies, counted=st.booleans(), later=st.lists(a_fact(fresh), max_size=6))
def test_l8_forgetting_changes_no_number_now_nor_after_further_events(
    known: list[Fact], policy: Policy, counted: bool, later: list[Fact]
) -> None:
    policy = replace(policy, max_lateness=0)
    now = seconds(LAST_SECOND + 7) + policy.closed_line_retention
    facts = [*known, *(settling(policy, DAWN) if counted else [])]
    kept, forgetful = state_of(facts, policy), state_of(facts, policy)
    gone = pruned(forgetful, policy, now)
    assert facts_of(forgetful) == facts_of(kept) - set(gone)
    assert numbers_of(assess(forgetful, policy, now)) == numbers_of(assess(kept, policy, now))
    for fact in about_others(later, gone):
        kept.fold(fact)
        forgetful.fold(fact)
        assert numbers_of(assess(forgetful, policy, now)) == numbers_of(assess(kept, policy, now))
    rebuilt = state_of(forgetful.facts())
    assert assess(rebuilt, policy, now) == assess(forgetful, policy, now)


@given(known=histories(min_size=4), policy=policies)
def test_l8_forgetting_raises_no_finding_that_was_not_there(known: list[Fact], policy: Policy) -> None:
    policy = replace(policy, max_lateness=0)
    state = state_of([*known, *settling(policy, DAWN)], policy)
    now = seconds(LAST_SECOND + 10) + policy.closed_line_retention
    before = set(assess(state, policy, now).findings)
    pruned(state, policy, now)
    assert set(assess(state, policy, now).findings) <= before


@given(known=histories(min_size=4), policy=policies)
def test_l8_forgetting_may_be_interrupted_after_any_fact(known: list[Fact], policy: Policy) -> None:
    """A crash may leave some of the tombstones unwritten, never one without those before it."""
    policy = replace(policy, max_lateness=0)
    state = state_of([*known, *settling(policy, DAWN)], policy)
    now = seconds(LAST_SECOND + 10) + policy.closed_line_retention
    gone = forgettable(state, tally_of(state, policy), now)
    before = sellable_of(assess(state, policy, now))
    for fact in gone:
        state.forget([fact])
        assert sellable_of(assess(state, policy, now)) == before, fact


@given(known=histories(), policy=policies)
def test_l8_what_may_be_forgotten_is_forgotten_in_one_go(known: list[Fact], policy: Policy) -> None:
    """Once everything is settled and counted, only what is still open stays, and a second look finds no cycle."""
    policy = replace(policy, max_lateness=0)
    state = state_of([*known, *settling(policy, DAWN)], policy)
    now = seconds(LAST_SECOND + 10) + policy.closed_line_retention
    for _ in range(3):
        pruned(state, policy, now)
    assert pruned(state, policy, now) == []


@given(known=histories(min_size=6), policy=policies)
def test_l8_a_movement_delivered_again_after_it_was_forgotten_changes_no_number(
    known: list[Fact], policy: Policy
) -> None:
    policy = replace(policy, max_lateness=0)
    state = state_of([*known, *settling(policy, DAWN)], policy)
    now = seconds(LAST_SECOND + 10) + policy.closed_line_retention
    gone = pruned(state, policy, now)
    numbers = numbers_of(assess(state, policy, now))
    again = [fact for fact in gone if document_of(fact) is not None]
    for fact in again:
        state.fold(fact)
    on_hand = {name: place.on_hand for name, place in assess(state, policy, now).locations.items()}
    assert on_hand == {name: place.on_hand for name, place in numbers["locations"].items()} | {  # type: ignore[attr-defined]
        name: 0
        for name in on_hand
        if name not in numbers["locations"]  # type: ignore[operator]
    }


def test_looking_for_facts_to_forget_pays_when_the_state_has_doubled() -> None:
    state = SkuState(SKU)
    looks = []
    for number in range(40 * SMALL_UNITS):
        state.fold(line(1, order_id=f"O{number}"))
        if worth_pruning(state):
            looks.append(len(state.units))
            state.forget(forgettable(state, tally_of(state, Policy()), seconds(100)))
    assert looks == [SMALL_UNITS * 2**step for step in range(6)]


def test_the_keys_of_forgotten_facts_are_those_they_were_written_under() -> None:
    policy = Policy(max_lateness=0, closed_line_retention=0)
    facts = [line(3, state="CANCELLED"), *settling(policy, DAWN)]
    state = state_of(facts, policy)
    gone = pruned(state, policy, DAWN)
    assert {fact_key(fact) for fact in gone} == {fact_key(facts[0])}
