"""What a worker does when the wall clock is set forward and back again: it goes on, and corrects what it told."""

from __future__ import annotations

from typing import Any

from domain.facts import SECOND
from tests.worlds import T0, World, balance, reservation

MINUTE = 60 * SECOND
AHEAD = 10 * MINUTE
POLICY: dict[str, Any] = {
    "channels": {
        "web": {
            "mode": "SHARED",
            "publish": {"rate_per_s": 1, "burst": 1, "rise_debounce_s": 1, "heartbeat_s": 60, "resend_after_s": 0},
        }
    }
}


def told(world: World, produced: list[Any]) -> list[int]:
    return [update["quantity"] for update in world.told(produced, "channel-updates.web")]


def stepped() -> World:
    """A worker that told 10, saw a clock that was ten minutes ahead, and sees the right one again."""
    world = World(POLICY)
    assert told(world, world.deliver(balance(10))) == [10]
    world.epoch(T0 + AHEAD)
    return world


def test_a_rise_waits_for_its_debounce_and_not_for_the_clock_that_was_ahead() -> None:
    world = stepped()
    world.deliver(balance(15, as_of="2026-01-01T00:00:11Z"), now=T0 + 10 * SECOND)
    assert told(world, world.epoch(T0 + 12 * SECOND)) == [15]


def test_a_rise_that_was_planned_by_the_clock_that_was_ahead_is_told_too() -> None:
    world = World(POLICY)
    world.deliver(balance(10))
    world.deliver(balance(15, as_of="2026-01-01T00:00:11Z"), now=T0 + AHEAD)
    assert told(world, world.epoch(T0 + 10 * SECOND)) == []
    assert told(world, world.epoch(T0 + 12 * SECOND)) == [15]


def test_the_budget_fills_again_from_the_time_that_is_right() -> None:
    world = World(POLICY)
    world.deliver(balance(10), balance(20, sku="SKU-2"))
    assert sorted(told(world, world.epoch(T0 + AHEAD))) in ([10], [20])
    world.deliver(balance(0, as_of="2026-01-01T00:00:11Z"), now=T0 + 2 * SECOND)
    assert told(world, world.epoch(T0 + 4 * SECOND)) == [0]


def test_a_reservation_that_had_not_run_out_holds_its_units_again() -> None:
    world = World(POLICY)
    world.deliver(balance(10), reservation(3, "2026-01-01T00:05:00Z"))
    assert [one["channels"] for one in world.told(world.epoch(T0 + AHEAD), "ats-changed")] == [{"web": 10}]
    produced = world.epoch(T0 + 10 * SECOND) + world.epoch(T0 + 11 * SECOND)
    assert [one["channels"] for one in world.told(produced, "ats-changed")] == [{"web": 7}]
    world.epoch(T0 + 12 * SECOND)
    later = world.told(world.epoch(T0 + 6 * MINUTE), "ats-changed")
    assert [one["channels"] for one in later] == [{"web": 10}]


def test_a_row_of_an_owner_whose_clock_was_ahead_delays_nothing() -> None:
    world = World(POLICY)
    world.deliver(balance(10), now=T0 + AHEAD)
    world.deliver(balance(15, as_of="2026-01-01T00:00:11Z"), now=T0 + AHEAD)
    successor = world.successor()
    assert told(successor, successor.epoch(T0) + successor.epoch(T0 + 2 * SECOND)) == [15]
