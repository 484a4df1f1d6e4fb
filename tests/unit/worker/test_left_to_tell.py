"""What a worker does after a recovery: only what an earlier one had left to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.facts import SECOND
from schemas.policies import policy_of
from tests.worlds import T0, World, answer, balance, release

DEBOUNCED: dict[str, Any] = {
    "channels": {"web": {"mode": "SHARED", "publish": {"rise_debounce_s": 30, "resend_after_s": 0}}}
}


def waiting(world: World) -> int:
    return sum(partition.waiting for partition in world.state.partitions.values())


def told(world: World, produced: list[Any]) -> list[tuple[str, int]]:
    return [(update["sku"], update["quantity"]) for update in world.told(produced, "channel-updates.web")]


def test_nothing_is_assessed_again_when_everything_was_told() -> None:
    world = World(DEBOUNCED)
    world.deliver(balance(10), balance(20, sku="SKU-2"))
    world.end()
    successor = world.successor()
    assert waiting(successor) == 0
    changelog = "atstream-publications-changelog"
    assert {record.topic for record in successor.epoch(T0 + 3_600 * SECOND)} == {changelog}  # the new generation


def test_only_the_sku_that_has_something_left_is_assessed_and_told() -> None:
    world = World(DEBOUNCED)
    world.deliver(balance(10), balance(20, sku="SKU-2"))
    world.deliver(balance(15, as_of="2026-01-01T00:00:20Z"))
    world.end()
    successor = world.successor()
    assert waiting(successor) == 1
    assert told(successor, successor.epoch(T0 + SECOND)) == []
    assert told(successor, successor.epoch(T0 + 60 * SECOND)) == [("SKU-1", 15)]


def test_the_newest_value_is_told_although_the_row_names_an_older_one() -> None:
    world = World(DEBOUNCED)
    world.deliver(balance(10))
    world.deliver(balance(15, as_of="2026-01-01T00:00:20Z"))
    world.deliver(balance(17, as_of="2026-01-01T00:00:30Z"))
    successor = world.successor()
    successor.epoch(T0 + SECOND)
    assert told(successor, successor.epoch(T0 + 60 * SECOND)) == [("SKU-1", 17)]


def test_what_the_last_epoch_told_is_told_again_unless_it_is_known_to_be_written() -> None:
    world = World(DEBOUNCED)
    world.deliver(balance(10), balance(20, sku="SKU-2"))
    produced = world.deliver(balance(8, as_of="2026-01-01T00:00:20Z"))
    [update] = [record for record in produced if record.topic == "channel-updates.web"]
    successor = world.successor(lost=[update])
    assert waiting(successor) == 1, "the row says 8, its update was never written; SKU-2 is beyond doubt"
    assert told(successor, successor.epoch(T0 + SECOND)) == [("SKU-1", 8)]
    assert told(successor, successor.epoch(T0 + 2 * SECOND)) == []
    third = successor.successor(3)
    assert waiting(third) == 0, "the epoch after it said that it is written"


def test_doubt_outlives_a_successor_that_ends_in_the_middle_of_telling() -> None:
    world = World(DEBOUNCED)
    world.deliver(balance(10), balance(20, sku="SKU-2"))
    second = world.successor()
    produced = second.epoch(T0 + SECOND)
    assert sorted(told(second, produced)) == [("SKU-1", 10), ("SKU-2", 20)]
    lost = [record for record in produced if b"SKU-2" in (record.key or b"")]
    third = second.successor(3, lost)
    assert ("SKU-2", 20) in told(third, third.epoch(T0 + 2 * SECOND))


def test_an_answer_ends_all_doubt() -> None:
    world = World(DEBOUNCED)
    world.deliver(balance(10))
    [update] = world.told(world.log, "channel-updates.web")
    world.log = [row for row in world.log if row.key != b"\0told"]
    world.deliver(answer(update))
    world.log = [row for row in world.log if row.key != b"\0told"]
    assert waiting(world.successor()) == 0


def test_a_channel_that_goes_and_comes_back_has_its_waiting_values_remembered() -> None:
    world = World(DEBOUNCED)
    world.deliver(balance(10))
    world.deliver(balance(15, as_of="2026-01-01T00:00:20Z"))
    policy = world.state.policy
    world.state.adopt(replace(policy, channels={}))
    world.epoch(T0 + SECOND)
    world.state.adopt(policy)
    assert told(world, [*world.epoch(T0 + 2 * SECOND), *world.epoch(T0 + 3 * SECOND)]) == [("SKU-1", 15)]
    world.deliver(balance(18, as_of="2026-01-01T00:00:30Z"), now=T0 + 4 * SECOND)
    world.end()
    successor = world.successor()
    assert waiting(successor) == 1
    successor.epoch(T0 + 5 * SECOND)
    assert told(successor, successor.epoch(T0 + 60 * SECOND)) == [("SKU-1", 18)]


def test_a_value_that_waits_costs_one_row_however_often_it_changes() -> None:
    world = World(DEBOUNCED)
    world.deliver(balance(10))
    world.epoch()
    rows = [
        [row for row in world.deliver(balance(11 + step, as_of=f"2026-01-01T00:00:2{step}Z"))
         if row.topic == "atstream-publications-changelog"]
        for step in range(5)
    ]  # fmt: skip
    assert list(map(len, rows)) == [1, 0, 0, 0, 0]


def test_every_sku_is_assessed_again_under_another_policy() -> None:
    world = World(DEBOUNCED)
    world.deliver(balance(10), balance(20, sku="SKU-2"), release(3, sku="SKU-2"))
    world.state.policy = replace(world.state.policy, max_lateness=world.state.policy.max_lateness + SECOND)
    successor = world.successor()
    assert waiting(successor) == 2
    assert successor.told(successor.epoch(), "ats-changed") == []  # first it is noted that the change is under way
    versions = world.told(successor.epoch(), "ats-changed")
    assert {told["sku"] for told in versions} == {"SKU-1", "SKU-2"}
    assert waiting(successor) == 0
    assert waiting(successor.successor(3)) == 2, "only the next epoch knows that all were told"
    successor.epoch()
    assert waiting(successor.successor(3)) == 0


@pytest.mark.parametrize("crash", [True, False])
def test_a_policy_that_comes_back_in_the_middle_of_a_change_is_told_to_all(crash: bool) -> None:
    world = World(DEBOUNCED)
    world.deliver(*(balance(10, sku=f"SKU-{number}") for number in range(20)))
    former = world.state.policy
    other = policy_of({**DEBOUNCED, "locations": {"A": {"safety_stock": {"units": 9}}}})
    world.state._reassess_per_epoch = 1
    world.state.adopt(other)
    for step in range(9):
        world.epoch(T0 + (1 + step) * SECOND)
    shown = dict(told(world, world.log))
    assert sorted(set(shown.values())) == [1, 10], "the change is under way"
    if crash:
        world.state.policy = former
        world = world.successor()
    else:
        world.state._reassess_per_epoch = 1_000
        world.state.adopt(former)
    for step in range(3):
        world.epoch(T0 + (60 + 60 * step) * SECOND)
    assert dict(told(world, world.log)) == dict.fromkeys(shown, 10)
    numbers = {said["sku"]: said["channels"]["web"] for said in world.told(world.log, "ats-changed")}
    assert numbers == dict.fromkeys(shown, 10)


def test_another_policy_reaches_skus_that_are_not_decoded() -> None:
    world = World(DEBOUNCED, decoded_skus=1)
    for number in range(30):
        world.deliver(balance(10, sku=f"SKU-{number}"))
    world.state.adopt(replace(world.state.policy, max_lateness=world.state.policy.max_lateness + SECOND))
    assert waiting(world) == 30
    world.epoch()
    world.epoch()
    assert waiting(world) == 0
    fingerprints = {partition.policy_published for partition in world.state.partitions.values()}
    assert len(fingerprints) == 1
