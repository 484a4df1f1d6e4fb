"""Which SKUs are assessed again because their guards change without an event."""

from __future__ import annotations

from fractions import Fraction

from agents.selling import Selling
from domain.facts import SECOND
from domain.policy import ChannelPolicy, Policy
from domain.state import SkuState
from domain.velocity import SLOT
from tests.builders import line, seconds, state_of

POLICY = Policy(channels={"amazon": ChannelPolicy(service_level=Fraction(95, 100))})
SLOW = {"amazon": 600 * SECOND}
NOW = seconds(60)
NEXT = (NOW // SLOT + 1) * SLOT


def state(sku: str) -> SkuState:
    made = state_of([line(6, channel="amazon")], POLICY)
    made.sku = sku
    return made


def watching(*skus: str) -> Selling:
    selling = Selling()
    selling.due(NOW, SLOW, 10)
    for sku in skus:
        selling.guards(state(sku), POLICY, SLOW, NOW)
    selling.due(NOW, SLOW, 10)
    for sku in skus:
        selling.guards(state(sku), POLICY, SLOW, NOW)
    return selling


def test_nothing_is_due_for_what_does_not_sell() -> None:
    selling = Selling()
    assert selling.guards(state_of([], POLICY), POLICY, SLOW, NOW) == {}

    assert selling.next_wake() is None
    assert selling.due(NEXT, SLOW, 10) == []


def test_what_sells_is_due_at_the_end_of_the_slot_and_not_before() -> None:
    selling = watching("A", "B")

    assert selling.next_wake() == NEXT
    assert selling.due(NEXT - 1, SLOW, 10) == []
    assert selling.due(NEXT, SLOW, 10) == ["A", "B"]


def test_what_sells_is_due_when_a_channel_reacts_differently() -> None:
    selling = watching("A")

    assert selling.due(NOW, {"amazon": 60 * SECOND}, 10) == ["A"]
    assert selling.due(NOW, {"amazon": 60 * SECOND}, 10) == []


def test_they_come_a_few_at_a_time_and_none_is_left_out() -> None:
    selling = watching("A", "B", "C")

    assert selling.due(NEXT, SLOW, 2) == ["A", "B"]
    assert selling.next_wake() == 0
    selling.guards(state("A"), POLICY, SLOW, NEXT)
    assert selling.due(NEXT, {"amazon": SECOND}, 2) == ["C", "A"]


def test_what_stopped_selling_is_forgotten() -> None:
    selling = watching("A")
    later = NOW + 25 * 3600 * SECOND
    assert selling.due(later, SLOW, 10) == ["A"]
    selling.guards(state("A"), POLICY, SLOW, later)

    assert selling.due(later + SLOT, SLOW, 10) == []
    assert selling.next_wake() is None
