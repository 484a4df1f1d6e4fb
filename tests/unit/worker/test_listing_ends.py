"""The end of a subscription reaches its SKU's partition, though the worker died when it had written it down."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.topics import LISTING_EXCHANGE, PUBLICATIONS_CHANGELOG
from tables.listing_rows import ENDED_PREFIX
from tests.unit.worker.test_listings import POLICY, exchange, listing, settle, told
from tests.worlds import World, balance


def moved() -> tuple[World, list[Any], list[Any]]:
    """A listing is given to SKU-2; with what its home took for that, and produced."""
    world = World(POLICY)
    settle(world, balance(20), balance(7, sku="SKU-2"), listing("B0C2", "SKU-1"))
    taken = world.deliver(listing("B0C2", "SKU-2", at=2))
    exchange(world, taken)
    return world, taken, world.epoch()


def ends(produced: list[Any]) -> list[bool]:
    """Rows of ends: whether each was written (or removed)."""
    return [each.value is not None for each in produced if (each.key or b"").startswith(ENDED_PREFIX)]


@pytest.mark.parametrize("again", [True, False], ids=["delivered again", "committed"])
def test_a_sku_that_lost_its_last_listing_is_listed_again_although_the_message_was_lost(again: bool) -> None:
    world, taken, last = moved()
    successor = world.successor(lost=[each for each in last if each.topic == LISTING_EXCHANGE.name])
    if again:
        exchange(successor, taken)
    settle(successor)
    assert dict(told(successor, successor.log)) == {"SKU-1": 20, "SKU-2": 0, "B0C2": 7}


def test_the_row_of_an_end_comes_before_that_of_the_move_and_is_removed_once_both_are_written() -> None:
    world, _, last = moved()
    rows = [each for each in last if each.topic == PUBLICATIONS_CHANGELOG.name]
    assert rows[0].key.startswith(ENDED_PREFIX)
    assert ends(last) == [True]
    assert ends(world.epoch()) == [False]
    assert ends(world.epoch()) == []
    successor = world.successor()
    assert ends(settle(successor)) == []


def test_an_end_is_said_again_until_an_epoch_after_that_is_written() -> None:
    world, _, last = moved()
    world = world.successor(2, [each for each in last if each.topic == LISTING_EXCHANGE.name])
    for generation in (3, 4):
        said = world.epoch()
        assert any(b"false" in each.value for each in said if each.topic == LISTING_EXCHANGE.name)
        world = world.successor(generation, said)
    assert ends([*settle(world), *world.epoch()]) == [False]


def test_an_end_is_kept_while_its_partition_is_recovered_and_others_go_on() -> None:
    world, _, last = moved()
    lost = [each for each in last if each.topic == LISTING_EXCHANGE.name]
    [row] = [each for each in last if (each.key or b"").startswith(ENDED_PREFIX)]
    successor = world.successor(2, lost)
    successor.state.drop(row.partition)
    rows = [(each.key, each.value) for each in successor.log if each.topic == row.topic]
    successor.state.recover("publications", row.partition, rows)
    assert ends(successor.epoch()) == ends(successor.epoch()) == []
    successor.assign(3)
    said = successor.epoch()
    assert any(b"false" in each.value for each in said if each.topic == LISTING_EXCHANGE.name)
