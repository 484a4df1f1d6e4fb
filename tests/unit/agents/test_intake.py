from __future__ import annotations

import pytest

from agents.brake import Brake, BrakePulled
from agents.dead_letters import PREFIX
from streams.worker.partitioning import partition_of_key
from tests.worlds import PARTITIONS, Record, World, balance, record_of, release


def outputs(produced: list[object], topic: str) -> list[object]:
    return [record for record in produced if record.topic == topic]  # type: ignore[attr-defined]


def test_a_new_fact_is_one_row_in_the_partition_of_its_sku() -> None:
    world = World()
    [row] = outputs(world.deliver(balance(10)), "atstream-facts-changelog")
    assert row.partition == partition_of_key(b"SKU-1", PARTITIONS)
    assert row.key.startswith(b"SKU-1\0balance\0A\0SELLABLE\0erp")


def test_a_repeated_event_writes_no_row_and_is_reported() -> None:
    world = World()
    world.deliver(release(5))
    produced = world.deliver(release(5))
    assert outputs(produced, "atstream-facts-changelog") == []
    [finding] = world.told(produced, "inventory-findings")
    assert (finding["code"], finding["sku"]) == ("DUPLICATE", "SKU-1")


def test_a_redelivered_event_is_no_finding_but_tells_the_outputs_again() -> None:
    world = World()
    world.deliver(balance(10), release(5))
    world.assign(generation=2, end_offset=100)
    produced = world.deliver(release(5))
    assert world.told(produced, "inventory-findings") == []
    [told] = world.told(produced, "ats-changed")
    assert told["pools"]["default"]["available_to_sell"] == 5


def test_an_unchanged_number_is_not_told_again() -> None:
    world = World()
    world.deliver(balance(10))
    produced = world.deliver(balance(10, as_of="2026-01-01T00:00:20Z"))
    assert world.told(produced, "ats-changed") == []


def test_an_event_in_a_foreign_partition_is_forwarded_and_not_applied() -> None:
    world = World()
    topic, record = record_of(balance(10))
    home = partition_of_key(b"SKU-1", PARTITIONS)
    foreign = world.state.partition((home + 1) % PARTITIONS)
    foreign.intake.receive(topic, [record], 0, 1)
    [forwarded] = world.epoch()
    assert (forwarded.topic, forwarded.partition, forwarded.value) == (topic, home, record.value())
    assert foreign.intake.counts[topic] == {"forwarded": 1}
    assert "SKU-1" not in foreign.facts


def test_a_poisoned_record_becomes_a_dead_letter_byte_for_byte() -> None:
    world = World()
    poisoned = Record(b"SKU-1", b"\x00\x00", 17, [("trace", b"t1")], timestamp_ms=99)
    world.consume("order-released", poisoned)
    [letter] = world.epoch()
    headers = dict(letter.headers)
    assert (letter.topic, letter.key, letter.value) == ("order-released.dlq", b"SKU-1", b"\x00\x00")
    assert headers["trace"] == b"t1"
    assert headers[PREFIX + "reason"] == b"TRUNCATED"
    assert headers[PREFIX + "offset"] == b"17"
    assert headers[PREFIX + "attempt"] == b"1"
    assert letter.timestamp_ms == 99


def test_a_dead_letter_that_fails_again_counts_its_attempts() -> None:
    world = World()
    world.consume("order-released", Record(b"S", None, 3, [(PREFIX + "attempt", b"1")]))
    [letter] = world.epoch()
    assert dict(letter.headers)[PREFIX + "attempt"] == b"2"
    assert [name for name, _ in letter.headers].count(PREFIX + "attempt") == 1


def test_intake_stops_before_a_record_whose_schema_is_not_loaded() -> None:
    world = World(loaded=False)
    topic, record = record_of(balance(10))
    partition = world.state.partition(partition_of_key(b"SKU-1", PARTITIONS))
    stopped = partition.intake.receive(topic, [record], 0, 1)
    assert stopped.missing is not None
    assert stopped.next == 0
    world.source.load(stopped.missing.ref)
    assert partition.intake.receive(topic, [record], 0, 1) == (1, None)
    assert partition.intake.counts[topic] == {"applied": 1}


def test_a_hundred_rejections_in_a_row_pull_the_brake() -> None:
    brake = Brake("order-released")
    for _ in range(99):
        brake.rejected("TRUNCATED")
    with pytest.raises(BrakePulled, match="100 records in a row"):
        brake.rejected("TRUNCATED")


def test_more_than_five_percent_rejections_pull_the_brake() -> None:
    brake = Brake("order-released")
    for _ in range(100):
        brake.rejected("TRUNCATED")
        brake.accepted(9)
    with pytest.raises(BrakePulled, match="of the last 2000"):
        brake.rejected("TRUNCATED")


def test_a_few_rejections_among_many_records_do_not_pull_the_brake() -> None:
    brake = Brake("order-released")
    for _ in range(1_000):
        brake.rejected("TRUNCATED")
        brake.accepted(99)


def test_every_event_is_counted_under_its_topic_and_one_outcome() -> None:
    world = World({"channels": {"web": {"mode": "SHARED", "publish": {"rate_per_s": 100, "burst": 100}}}})
    world.deliver(balance(10), release(5), release(5))
    home = world.state.partition(partition_of_key(b"SKU-1", PARTITIONS))
    home.intake.receive("order-released", [Record(b"SKU-1", b"no avro")], 0, 1)
    assert home.intake.counts == {
        "stock-adjusted": {"applied": 1},
        "order-released": {"applied": 1, "duplicate": 1, "rejected": 1},
    }
    assert home.reported == {"DUPLICATE": 1}
    assert world.state.fan_out.planned == {("web", "P1", "FIRST_VALUE"): 1}
