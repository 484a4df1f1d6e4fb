from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from domain.availability import assess
from streams.demo.proof import (
    OBJECTIONS,
    dead_letters_against_truth,
    first_out_of_order,
    limits_kept,
    shown_against_accepted,
    stock_against_truth,
    taken_in_order,
)
from streams.demo.rules import demo_policy
from streams.demo.shopfronts import ShopState
from streams.demo.story import Story
from tests.unit.demo.conftest import ENDS_AT
from tests.unit.demo.test_story import folded

LEDGER = {"requests": 40, "above_limit": 0, "accepted_older": 0, "unsigned": 0, "malformed": 0, "repeated": 2}


@pytest.fixture(scope="module")
def engine(story: Story) -> dict[str, dict[str, dict[str, Any]]]:
    states, _ = folded(story)
    policy = demo_policy()
    return {
        sku: {name: numbers._asdict() for name, numbers in assess(state, policy, ENDS_AT).locations.items()}
        for sku, state in states.items()
    }


def test_the_engine_with_the_policy_of_the_demo_agrees_with_the_book(
    engine: dict[str, dict[str, dict[str, Any]]], story: Story
) -> None:
    compared = stock_against_truth(engine, story.truth)
    assert compared.differences == ()
    assert compared.values == len(story.truth.on_hand) > 0


@pytest.mark.parametrize("name", ["on_hand", "reserved", "quarantine"])
def test_one_unit_too_many_is_a_difference(
    name: str, engine: dict[str, dict[str, dict[str, Any]]], story: Story
) -> None:
    wrong = deepcopy(engine)
    wrong["sku-03"]["store-2"][name] += 1
    (difference,) = stock_against_truth(wrong, story.truth).differences
    assert difference.startswith(f"sku-03 at store-2: {name} is")


def test_a_place_the_engine_does_not_know_or_made_up_is_a_difference(
    engine: dict[str, dict[str, dict[str, Any]]], story: Story
) -> None:
    wrong = deepcopy(engine)
    wrong["sku-03"]["nowhere"] = wrong["sku-03"].pop("store-2")
    missing, invented = stock_against_truth(wrong, story.truth).differences
    assert "store-2: the engine says nothing" in missing
    assert "nowhere: nothing of it exists" in invented


def test_a_broken_record_without_a_dead_letter_is_a_difference(story: Story) -> None:
    assert dead_letters_against_truth(story.truth.broken, story.truth).differences == ()
    assert dead_letters_against_truth(story.truth.broken - 1, story.truth).differences


def shop(
    *, taken: dict[str, list[int]] | None = None, shown: dict[str, int] | None = None, **counts: int
) -> ShopState:
    taken = taken or {}
    last = {listing: quantities[-1] for listing, quantities in taken.items()}
    return ShopState(last if shown is None else shown, taken, LEDGER | counts)


@pytest.mark.parametrize("objection", sorted(OBJECTIONS))
def test_whatever_a_shop_objects_to_is_a_difference(objection: str) -> None:
    assert limits_kept({"web": shop(), "outlet": shop()}) == (
        "requests to the shops, within limits, genuine, well-formed",
        80,
        (),
    )
    words = objection.replace("_", " ")
    assert limits_kept({"web": shop(), "outlet": shop(**{objection: 2})}).differences == (f"outlet: {words}: 2",)


@pytest.mark.parametrize("untold", ["above_limit", "malformed"])
def test_a_shop_that_does_not_tell_what_it_objects_to_is_a_difference(untold: str) -> None:
    silent = shop()
    silent = silent._replace(ledger={name: count for name, count in silent.ledger.items() if name != untold})
    assert limits_kept({"web": silent}).differences == (
        f"web: the shop does not say how often it was asked {untold}",
    )


def test_a_shop_that_shows_something_else_than_was_acknowledged_is_a_difference() -> None:
    assert shown_against_accepted({"web": shop(shown={"1": 4})}, {"web": {"1": 4}}).differences == ()
    shops = {"web": shop(shown={"1": 4, "2": 0}), "outlet": shop(shown={"1": 9})}
    assert shown_against_accepted(shops, {"web": {"1": 5, "3": 1}, "outlet": {"1": 9}}) == (
        "what the shops show against what was acknowledged",
        3,
        (
            "1 on web: the shop shows 4, acknowledged was 5",
            "2 on web: the shop shows 0, acknowledged was None",
            "3 on web: the shop shows None, acknowledged was 1",
        ),
    )


PLANNED = [(3, 7), (1, 9), (2, 5), (4, 9)]
"""Quantities 9, 5, 7, 9 in the order of their versions; read in another one."""


@pytest.mark.parametrize(
    "taken",
    [[], [9], [9, 5, 7, 9], [9, 9, 5, 5, 7, 9], [5, 9], [9, 7], [7, 9]],
    ids=str,
)
def test_values_may_be_left_out_and_repeated_but_not_come_after_newer_ones(taken: list[int]) -> None:
    assert first_out_of_order(taken, PLANNED) is None


@pytest.mark.parametrize(
    ("taken", "wrong"), [([5, 9, 5], 2), ([7, 5], 1), ([9, 7, 9, 7], 3), ([8], 0), ([9, 5, 7, 9, 5], 4)], ids=str
)
def test_an_older_value_after_a_newer_one_is_found(taken: list[int], wrong: int) -> None:
    assert first_out_of_order(taken, PLANNED) == wrong


def test_a_value_out_of_order_is_a_difference_of_its_channel() -> None:
    shops = {"web": shop(taken={"1": [9, 5], "2": [4]}), "outlet": shop(shown={"1": 2})}
    planned = {"web": {"1": PLANNED, "2": [(8, 4)]}, "outlet": {}}
    assert taken_in_order(shops, planned)[1:] == (3, ())
    shops["web"] = shop(taken={"1": [7, 5], "9": [4]})
    assert taken_in_order(shops, planned).differences == (
        "1 on web: the shop took 5 (value 2 of 2), which was not planned or is older than the value before",
        "9 on web: the shop took 4 (value 1 of 1), which was not planned or is older than the value before",
    )
