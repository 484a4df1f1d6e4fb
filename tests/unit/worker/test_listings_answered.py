"""A listing whose worker died after it told the channel something, and before it could write that down.

The channel answers, and the answer is all that the next owner hears of it.
"""

from __future__ import annotations

from typing import Any

from schemas.topics import PUBLICATIONS_CHANGELOG
from tests.unit.worker.test_listings import POLICY, exchange, listing, settle, told
from tests.worlds import World, answer, balance


def successor_of(world: World, last: list[Any], taken: list[Any]) -> World:
    """The next owner: the last epoch told channels and partitions, wrote no row, and will be done again."""
    successor = world.successor(lost=[each for each in last if each.topic == PUBLICATIONS_CHANGELOG.name])
    exchange(successor, taken)
    return successor


def after_a_first_value() -> tuple[World, dict[str, Any]]:
    """The next owner of a SKU whose first value was told and not written down; and what its channel answers."""
    world = World(POLICY)
    last = world.deliver(balance(20))
    [update] = world.told(last, "channel-updates.amazon")
    return successor_of(world, last, []), answer(update)


def shown(world: World, name: str) -> list[int]:
    """What the channel was told of a listing, in order."""
    return [quantity for each, quantity in told(world, world.log) if each == name]


def test_a_listing_is_supplied_although_only_the_answer_tells_that_it_showed_zero() -> None:
    world = World(POLICY)
    settle(world, balance(20), balance(7, sku="SKU-2"), listing("B0C2", "SKU-1"))
    settle(world)
    world.epoch()  # which writes down that the 20 was surely told
    taken = world.deliver(listing("B0C2", "SKU-2", at=2))
    exchange(world, taken)
    last = world.epoch()
    [zero] = [each for each in world.told(last, "channel-updates.amazon") if each["listing"] == "B0C2"]
    assert zero["quantity"] == 0
    successor = successor_of(world, last, taken)
    settle(successor, answer(zero))
    assert shown(successor, "B0C2") == [20, 0, 7]


def test_a_listing_that_was_taken_down_shows_nothing_although_only_the_answer_tells_what_it_showed() -> None:
    successor, answered = after_a_first_value()
    settle(successor, listing("SKU-1", None))
    settle(successor, answered, balance(20))
    assert shown(successor, "SKU-1") == [20, 0]


def test_a_listing_shows_nothing_of_its_former_sku_although_only_the_answer_tells_what_it_showed() -> None:
    successor, answered = after_a_first_value()
    moved = successor.deliver(listing("SKU-1", "SKU-2"))
    exchange(successor, moved)
    asked = successor.epoch()
    successor.deliver(answered, balance(20))
    assert shown(successor, "SKU-1") == [20, 0], "before SKU-2 has said anything"
    exchange(successor, asked)
    settle(successor, balance(7, sku="SKU-2"))
    assert shown(successor, "SKU-1") == [20, 0, 7]


def test_a_sku_that_is_sold_by_a_listing_shows_nothing_although_only_the_answer_tells_what_it_showed() -> None:
    successor, answered = after_a_first_value()
    settle(successor, listing("B0C2", "SKU-1"))
    settle(successor, answered, balance(20))
    assert shown(successor, "SKU-1") == [20, 0]
    assert shown(successor, "B0C2")[-1] == 20


def test_a_first_zero_is_told_although_only_the_row_of_its_supply_was_written() -> None:
    world = World(POLICY)
    taken = world.deliver(listing("B0C2", "SKU-9"))
    for _ in range(2):
        exchange(world, taken)
        taken = world.epoch()
    exchange(world, taken)
    last = world.epoch()
    assert told(world, last) == [("B0C2", 0)]
    successor = world.successor(lost=last[1:])
    exchange(successor, taken)
    settle(successor)
    assert shown(successor, "B0C2") == [0]
