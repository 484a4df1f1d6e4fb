"""Listings that are no SKUs, from the topic to what their channels are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from schemas.policies import policy_of
from schemas.topics import LISTING_EXCHANGE, LISTINGS
from streams.worker.partitioning import partition_of_key
from tests.worlds import PARTITIONS, T0, Record, World, answer, balance, record_of

POLICY: dict[str, Any] = {
    "channels": {
        "amazon": {"mode": "SHARED", "publish": {"resend_after_s": 0}},
        "web": {"mode": "SHARED", "publish": {"resend_after_s": 0}},
    }
}


def listing(name: str, sku: str | None, pack_size: int = 1, at: int = 1, **more: Any) -> dict[str, Any]:
    line = {"type": "listings", "channel": "amazon", "listing": name, "sku": sku, "pack_size": pack_size}
    return {**line, "as_of": f"2026-01-01T00:00:{at:02d}Z", **more}


def exchange(world: World, produced: Iterable[Any]) -> None:
    """Deliver what partitions told each other."""
    for record in produced:
        if record.topic == LISTING_EXCHANGE.name:
            intake = world.state.partition(record.partition).intake
            intake.receive(record.topic, [Record(record.key, record.value)], 0, T0)


def settle(world: World, *lines: Mapping[str, Any]) -> list[Any]:
    """Everything produced until partitions have nothing more to tell each other."""
    produced, everything = world.deliver(*lines), []
    while produced:
        everything += produced
        exchange(world, produced)
        waits = any(record.topic == LISTING_EXCHANGE.name for record in produced)
        produced = world.epoch() if waits else []
    return everything


def told(world: World, produced: Iterable[Any], channel: str = "amazon") -> list[tuple[str, int]]:
    """What the channel is told, in this order."""
    updates = world.told(produced, f"channel-updates.{channel}")
    return [(update["listing"], update["quantity"]) for update in updates]


def test_a_listing_shows_whole_packs_of_its_sku_and_the_sku_itself_is_not_listed() -> None:
    world = World(POLICY)
    produced = settle(world, listing("B0C2", "SKU-1", pack_size=6), balance(20))
    assert told(world, produced)[-1] == ("B0C2", 3)
    assert "SKU-1" not in dict(told(world, settle(world, balance(13, as_of="2026-01-01T00:00:20Z"))))
    assert told(world, world.log)[-1] == ("B0C2", 2)


def test_a_channel_without_listings_of_a_sku_lists_it_under_its_own_name() -> None:
    world = World(POLICY)
    produced = settle(world, listing("B0C2", "SKU-1"), balance(20))
    assert told(world, produced, "web") == [("SKU-1", 20)]


def test_packs_that_the_channel_took_too_many_of_are_exposed_with_their_units() -> None:
    world = World(POLICY)
    settle(world, listing("B0C2", "SKU-1", pack_size=6), balance(20))
    (update,) = world.told(world.log, "channel-updates.amazon")[-1:]
    world.deliver(answer(update))
    settle(world, balance(7, as_of="2026-01-01T00:00:20Z"))
    totals = world.state.fan_out.watches["amazon"].exposure.totals()
    assert (totals.listings, totals.units) == (1, 12)


def test_a_sku_that_becomes_a_listing_of_its_own_name_goes_on_showing_what_it_has() -> None:
    world = World(POLICY)
    settle(world, balance(20))
    produced = settle(world, listing("SKU-1", "SKU-1", price=1999, currency="EUR"))
    assert told(world, produced) == [], "it is not sold out for a moment"
    assert told(world, settle(world, balance(19, as_of="2026-01-01T00:00:20Z"))) == [("SKU-1", 19)]


def test_a_sku_that_becomes_a_listing_of_packs_shows_nothing_before_it_shows_packs() -> None:
    world = World(POLICY)
    settle(world, balance(20))
    assert told(world, settle(world, listing("SKU-1", "SKU-1", pack_size=6))) == [("SKU-1", 0), ("SKU-1", 3)]


def test_a_listing_of_the_name_of_its_sku_goes_on_beside_another_listing_of_that_sku() -> None:
    world = World(POLICY)
    settle(world, balance(20), listing("SKU-1", "SKU-1"))
    assert "SKU-1" not in dict(told(world, settle(world, listing("B0C2", "SKU-1"))))
    settle(world, balance(19, as_of="2026-01-01T00:00:20Z"))
    assert dict(told(world, world.log)) == {"SKU-1": 19, "B0C2": 19}


def test_several_listings_sell_one_sku() -> None:
    world = World(POLICY)
    produced = settle(world, balance(20), listing("B0C2", "SKU-1"), listing("B0A1", "SKU-1", pack_size=3))
    shown = dict(told(world, produced))
    assert (shown["B0C2"], shown["B0A1"]) == (20, 6)
    homes = [partition_of_key(name, PARTITIONS) for name in (b"B0C2", b"B0A1", b"SKU-1")]
    assert len(set(homes)) == 3


def test_a_listing_that_changes_its_sku_shows_nothing_before_it_shows_the_other() -> None:
    world = World(POLICY)
    settle(world, balance(20), balance(7, sku="SKU-2"), listing("B0C2", "SKU-1"))
    produced = settle(world, listing("B0C2", "SKU-2", at=2))
    assert [each for each in told(world, produced) if each[0] == "B0C2"] == [("B0C2", 0), ("B0C2", 7)]


def test_a_sku_that_lost_its_listings_is_listed_under_its_own_name_again() -> None:
    world = World(POLICY)
    settle(world, balance(20), balance(7, sku="SKU-2"), listing("B0C2", "SKU-1"))
    assert ("SKU-1", 20) in told(world, settle(world, listing("B0C2", "SKU-2", at=2)))


def test_the_former_sku_supplies_a_listing_no_longer() -> None:
    world = World(POLICY)
    settle(world, balance(20), balance(7, sku="SKU-2"), listing("B0C2", "SKU-1"), listing("B0C2", "SKU-2", at=2))
    produced = settle(world, balance(19, as_of="2026-01-01T00:00:20Z"))
    assert "B0C2" not in dict(told(world, produced))


def test_a_listing_taken_down_shows_nothing_whatever_its_sku_has() -> None:
    world = World(POLICY)
    settle(world, balance(20), listing("B0C2", "SKU-1"))
    assert ("B0C2", 0) in told(world, settle(world, listing("B0C2", None, at=2)))
    assert "B0C2" not in dict(told(world, settle(world, balance(19, as_of="2026-01-01T00:00:20Z"))))


def test_a_message_without_a_value_takes_a_listing_down_at_the_time_it_was_written() -> None:
    world = World(POLICY)
    settle(world, balance(20), listing("B0C2", "SKU-1", at=10))
    for seconds, expected in ((5, None), (15, 0)):
        written_ms = T0 // 1_000 + seconds * 1_000
        world.consume(LISTINGS.name, Record(b"amazon:B0C2", None, timestamp_ms=written_ms))
        assert dict(told(world, settle(world))).get("B0C2") == expected


def test_an_older_statement_about_a_listing_changes_nothing() -> None:
    world = World(POLICY)
    settle(world, balance(20), balance(7, sku="SKU-2"), listing("B0C2", "SKU-2", at=5))
    assert told(world, settle(world, listing("B0C2", "SKU-1", at=4))) == []


def test_another_pack_size_shows_fewer_packs_at_once() -> None:
    world = World(POLICY)
    settle(world, balance(20), listing("B0C2", "SKU-1"))
    produced = settle(world, listing("B0C2", "SKU-1", pack_size=6, at=2))
    assert told(world, produced) == [("B0C2", 3)]


def test_a_listing_whose_id_is_the_name_of_another_sku_sells_what_it_is_said_to_sell() -> None:
    world = World(POLICY)
    settle(world, balance(20), balance(7, sku="SKU-2"))
    produced = settle(world, listing("SKU-2", "SKU-1"))
    assert [each for each in told(world, produced) if each[0] == "SKU-2"] == [("SKU-2", 0), ("SKU-2", 20)]
    assert "SKU-2" not in dict(told(world, settle(world, balance(6, "SKU-2", "2026-01-01T00:00:20Z"))))


def test_a_sku_of_which_nothing_is_known_has_nothing_to_sell() -> None:
    world = World(POLICY)
    assert told(world, settle(world, listing("B0C2", "SKU-9"))) == [("B0C2", 0)]
    assert told(world, settle(world, balance(4, sku="SKU-9"))) == [("B0C2", 4)]


def test_a_successor_goes_on_from_the_changelog() -> None:
    world = World(POLICY)
    settle(world, balance(20), listing("B0C2", "SKU-1", pack_size=6))
    world.end()
    successor = world.successor()
    settle(successor)
    assert told(successor, settle(successor, balance(13, as_of="2026-01-01T00:00:20Z"))) == [("B0C2", 2)]


def test_a_channel_that_comes_later_is_told_of_its_listings() -> None:
    world = World({"channels": {"web": POLICY["channels"]["web"]}})
    settle(world, balance(20), listing("B0C2", "SKU-1", pack_size=6))
    world.state.adopt(policy_of(POLICY))
    settle(world)  # writes down that another policy holds, before anything is told by it
    assert dict(told(world, settle(world))) == {"B0C2": 3}


def test_a_message_about_a_listing_that_cannot_be_read_is_a_dead_letter() -> None:
    world = World(POLICY)
    topic, record = record_of(listing("B0C2", "SKU-1"))
    world.consume(topic, Record(b"amazon:B0A1", record.value()))
    world.state.partition(0).intake.receive(LISTING_EXCHANGE.name, [Record(b"B0C2", b"[]")], 0, T0)
    assert {record.topic for record in world.epoch() if record.topic.endswith(".dlq")} == {
        "listings.dlq",
        "atstream-listing-exchange.dlq",
    }


def moving(name: str, epochs: int) -> tuple[World, list[Any], list[Any], list[Any]]:
    """A world in whose last of several epochs a listing is on its way from SKU-1 to SKU-2.

    With it the lines and messages that the last epoch took, and what it produced.
    """
    world = World(POLICY)
    settle(world, balance(20), balance(7, sku="SKU-2"), listing(name, "SKU-1"))
    lines, taken = [listing(name, "SKU-2", at=2)], []
    last = world.deliver(*lines)
    for _ in range(epochs):
        lines, taken = [], last
        exchange(world, taken)
        last = world.epoch()
    return world, lines, taken, last


@pytest.mark.parametrize("name", ["B0C1", "B0C2"], ids=["one partition", "two partitions"])
@pytest.mark.parametrize("epochs", range(4))
def test_a_worker_may_die_after_any_record_while_a_listing_changes_its_sku(name: str, epochs: int) -> None:
    for written in range(len(moving(name, epochs)[3]) + 1):
        world, lines, taken, last = moving(name, epochs)
        successor = world.successor(lost=last[written:])
        exchange(successor, taken)  # its offsets were not committed
        settle(successor, *lines)
        exchange(successor, last[:written])
        settle(successor)
        shown = [quantity for each, quantity in told(successor, successor.log) if each == name]
        assert (shown[0], shown[-1]) == (20, 7), (written, shown)
        after_zero = shown[shown.index(0) :]
        assert set(after_zero) == {0, 7}, (written, shown)


def test_no_crash_is_tried_in_vain() -> None:
    assert all(moving("B0C2", epochs)[3] for epochs in range(3))
