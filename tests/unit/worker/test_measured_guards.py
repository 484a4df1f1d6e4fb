"""The measured guard in a worker: from orders and acknowledgements to what a channel is told."""

from __future__ import annotations

from typing import Any

from domain.facts import SECOND, Micros
from tests.worlds import T0, World, balance, release

HOUR = 3600 * SECOND
POLICY: dict[str, Any] = {
    "channels": {
        "amazon": {"mode": "SHARED", "service_level": 0.95},
        "web": {"mode": "SHARED"},
    }
}
SOLD = [
    release(1, order_id=f"O{number}", channel="amazon", occurred_at=f"2025-12-31T23:{number}:00Z")
    for number in range(10, 16)
]
"""Six units within the last hour."""


def quantities(world: World, produced: list[Any], channel: str = "amazon") -> list[int]:
    return [update["quantity"] for update in world.told(produced, f"channel-updates.{channel}")]


def answer(update: dict[str, Any], latency_s: int, outcome: str = "ACCEPTED", **more: Any) -> dict[str, Any]:
    line = {name: update[name] for name in ("channel", "listing", "publish_seq", "quantity")}
    line |= {"type": "channel-acks", "event_id": "k", "outcome": outcome, "latency_ms": latency_s * 1000}
    return {**line, "occurred_at": "2026-01-01T00:00:00Z", **more}


def newest(world: World, channel: str = "amazon") -> dict[str, Any]:
    return world.told(world.log, f"channel-updates.{channel}")[-1]


def selling(latency_s: int, now: Micros = T0) -> World:
    """50 units, 6 of them sold on amazon within the hour, and its first answer took that long."""
    world = World(POLICY)
    world.deliver(balance(50, as_of="2025-12-31T23:00:00Z"), *SOLD, now=now)
    world.deliver(answer(newest(world), latency_s), now=now + SECOND)
    world.epoch(now + SECOND)
    return world


def test_before_the_first_answer_an_answer_may_take_as_long_as_it_may() -> None:
    world = World(POLICY)
    produced = world.deliver(balance(50, as_of="2025-12-31T23:00:00Z"), *SOLD)

    # 6 an hour, 60 s rounded up: P(Poisson(0.11) = 0) = 0.90
    assert quantities(world, produced) == [50 - 6 - 1]
    assert quantities(world, produced, "web") == [50 - 6]


def test_a_slow_channel_is_told_less_without_any_event() -> None:
    world = selling(latency_s=600)

    assert newest(world)["quantity"] == 50 - 6 - 3
    assert newest(world, "web")["quantity"] == 50 - 6


def test_a_fast_channel_is_told_everything() -> None:
    assert newest(selling(latency_s=1))["quantity"] == 50 - 6


def test_the_guard_shrinks_when_the_channel_recovers_and_when_sales_are_over() -> None:
    world = selling(latency_s=600)
    later = T0 + 1800 * SECOND
    world.deliver(answer(newest(world), 1), now=later)
    world.epoch(later)
    assert newest(world)["quantity"] == 50 - 6

    slow = selling(latency_s=600)
    slow.deliver(answer(newest(slow), 600), now=T0 + 2 * SECOND)
    assert slow.state.next_wake() is not None
    slow.epoch(T0 + 25 * HOUR)
    slow.epoch(T0 + 25 * HOUR)
    assert newest(slow)["quantity"] == 50 - 6


def test_a_silent_channel_is_told_less_and_less() -> None:
    world = World(POLICY)
    world.deliver(balance(50, as_of="2025-12-31T23:00:00Z"), *SOLD)
    told = []
    for minutes in (1, 4, 9):
        world.epoch(T0 + minutes * 60 * SECOND)
        world.epoch(T0 + minutes * 60 * SECOND + 1)
        told.append(newest(world)["quantity"])

    assert told == sorted(told, reverse=True)
    assert told[-1] < told[0] < 50 - 6


def test_a_successor_measures_the_same_sales() -> None:
    world = selling(latency_s=600)
    world.end()
    successor = world.successor()
    successor.deliver(balance(49, as_of="2025-12-31T23:00:01Z"), now=T0 + 3 * SECOND)

    assert newest(successor)["quantity"] == 49 - 6 - 1  # its latency is not known to the successor yet


def test_the_number_told_says_what_the_guard_was() -> None:
    world = selling(latency_s=600)
    record = world.told(world.log, "ats-changed")[-1]

    assert record["channels"] == {"amazon": 41, "web": 44}


def test_a_listing_that_is_refused_again_and_again_is_a_finding_of_its_sku() -> None:
    world = World(POLICY)
    world.deliver(balance(5))
    now = T0
    for _ in range(4):
        world.deliver(answer(newest(world), 1, "REJECTED", reason="not active"), now=now)
        now += 301 * SECOND
        world.epoch(now)
    findings = world.told(world.log, "inventory-findings")
    refused, silent = (each for each in findings if each["code"] == "LISTING_NOT_TAKEN")

    assert (refused["sku"], refused["refs"]) == ("SKU-1", ["amazon", "SKU-1"])
    assert refused["owner"] == "channel-integration"
    assert "not active; told 5, took nothing yet, 0 units" in refused["note"]
    assert (silent["refs"], "no answer" in silent["note"]) == (["web", "SKU-1"], True)


def test_exposure_is_what_the_channel_took_and_should_show_no_more() -> None:
    world = World(POLICY)
    world.deliver(balance(5))
    world.deliver(answer(newest(world), 1), now=T0 + SECOND)
    world.deliver(balance(2, as_of="2026-01-01T00:00:20Z"), now=T0 + 2 * SECOND)
    totals = world.state.fan_out.watches["amazon"].exposure.totals()

    assert (totals.listings, totals.units, totals.since) == (1, 3, T0 + 2 * SECOND)
