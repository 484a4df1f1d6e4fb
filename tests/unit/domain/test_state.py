from __future__ import annotations

import pytest

from domain import findings
from domain.availability import assess
from domain.facts import Fact, fact_key
from domain.policy import Policy
from domain.state import SkuState
from tests.builders import (
    SKU,
    adjustment,
    arrived,
    balance,
    disposed,
    facts_of,
    line,
    released,
    reservation,
    returned,
    sent,
    shipment,
    state_of,
    transfer_closed,
)


def test_a_new_fact_is_kept_and_reported_as_nothing_special() -> None:
    folded = SkuState(SKU).fold(line(3))
    assert folded.kept == line(3)
    assert folded.finding == ""
    assert folded.dropped == ()


def test_a_fact_that_is_known_is_a_duplicate() -> None:
    state = state_of([shipment(3)])
    assert state.fold(shipment(3)) == (None, findings.DUPLICATE, ())


def test_a_preferred_body_replaces_the_known_one() -> None:
    state = state_of([shipment(3)])
    folded = state.fold(shipment(2, revision=1))
    assert folded == (shipment(2, revision=1), findings.CONFLICTING_DUPLICATE, ())
    assert facts_of(state) == {shipment(2, revision=1)}


def test_a_body_that_is_not_preferred_leaves_the_known_one() -> None:
    state = state_of([shipment(2, revision=1)])
    assert state.fold(shipment(3)) == (None, findings.CONFLICTING_DUPLICATE, ())
    assert facts_of(state) == {shipment(2, revision=1)}


def test_an_older_balance_is_superseded_but_explains_the_variance() -> None:
    state = state_of([balance(5, as_of=20)])
    assert state.fold(balance(6, as_of=10)) == (balance(6, as_of=10), findings.SUPERSEDED_SNAPSHOT, ())


def test_a_third_balance_drops_the_oldest() -> None:
    state = state_of([balance(5, as_of=10), balance(6, as_of=20)])
    folded = state.fold(balance(7, as_of=30))
    assert folded.dropped == (fact_key(balance(5, as_of=10)),)
    assert facts_of(state) == {balance(6, as_of=20), balance(7, as_of=30)}


def test_a_balance_older_than_both_kept_ones_is_not_kept() -> None:
    state = state_of([balance(5, as_of=10), balance(6, as_of=20)])
    assert state.fold(balance(7, as_of=5)) == (None, findings.SUPERSEDED_SNAPSHOT, ())


def test_a_corrected_balance_may_change_its_rank_among_equals() -> None:
    state = state_of([balance(5, source="erp"), balance(5, source="wms")])
    state.fold(balance(5, source="erp", revision=1))
    newest = state.units["balance", "A", "SELLABLE"][0]
    assert newest == balance(5, source="erp", revision=1)


def test_balances_of_another_bucket_or_location_do_not_compete() -> None:
    facts = [balance(1), balance(2, bucket="QUARANTINE"), balance(3, location="B")]
    assert facts_of(state_of(facts)) == set(facts)


EVERYTHING: list[Fact] = [
    balance(10, as_of=1),
    adjustment(-3, ref="S1"),
    line(3, reservation="V1"),
    shipment(3),
    reservation(3),
    released(1),
    returned(2),
    disposed(1),
    sent(4),
    arrived(4),
    transfer_closed(),
]


@pytest.mark.parametrize("kept", range(len(EVERYTHING)))
def test_forgetting_all_but_one_leaves_that_one_and_its_sums(kept: int) -> None:
    policy = Policy()
    state = state_of(EVERYTHING, policy)
    state.forget(fact for fact in EVERYTHING if fact != EVERYTHING[kept])
    assert facts_of(state) == {EVERYTHING[kept]}
    alone = state_of([EVERYTHING[kept]], policy)
    assert _sums(state) == _sums(alone)


def _sums(state: SkuState) -> object:
    return assess(state, Policy(), 0)


def test_indexes_are_kept_from_the_first_echo_on_and_emptied_with_the_last() -> None:
    state = state_of([shipment(3), returned(2)])
    assert not state.documents
    state.fold(adjustment(-3, ref="S1"))
    assert set(state.documents) == {"S1", "R1"}
    assert set(state.echoes) == {"S1"}
    state.forget([adjustment(-3, ref="S1"), shipment(3), returned(2)])
    assert not state.documents
    assert not state.echoes


def test_an_adjustment_corrected_to_name_a_document_becomes_its_echo() -> None:
    state = state_of([shipment(3), adjustment(-3)])
    state.fold(adjustment(-3, ref="S1", revision=1))
    assert set(state.echoes) == {"S1"}
    assert set(state.documents) == {"S1"}
