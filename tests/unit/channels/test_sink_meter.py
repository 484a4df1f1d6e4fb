"""What a sink's meter tells, with the real delivery behind it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from prometheus_client.metrics_core import Metric as Family

from connectors.channels.backlog import Waiting
from connectors.channels.base import Outcome
from connectors.channels.delivery import Delivery
from connectors.channels.doubts import Doubts
from connectors.channels.read_back import ReadBack
from connectors.channels.reading import Shown, Unread
from streams.sink.meter import MeteredSink, SinkMeter
from tests.conformance.rig import CHANNEL, NOW, Clock, Journal, Lifetime, update
from tests.unit.channels.test_delivery import Scripted


class Parts:
    """Runner and feed as the meter sees them."""

    fetching_since: float | None = None
    confirmed_at = float("-inf")


class NoReads:
    """A channel that is not asked."""

    most_read = 1

    async def shown(self, listings: Sequence[str]) -> Shown | Unread:
        raise AssertionError(listings)


class Bench:
    """A meter that follows a sink; the clock is the test's."""

    def __init__(self, *answers: Outcome, retry_after_s: float | None = None) -> None:
        self.clock = Clock(now_s=0.0)
        self.meter = SinkMeter(CHANNEL, stuck_after_s=60, monotonic=self.clock.monotonic)
        sink = MeteredSink(Scripted(*answers, retry_after_s=retry_after_s), self.meter.call_times)
        self.life = Lifetime(sink, Journal(), self.clock)
        self.delivery: Delivery = self.life.delivery
        self.delivery.acknowledge = self.meter.metered(self.delivery.acknowledge)
        self.parts = Parts()
        self.meter.follow(self.delivery, self.parts, self.parts)

    def told(self) -> dict[str, dict[str, float]]:
        """Values by series and outcome."""
        found: dict[str, dict[str, float]] = {}
        families: list[Family] = self.meter.collect()
        for family in families:
            for sample in family.samples:
                found.setdefault(sample.name, {})[sample.labels.get("outcome", "")] = sample.value
        return found


async def test_every_update_is_told_by_what_became_of_it() -> None:
    bench = Bench(Outcome.ACCEPTED)
    bench.life.arrive(update("L-1", 1), update("L-2", 1), update("L-1", 2))
    await bench.life.deliver()
    told = bench.told()
    assert told["atstream_sink_updates_total"]["accepted"] == 2
    assert told["atstream_sink_calls_total"] == {"answered": 1, "failed": 0, "throttled": 0}
    assert told["atstream_sink_call_seconds_count"][""] == 1
    assert told["atstream_sink_backlog"][""] == 0
    assert told["atstream_sink_listings_known"][""] == 2


async def test_a_failed_call_shows_until_the_channel_answers_again() -> None:
    bench = Bench(Outcome.RETRY)
    bench.life.arrive(update("L-1", 1))
    await bench.delivery.attempt()
    told = bench.told()
    assert told["atstream_sink_calls_total"] == {"answered": 0, "failed": 1, "throttled": 0}
    assert told["atstream_sink_consecutive_failures"][""] == 1
    assert told["atstream_sink_backlog"][""] == 1
    bench.clock.advance(2)
    await bench.life.deliver()
    told = bench.told()
    assert told["atstream_sink_consecutive_failures"][""] == 0
    assert told["atstream_sink_resting"][""] == 0
    assert told["atstream_sink_updates_total"]["accepted"] == 1


async def test_a_channel_that_asks_for_time_shows_as_throttled_and_resting() -> None:
    bench = Bench(Outcome.RETRY, retry_after_s=30.0)
    bench.life.arrive(update("L-1", 1))
    await bench.delivery.attempt()
    told = bench.told()
    assert told["atstream_sink_calls_total"] == {"answered": 0, "failed": 0, "throttled": 1}
    assert told["atstream_sink_resting"][""] == 1
    assert told["atstream_sink_wait_seconds"][""] >= 30


async def test_the_latency_of_accepted_updates_counts_and_of_no_others() -> None:
    bench = Bench(Outcome.REJECTED, Outcome.ACCEPTED)
    bench.life.arrive(update("L-1", 1, planned_at=NOW))
    await bench.life.deliver()
    bench.life.arrive(update("L-2", 1, planned_at=NOW))
    bench.clock.advance(2.5)
    await bench.life.deliver()
    told = bench.told()
    assert told["atstream_sink_latency_seconds_count"][""] == 1
    assert told["atstream_sink_latency_seconds_sum"][""] == pytest.approx(2.5)


def test_a_sink_is_ready_once_the_group_has_assigned_its_partitions() -> None:
    bench = Bench()
    assert bench.meter.unreadiness() == "partitions are being assigned"
    assert bench.told()["atstream_ready"][""] == 0
    assert bench.told()["atstream_sink_membership_age_seconds"][""] == float("inf")
    bench.parts.confirmed_at = bench.clock.monotonic()
    assert bench.meter.unreadiness() is None
    assert bench.told()["atstream_ready"][""] == 1


def test_a_consumer_that_does_not_come_back_makes_a_sink_ill() -> None:
    bench = Bench()
    assert bench.meter.ailment() is None
    bench.parts.fetching_since = bench.clock.monotonic()
    bench.clock.advance(59)
    assert bench.meter.ailment() is None
    bench.clock.advance(2)
    assert "has not come back" in (bench.meter.ailment() or "")


def test_before_the_parts_are_there_the_process_is_told_of() -> None:
    meter = SinkMeter(CHANNEL, stuck_after_s=60)
    assert "atstream_build_info" in {family.name for family in meter.collect()}
    assert meter.unreadiness() is not None
    assert meter.ailment() is None


async def test_what_reading_back_came_to_is_told_and_how_many_are_in_doubt() -> None:
    bench = Bench()
    assert set(bench.told()["atstream_sink_read_back_total"].values()) == {0}
    back = ReadBack(
        NoReads(), Doubts(20.0, 3), bench.delivery.backlog, bench.delivery.latest, Journal().write_down
    )
    back.tallies.overtaken = 2
    back.doubts.unanswered(Waiting(0, 0, update("L-1"), "P2", NOW), 0.0)
    bench.delivery.read_back = back
    told = bench.told()
    assert told["atstream_sink_read_back_total"] == {
        "as_told": 0,
        "overtaken": 2,
        "less": 0,
        "failed": 0,
        "given_up": 0,
    }
    assert told["atstream_sink_in_doubt"][""] == 1
