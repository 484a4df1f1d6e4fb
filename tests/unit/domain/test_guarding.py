"""Measured guards of a SKU, from its order lines to what a channel is told."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from domain.availability import assess, tally_of
from domain.facts import SECOND, LineVersion
from domain.guarding import guards_change_at, guards_of
from domain.policy import ChannelPolicy, Policy
from domain.state import SkuState
from domain.velocity import SLOT
from tests.builders import SKU, balance, line, seconds, state_of

MINUTE = 60 * SECOND
AMAZON = ChannelPolicy(service_level=Fraction(95, 100))
POLICY = Policy(channels={"amazon": AMAZON, "web": ChannelPolicy()})
SLOW = {"amazon": 10 * MINUTE, "web": 10 * MINUTE}


def orders(count: int, channel: str = "amazon") -> list[LineVersion]:
    """That many units sold in the last hour, each of an order of its own."""
    return [line(1, at=each, order_id=f"O{each}", channel=channel) for each in range(1, count + 1)]


def guards(state: SkuState, policy: Policy = POLICY, at: int = 60) -> dict[str, int]:
    return dict(guards_of(tally_of(state, policy), SLOW, seconds(at)))


@pytest.mark.parametrize(("level", "units"), [(Fraction(95, 100), 3), (Fraction(99, 100), 4)])
def test_six_units_an_hour_and_ten_minutes(level: Fraction, units: int) -> None:
    policy = Policy(channels={"amazon": replace(AMAZON, service_level=level)})

    assert guards(state_of([balance(50), *orders(6)], policy), policy) == {"amazon": units}


def test_a_channel_without_a_service_level_has_no_measured_guard() -> None:
    assert guards(state_of(orders(6, "web"), POLICY)) == {}


def test_a_dead_listing_has_none_and_neither_has_a_channel_that_reacts_at_once() -> None:
    assert guards(state_of([balance(50)], POLICY)) == {}
    assert guards_of(tally_of(state_of(orders(6), POLICY), POLICY), {"amazon": 0}, seconds(60)) == {}


def test_the_guard_is_held_back_from_what_the_channel_is_told() -> None:
    state = state_of([balance(50), *orders(6)], POLICY)

    told = assess(state, POLICY, seconds(60), guards(state)).channels

    assert told == {"amazon": 50 - 6 - 3, "web": 50 - 6}


def test_a_cancelled_order_was_no_sale_and_a_repeated_one_is_one() -> None:
    state = state_of([*orders(6), *orders(6)], POLICY)
    assert guards(state) == {"amazon": 3}
    for each in orders(6):
        state.fold(each._replace(version=9, cancelled_quantity=1))

    assert guards(state) == {}


def test_it_is_the_same_when_all_is_read_again() -> None:
    state = state_of([], POLICY)
    tally_of(state, POLICY)
    for each in orders(6):
        state.fold(each)
        guards(state)

    assert guards(state) == guards(state_of(state.facts(), POLICY))


def test_it_is_looked_at_again_when_a_slot_ends_while_there_are_sales() -> None:
    sums = tally_of(state_of(orders(1), POLICY), POLICY)
    now = seconds(60)
    at = guards_change_at(sums, now)

    assert at is not None
    assert now < at <= now + SLOT
    assert guards_change_at(sums, now + 25 * 12 * SLOT) is None
    assert guards_change_at(tally_of(SkuState(SKU), POLICY), now) is None
