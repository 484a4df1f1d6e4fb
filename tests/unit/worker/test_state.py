from __future__ import annotations

import itertools
from typing import Any

import pytest

from domain.facts import SECOND
from schemas.policies import policy_of
from tests.worlds import T0, World, answer, balance, record_of, release, reservation

CHANNELS: dict[str, Any] = {"channels": {"web": {"mode": "SHARED", "publish": {"rate_per_s": 100, "burst": 100}}}}


def channel_quantities(world: World, produced: list[Any]) -> list[int]:
    return [fields["quantity"] for fields in world.told(produced, "channel-updates.web")]


def test_a_change_is_told_to_the_channel_with_its_causes() -> None:
    world = World(CHANNELS)
    world.deliver(balance(10))
    produced = world.deliver(release(4), now=T0 + SECOND)
    [update] = world.told(produced, "channel-updates.web")
    assert update["quantity"] == 6
    assert update["expected_previous"] == 10
    assert update["caused_by"] == ["r-O1"]
    assert update["idempotency_key"] == f"SKU-1:{update['publish_seq']}"


def test_the_changelog_alone_rebuilds_the_numbers() -> None:
    world = World(CHANNELS)
    world.deliver(balance(10), release(4))
    successor = world.successor()
    produced = successor.deliver(release(1, order_id="O2"))
    [told] = successor.told(produced, "ats-changed")
    assert told["locations"]["A"]["reserved"] == 5


def test_a_successor_tells_no_channel_what_it_was_told_already() -> None:
    world = World(CHANNELS)
    world.deliver(balance(10))
    world.end()
    assert channel_quantities(world, world.successor().epoch()) == []


def test_versions_of_a_successor_are_beyond_all_of_its_predecessor() -> None:
    world = World(CHANNELS)
    [first] = world.told(world.deliver(balance(10)), "channel-updates.web")
    successor = world.successor(generation=2)
    [second] = successor.told(successor.deliver(balance(7, as_of="2026-01-01T00:01:00Z")), "channel-updates.web")
    assert second["publish_seq"] > first["publish_seq"] + 1_000


def test_versions_grow_even_when_kafka_forgot_the_group_and_counts_generations_anew() -> None:
    world = World(CHANNELS, generation=9)
    [first] = world.told(world.deliver(balance(10)), "ats-changed")
    successor = world.successor(generation=1)
    [second] = successor.told(successor.deliver(balance(7, as_of="2026-01-01T00:01:00Z")), "ats-changed")
    assert second["version"] > first["version"] + 1_000


def test_an_update_whose_row_was_lost_is_repaired_by_redelivery() -> None:
    world = World(CHANNELS)
    world.deliver(balance(10))
    lost = world.deliver(release(4))
    assert channel_quantities(world, lost) == [6]
    successor = world.successor(lost=lost, end_offset=100)
    back = release(4, state="CANCELLED", version=2, event_id="r2")
    told = channel_quantities(successor, successor.deliver(release(4), back))
    assert told == [10], "the channel was told 6 by the predecessor, so 10 must be told although 10 is on record"


def test_a_reservation_that_runs_out_is_told_by_the_clock_alone() -> None:
    world = World(CHANNELS)
    world.deliver(balance(10), reservation(3, "2026-01-01T00:01:40Z"))
    wakes = [partition.next_wake() for partition in world.state.partitions.values()]
    assert wakes.count(T0 + 100 * SECOND) == 1
    produced = world.epoch(T0 + 100 * SECOND)
    assert channel_quantities(world, produced) == [10]


def test_a_successor_knows_when_reservations_run_out() -> None:
    world = World(CHANNELS)
    world.deliver(balance(10), reservation(3, "2026-01-01T00:01:40Z"))
    successor = world.successor()
    successor.epoch(T0 + SECOND)
    assert channel_quantities(successor, successor.epoch(T0 + 100 * SECOND)) == [10]


def test_a_changed_policy_assesses_every_sku_again() -> None:
    world = World(CHANNELS)
    world.deliver(*(balance(10, sku=f"SKU-{number}") for number in range(5)))
    world.state.adopt(policy_of({**CHANNELS, "locations": {"A": {"safety_stock": {"units": 3}}}}))
    world.epoch(T0 + SECOND)  # notes that a change is under way
    produced = world.epoch(T0 + SECOND)
    assert len(world.told(produced, "ats-changed")) == 5
    assert channel_quantities(world, produced) == [7] * 5


