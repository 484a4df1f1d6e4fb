from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from domain.availability import assess
from streams.demo.proof import dead_letters_against_truth, limits_kept, shown_against_accepted, stock_against_truth
from streams.demo.rules import demo_policy
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


def test_a_request_above_the_limit_is_a_difference() -> None:
    assert limits_kept(LEDGER).differences == ()
    assert limits_kept({**LEDGER, "above_limit": 2, "accepted_older": 1}).differences == (
        "above limit: 2",
        "accepted older: 1",
    )


def test_a_channel_that_shows_something_else_than_was_acknowledged_is_a_difference() -> None:
    assert shown_against_accepted({"1": 4}, {"1": 4}).differences == ()
    assert shown_against_accepted({"1": 4, "2": 0}, {"1": 5, "3": 1}).differences == (
        "1: the channel shows 4, acknowledged was 5",
        "2: the channel shows 0, acknowledged was None",
        "3: the channel shows None, acknowledged was 1",
    )
