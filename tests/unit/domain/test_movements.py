from __future__ import annotations

import pytest

from domain.movements import Move, after, ambiguous, contained, evidence_of
from domain.places import BucketStock
from domain.policy import Policy, SourcePolicy
from tests.builders import balance, seconds

SKEWED = Policy(sources={"erp": SourcePolicy(clock_skew=seconds(2))}, max_lateness=seconds(5))


def moved(delta: int, posted_at: float, *refs: str) -> Move:
    return Move("shipment", delta, seconds(posted_at), refs or ("S1",))


def test_a_tie_is_contained() -> None:
    evidence = evidence_of(balance(10, as_of=20), Policy())
    assert contained(moved(-1, 20), evidence)
    assert not contained(moved(-1, 20.000001), evidence)


def test_a_list_of_documents_decides_whatever_the_time() -> None:
    evidence = evidence_of(balance(10, as_of=20, includes=["S1"]), Policy())
    assert contained(moved(-1, 30, "S1"), evidence)
    assert not contained(moved(-1, 10, "S2"), evidence)


def test_what_may_have_been_forgotten_is_contained_even_if_not_listed() -> None:
    evidence = evidence_of(balance(10, as_of=20, includes=[]), SKEWED)
    assert evidence.horizon == seconds(20 - 2 - 5)
    assert contained(moved(-1, 13), evidence)
    assert not contained(moved(-1, 13.000001), evidence)


@pytest.mark.parametrize(("at", "doubtful"), [(17.9, False), (18, True), (20, True), (22, True), (22.1, False)])
def test_within_the_clock_skew_a_movement_is_ambiguous(at: float, doubtful: bool) -> None:
    assert ambiguous(moved(-1, at), evidence_of(balance(10, as_of=20), SKEWED)) is doubtful


def test_an_ambiguous_departure_counts_and_an_ambiguous_arrival_does_not() -> None:
    evidence = evidence_of(balance(10, as_of=20), SKEWED)
    assert after(moved(-3, 19), evidence) == -3
    assert after(moved(3, 21), evidence) == 0


def test_a_listed_balance_is_never_ambiguous() -> None:
    assert not ambiguous(moved(-3, 20), evidence_of(balance(10, as_of=20, includes=["S1"]), SKEWED))


def test_movements_before_every_balance_are_put_aside_and_come_back_with_an_older_balance() -> None:
    stock = BucketStock()
    for number in range(5):
        stock.add((f"S{number}",), moved(-1, 10 + number))
    assert stock.after == -5
    newer, older = balance(10, as_of=13), balance(10, as_of=11)
    evidence = {one: evidence_of(one, Policy()) for one in (newer, older)}
    stock.state_balances((newer,), (evidence[newer],))
    assert (stock.after, len(stock.settled)) == (-1, 3)
    stock.state_balances((newer, older), (evidence[newer], evidence[older]))
    assert (stock.after, stock.between, len(stock.settled)) == (-1, -2, 1)


def test_a_movement_put_aside_can_be_taken_away() -> None:
    stock = BucketStock()
    stated = balance(10, as_of=20)
    stock.state_balances((stated,), (evidence_of(stated, Policy()),))
    stock.add(("S1",), moved(-1, 10))
    stock.add(("S2",), moved(-2, 30))
    assert stock.after == -2
    stock.remove(("S1",))
    stock.remove(("S2",))
    assert (stock.after, stock.recent, stock.settled) == (0, {}, {})
