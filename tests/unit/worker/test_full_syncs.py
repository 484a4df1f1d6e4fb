"""Full syncs in a worker: what begins them, what they leave to others, and what survives its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from domain.facts import SECOND
from domain.full_sync import FullSync
from schemas.policies import policy_of
from schemas.policy_display import document_of
from schemas.topics import LISTING_EXCHANGE, PUBLICATIONS_CHANGELOG
from streams.worker.partitioning import partition_of_key
from tables.full_syncs import FULL_SYNC_PREFIX, full_sync_of
from tables.rows import UnreadableRow
from tests.worlds import PARTITIONS, T0, Record, World, balance

HOUR = 3_600 * SECOND
DAY = 24 * HOUR
SKUS = [f"SKU-{number}" for number in range(9)]


def policy(every_s: int = 86_400, **publish: Any) -> dict[str, Any]:
    """Updates are never repeated for want of an answer; one full sync a day."""
    rules = {"rate_per_s": 10, "burst": 100, "resend_after_s": 0, "full_sync_every_s": every_s}
    return {"channels": {"web": {"mode": "SHARED", "publish": rules | publish}}}


def stocked(document: dict[str, Any]) -> World:
    """A worker that told the channel 10 of each SKU."""
    world = World(document)
    world.deliver(*(balance(10, sku) for sku in SKUS))
    world.epoch(T0 + SECOND)
    return world


def told(world: World, produced: Iterable[Any]) -> list[tuple[str, str]]:
    updates = world.told(produced, "channel-updates.web")
    return [(update["priority"], update["listing"]) for update in updates]


def rows(world: World) -> dict[int, FullSync]:
    """The newest row of each partition that was written."""
    return {
        record.partition: full_sync_of(record.value)
        for record in world.log
        if record.topic == PUBLICATIONS_CHANGELOG.name and record.key.startswith(FULL_SYNC_PREFIX)
    }


def until_quiet(world: World, now: int, epochs: int = 60) -> list[tuple[str, str]]:
    """What is told in the seconds from ``now`` on."""
    return [each for second in range(epochs) for each in told(world, world.epoch(now + second * SECOND))]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> int:
    """When the first full sync is due for an hour; the clock by which successors recover says so, too."""
    now = T0 + DAY + HOUR
    monkeypatch.setattr(World, "_clock", now)
    return now


P4_ALL = [("P4", sku) for sku in SKUS]


def test_nothing_begins_one_unless_the_policy_asks_for_it() -> None:
    world = stocked({"channels": {"web": {"mode": "SHARED", "publish": {"resend_after_s": 0}}}})
    assert until_quiet(world, T0 + 2 * DAY) == []
    assert rows(world) == {}


def test_a_policy_shows_how_often_it_wants_one() -> None:
    wanted = policy_of(policy())
    assert wanted.channels["web"].publish.full_sync_every == DAY
    assert policy_of(document_of(wanted)) == wanted


def test_one_begins_in_its_time_and_tells_every_listing_in_order() -> None:
    world = stocked(policy())
    assert until_quiet(world, T0 + DAY - HOUR) == []
    assert until_quiet(world, T0 + DAY + HOUR) == P4_ALL
    assert until_quiet(world, T0 + 2 * DAY) == [], "the next one counts from the last"
    assert until_quiet(world, T0 + 2 * DAY + 2 * HOUR) == P4_ALL


def test_the_worker_asks_to_be_woken_for_it() -> None:
    world = stocked(policy())
    [began] = {row.began for row in rows(world).values()}
    assert world.state.next_wake() == began + DAY
    world.epoch(began + DAY)
    assert world.state.next_wake() == 0, "the marker is still to be written"
    world.epoch(began + DAY)
    assert world.state.next_wake() == began + 2 * DAY


def test_the_marker_follows_when_the_last_update_is_known_to_be_written(at: int) -> None:
    world = stocked(policy())
    assert told(world, world.epoch(at)) == P4_ALL
    assert all(row.under_way for row in rows(world).values())
    world.epoch(at + SECOND)
    found = rows(world)
    assert {(row.under_way, row.complete_since, row.completed_at) for row in found.values()} == {(False, at, at)}
    assert sum(row.listings for row in found.values()) == len(SKUS)
    assert world.state.fan_out.full_syncs.complete_since() == {"web": at}


def test_it_spends_only_what_the_others_leave_and_half_of_the_burst_at_most(at: int) -> None:
    world = stocked(policy(rate_per_s=1, burst=4))
    until_quiet(world, T0 + 60 * SECOND)
    world.deliver(balance(0, "SKU-8", as_of="2026-01-01T00:00:20Z"), now=at)
    assert told(world, world.log)[-2:] == [("P0", "SKU-8"), ("P4", "SKU-0")]
    stop = world.deliver(balance(0, "SKU-7", as_of="2026-01-01T00:00:20Z"), now=at)
    assert told(world, stop) == [("P0", "SKU-7")], "two tokens were left for it"


def test_it_goes_on_as_the_budget_allows_and_never_before_a_real_change(at: int) -> None:
    world = stocked(policy(rate_per_s=1, burst=1))
    until_quiet(world, T0 + 60 * SECOND)
    assert told(world, world.epoch(at)) == [("P4", "SKU-0")]
    urgent = world.deliver(balance(0, "SKU-5", as_of="2026-01-01T00:00:20Z"), now=at + SECOND)
    assert told(world, urgent) == [("P0", "SKU-5")]
    assert until_quiet(world, at + 2 * SECOND) == [each for each in P4_ALL[1:] if each[1] != "SKU-5"]


def test_a_successor_goes_on_with_what_was_not_told(at: int) -> None:
    world = stocked(policy(rate_per_s=1, burst=1))
    until_quiet(world, T0 + 60 * SECOND)
    before = until_quiet(world, at, epochs=4)
    assert before == P4_ALL[:4]
    successor = world.successor()
    after = until_quiet(successor, at + 5 * SECOND)
    assert set(after) - {("P2", "SKU-3")} == set(P4_ALL[4:]), "the last one told is in doubt and told anew"
    found = rows(successor)
    assert {row.complete_since for row in found.values()} == {at}, "it is the same full sync"


def test_a_successor_begins_the_next_when_the_former_worker_would_have(at: int) -> None:
    world = stocked(policy())
    until_quiet(world, at, epochs=3)
    world.end()
    successor = world.successor()
    assert until_quiet(successor, T0 + 2 * DAY) == []
    assert until_quiet(successor, T0 + 2 * DAY + 2 * HOUR) == P4_ALL


def test_a_kill_before_the_marker_is_written_loses_nothing_but_the_marker(at: int) -> None:
    world = stocked(policy())
    produced = world.epoch(at)
    lost = [record for record in produced if b"SKU-4" in (record.key or b"")]
    successor = world.successor(lost=lost)
    assert ("P4", "SKU-4") in until_quiet(successor, at + SECOND)
    assert {row.complete_since for row in rows(successor).values()} == {at}


def test_a_partition_that_leaves_in_the_middle_gets_no_marker_from_us(at: int) -> None:
    world = stocked(policy(rate_per_s=1, burst=1))
    until_quiet(world, T0 + 60 * SECOND)
    world.epoch(at)
    gone = partition_of_key(b"SKU-8", PARTITIONS)
    world.state.drop(gone)
    after = until_quiet(world, at + SECOND)
    assert {partition_of_key(sku.encode(), PARTITIONS) for _, sku in after}.isdisjoint({gone})
    found = rows(world)
    assert found.pop(gone).under_way
    assert {row.complete_since for row in found.values()} == {at}


def test_a_partition_that_comes_in_the_middle_is_told_in_the_next_pass(at: int) -> None:
    world = stocked(policy(rate_per_s=1, burst=1))
    until_quiet(world, T0 + 60 * SECOND)
    world.epoch(at)
    number = partition_of_key(b"SKU-8", PARTITIONS)
    logged = [
        (record.key, record.value)
        for record in world.log
        if record.topic == PUBLICATIONS_CHANGELOG.name and record.partition == number
    ]
    world.state.drop(number)
    world.epoch(at + SECOND)
    world._clock = at + SECOND
    world.state.recover("publications", number, logged)
    world.assign(2, 1)
    assert ("P4", "SKU-8") in until_quiet(world, at + 2 * SECOND)
    assert {row.complete_since for row in rows(world).values()} == {at}


def test_a_policy_that_wants_none_ends_the_one_under_way(at: int) -> None:
    world = stocked(policy(rate_per_s=1, burst=1))
    until_quiet(world, T0 + 60 * SECOND)
    world.epoch(at)
    world.state.adopt(policy_of(policy(every_s=0, rate_per_s=1, burst=1)))
    assert until_quiet(world, at + SECOND) == []


def asked_for(at: str, every_s: int = 0, **publish: Any) -> dict[str, Any]:
    return policy(every_s, full_sync_at=at, **publish)


AN_HOUR_LATER = "2026-01-02T01:00:00Z"
"""The fixture ``at``."""


def test_a_policy_shows_that_one_is_asked_for_and_says_the_same_without_it() -> None:
    wanted = policy_of(asked_for(AN_HOUR_LATER))
    assert wanted.channels["web"].publish.full_sync_at == T0 + DAY + HOUR
    again = policy_of(document_of(wanted))
    assert again.channels["web"].publish.full_sync_at == T0 + DAY + HOUR
    assert wanted == policy_of(policy(0)), "nothing is decided by it"


def test_one_that_is_asked_for_begins_then_once_and_is_marked(at: int) -> None:
    world = stocked(policy(0))
    world.state.adopt(policy_of(asked_for(AN_HOUR_LATER)))
    assert until_quiet(world, at - HOUR) == [], "it waits for its time"
    assert world.state.next_wake() == at
    assert until_quiet(world, at) == P4_ALL
    assert {(row.under_way, row.complete_since) for row in rows(world).values()} == {(False, at)}
    assert world.state.fan_out.full_syncs.complete_since() == {"web": at}
    assert until_quiet(world, at + 30 * DAY) == []
    assert world.state.next_wake() is None


def test_one_that_was_asked_for_before_anybody_knew_begins_at_once_even_if_there_never_was_one(at: int) -> None:
    world = stocked(policy(0))
    world.state.adopt(policy_of(asked_for("2026-01-01T12:00:00Z")))
    assert until_quiet(world, at) == P4_ALL


def test_asking_has_no_sku_assessed_and_no_listing_planned_anew(at: int) -> None:
    world = stocked(policy(0))
    world.state.adopt(policy_of({"version": 7, **asked_for(AN_HOUR_LATER)}))
    assert [partition.waiting for partition in world.state.partitions.values()] == [0] * PARTITIONS
    assert not world.state.fan_out._adoptions


def test_a_successor_goes_on_with_one_that_was_asked_for_and_begins_no_other(at: int) -> None:
    world = stocked(asked_for(AN_HOUR_LATER, rate_per_s=1, burst=1))
    until_quiet(world, T0 + 60 * SECOND)
    assert until_quiet(world, at, epochs=4) == P4_ALL[:4]
    successor = world.successor()
    after = until_quiet(successor, at + 5 * SECOND)
    assert set(after) - {("P2", "SKU-3")} == set(P4_ALL[4:]), "the last one told is in doubt and told anew"
    successor.end()
    assert until_quiet(successor.successor(3), at + DAY) == []


def test_asking_again_begins_anew_and_tells_the_rest_once(at: int) -> None:
    world = stocked(asked_for(AN_HOUR_LATER, rate_per_s=1, burst=1))
    until_quiet(world, T0 + 60 * SECOND)
    assert until_quiet(world, at, epochs=4) == P4_ALL[:4]
    world.state.adopt(policy_of(asked_for("2026-01-02T01:00:06Z", rate_per_s=1, burst=1)))
    assert until_quiet(world, at + 4 * SECOND, epochs=2) == P4_ALL[4:6]
    assert until_quiet(world, at + 6 * SECOND) == P4_ALL
    assert {row.complete_since for row in rows(world).values()} == {at + 6 * SECOND}


def test_the_worker_asks_to_be_woken_when_one_is_asked_for_while_another_waits_for_budget(at: int) -> None:
    world = stocked(asked_for(AN_HOUR_LATER, rate_per_s="0.001", burst=1))
    world.epoch(at)
    world.state.adopt(policy_of(asked_for("2026-01-02T01:00:06Z", rate_per_s="0.001", burst=1)))
    assert world.state.next_wake() == at + 6 * SECOND


def test_one_by_the_clock_counts_from_the_one_that_was_asked_for(at: int) -> None:
    world = stocked(asked_for("2026-01-01T12:00:00Z", 86_400))
    assert until_quiet(world, T0 + DAY // 2) == P4_ALL
    assert until_quiet(world, at) == []
    assert until_quiet(world, T0 + DAY + DAY // 2) == P4_ALL


def test_a_policy_that_asks_no_more_ends_the_one_under_way(at: int) -> None:
    world = stocked(asked_for(AN_HOUR_LATER, rate_per_s=1, burst=1))
    until_quiet(world, T0 + 60 * SECOND)
    world.epoch(at)
    world.state.adopt(policy_of(policy(0, rate_per_s=1, burst=1)))
    assert until_quiet(world, at + SECOND) == []


def test_a_clock_that_was_ahead_does_not_put_the_next_one_off() -> None:
    world = stocked(policy())
    until_quiet(world, T0 + 30 * DAY, epochs=3)
    assert until_quiet(world, T0 + HOUR, epochs=3) == []
    assert until_quiet(world, T0 + DAY + 2 * HOUR, epochs=3) == P4_ALL


def test_a_row_of_a_newer_version_is_refused() -> None:
    with pytest.raises(UnreadableRow, match="newer version"):
        full_sync_of(b'["full-sync.9"]')


def test_listings_that_are_no_skus_are_told_their_share_and_the_sku_is_not() -> None:
    world = World(policy())
    line = {"type": "listings", "channel": "web", "listing": "B0C2", "sku": "SKU-1", "pack_size": 5}
    produced = world.deliver({**line, "as_of": "2026-01-01T00:00:01Z"}, balance(10, "SKU-1"))
    while exchanged := [record for record in produced if record.topic == LISTING_EXCHANGE.name]:
        for record in exchanged:
            intake = world.state.partition(record.partition).intake
            intake.receive(record.topic, [Record(record.key, record.value)], 0, T0)
        produced = world.epoch()
    until_quiet(world, T0 + SECOND)
    due = world.epoch(T0 + DAY + HOUR)
    updates = world.told(due, "channel-updates.web")
    assert ("P4", "B0C2", 2) in [(each["priority"], each["listing"], each["quantity"]) for each in updates]
    assert {each["quantity"] for each in updates if each["listing"] == "SKU-1"} <= {0}


def test_there_is_no_marker_while_a_row_claims_what_was_perhaps_never_told(at: int) -> None:
    world = stocked(policy(rate_per_s=1, burst=1))
    until_quiet(world, T0 + 60 * SECOND)
    for second in range(len(SKUS)):
        produced = world.epoch(at + second * SECOND)
    assert told(world, produced) == [("P4", "SKU-8")]
    world.state.adopt(policy_of(policy(rate_per_s=0)))
    successor = world.successor(lost=[record for record in produced if record.topic == "channel-updates.web"])
    assert until_quiet(successor, at + 20 * SECOND, epochs=5) == []
    assert all(row.under_way for row in rows(successor).values()), "its row says 10 was told, its update is lost"
    successor.state.adopt(policy_of(policy(rate_per_s=1, burst=1)))
    assert until_quiet(successor, at + 60 * SECOND) == [("P2", "SKU-8")]
    assert {row.complete_since for row in rows(successor).values()} == {at}