def test_a_policy_that_comes_while_an_epoch_is_collected_holds_from_the_next_one_on() -> None:
    world = World(CHANNELS)
    for number in range(100):
        topic, record = record_of(balance(10, sku=f"SKU-{number}"), number)
        world.consume(topic, record)
    slices = world.state.collect(T0)
    produced = [record for part in itertools.islice(slices, 3) for record in part]
    world.state.adopt(policy_of({**CHANNELS, "locations": {"A": {"safety_stock": {"units": 3}}}}))
    produced += [record for part in slices for record in part]
    told = [event["channels"] for event in world.told(produced, "ats-changed")]
    assert told == [{"web": 10}] * 100
    world.epoch(T0 + SECOND)  # notes that a change is under way
    told = [event["channels"] for event in world.told(world.epoch(T0 + SECOND), "ats-changed")]
    assert told == [{"web": 7}] * 100


def test_new_publish_rules_reach_what_is_pending_over_several_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.planner.ADOPTED_PER_STEP", 10)
    monkeypatch.setattr("agents.adoptions.STEPS_PER_TICK", 2)

    def patient(rise_debounce_s: int) -> dict[str, Any]:
        publish = {"rate_per_s": 1000, "burst": 1000, "rise_debounce_s": rise_debounce_s}
        return {"channels": {"web": {"mode": "SHARED", "publish": publish}}}

    world = World(patient(3_600))
    world.deliver(*(balance(10, sku=f"SKU-{number}") for number in range(100)))
    later = "2026-01-01T00:00:20Z"
    world.deliver(*(balance(20, sku=f"SKU-{number}", as_of=later) for number in range(100)))
    assert world.told(world.log, "channel-updates.web")[100:] == []
    world.state.adopt(policy_of(patient(0)))
    told, epochs = [], 0
    while world.state.fan_out.next_wake() == 0:
        told += channel_quantities(world, world.epoch(T0 + 60 * SECOND))
        epochs += 1
    assert epochs > 2
    assert told == [20] * 100


def test_a_policy_changed_while_nobody_ran_is_told_at_the_next_start() -> None:
    world = World(CHANNELS)
    world.deliver(balance(10))
    world.epoch()
    world.state.policy = policy_of({**CHANNELS, "locations": {"A": {"safety_stock": {"units": 3}}}})
    successor = world.successor()
    successor.epoch(T0 + SECOND)  # notes that a change is under way
    produced = successor.epoch(T0 + SECOND)
    assert [told["channels"] for told in successor.told(produced, "ats-changed")] == [{"web": 7}]


def test_an_unchanged_policy_tells_nothing_at_the_next_start() -> None:
    world = World(CHANNELS)
    world.deliver(balance(10))
    world.epoch()
    assert world.told(world.successor().epoch(T0 + SECOND), "ats-changed") == []


def test_a_variance_is_told_once_with_what_would_explain_it() -> None:
    world = World()
    world.deliver(balance(100), release(3))
    produced = world.deliver(balance(97, as_of="2026-01-01T00:00:20Z"))
    [variance] = world.told(produced, "stock-variances")
    assert (variance["predicted"], variance["units"]) == (100, -3)
    assert world.told(world.deliver(release(1, order_id="O9")), "stock-variances") == []


def test_a_channel_answer_from_an_unknown_predecessor_is_adopted_and_mended() -> None:
    world = World(CHANNELS)
    [update] = world.told(world.deliver(balance(10)), "channel-updates.web")
    ack = answer(update, publish_seq=update["publish_seq"] + 5, quantity=12)
    told = channel_quantities(world, world.deliver(ack))
    assert told == [10]


def test_dropping_a_partition_forgets_it() -> None:
    world = World(CHANNELS)
    world.deliver(balance(10))
    for number in list(world.state.partitions):
        world.state.drop(number)
    assert world.state.partitions == {}
    assert world.state.fan_out.planners["web"].listings == {}


def test_a_partition_that_is_still_being_recovered_says_nothing() -> None:
    world = World(CHANNELS)
    world.deliver(balance(10))
    recovering = World(CHANNELS).state
    for record in world.log:
        if record.topic == "atstream-facts-changelog":
            recovering.drop(record.partition)
            recovering.recover("facts", record.partition, [(record.key, record.value)])
            said = [one for part in recovering.collect(T0) for one in part]
            assert not any(one.partition == record.partition for one in said)
