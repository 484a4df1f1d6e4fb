"""The acceptance benchmark's arithmetic, and the channel that it measures at."""

from __future__ import annotations

import random

import aiohttp
import pytest

from benchmarks.acceptance_channel import Channel
from benchmarks.acceptance_events import arrivals
from benchmarks.acceptance_figures import (
    Accepted,
    Produced,
    latencies,
    most_at_once,
    quantile,
    stale,
    waiting_at,
)
from benchmarks.comparison.cluster import BenchmarkFailed


def test_the_latency_of_an_event_ends_with_the_first_acceptance_that_contains_it() -> None:
    produced = [Produced(1.0, "A", 9), Produced(1.5, "B", 4), Produced(2.0, "A", 7), Produced(3.0, "A", 5)]
    accepted = [Accepted(1.25, "A", 9), Accepted(3.5, "A", 5), Accepted(3.75, "B", 4)]
    assert latencies(produced, accepted) == [0.25, 0.5, 1.5, 2.25]


def test_events_of_the_warm_up_are_not_measured_but_must_be_accepted() -> None:
    produced = [Produced(1.0, "A", 9, measured=False), Produced(2.0, "A", 7)]
    assert latencies(produced, [Accepted(4.0, "A", 7)]) == [2.0]
    with pytest.raises(BenchmarkFailed, match="2 of 2 events"):
        latencies(produced, [Accepted(4.0, "A", 10), Accepted(4.0, "B", 1)])


def test_a_quantile_is_taken_by_nearest_rank() -> None:
    values = [float(number) for number in range(1, 1_001)]
    assert [quantile(values, share) for share in (0.5, 0.99, 0.999, 1.0)] == [500, 990, 999, 1_000]
    assert quantile([3.0], 0.001) == 3.0


def test_an_old_value_over_a_newer_one_is_counted() -> None:
    accepted = [Accepted(1, "A", 9), Accepted(2, "A", 7), Accepted(3, "B", 8), Accepted(4, "A", 7)]
    assert stale(accepted) == 0
    assert stale([*accepted, Accepted(5, "A", 9), Accepted(6, "A", 8), Accepted(7, "A", 6)]) == 2


def test_a_listing_waits_until_its_newest_quantity_is_accepted() -> None:
    produced = [Produced(1, "A", 9), Produced(2, "B", 9), Produced(3, "A", 5)]
    accepted = [Accepted(4, "A", 9), Accepted(5, "B", 9), Accepted(6, "A", 5)]
    assert waiting_at(produced, accepted, [0, 1.5, 3.5, 4.5, 5.5, 6.5]) == [0, 1, 2, 2, 1, 0]


def test_the_burst_of_calls_is_what_their_rate_does_not_explain() -> None:
    assert most_at_once([0.0, 0.1, 0.2, 0.3], rate_per_s=10) == pytest.approx(1)
    assert most_at_once([0.0, 0.0, 0.0, 5.0, 5.0], rate_per_s=10) == pytest.approx(3)
    assert most_at_once([0.0, 0.1, 0.2, 0.3], rate_per_s=5) == pytest.approx(2.5)


def test_arrivals_come_at_the_rate() -> None:
    moments = arrivals(random.Random(1), 50.0, 5_000)
    assert moments == sorted(moments)
    assert moments[-1] == pytest.approx(100, rel=0.1)


async def test_the_channel_remembers_what_it_accepted_and_how_often_it_was_called() -> None:
    with Channel("webhook", 10.0, 1) as channel:
        updates = [{"listing": "A", "quantity": 3}, {"listing": "B", "quantity": 0}]
        async with aiohttp.ClientSession() as session:
            for status, body in ((200, {"updates": updates}), (500, {})):
                async with session.post(channel.url, json=body) as answer:
                    assert answer.status == status
    assert [(one.listing, one.quantity) for one in channel.accepted] == [("A", 3), ("B", 0)]
    assert channel.calls[0] <= channel.accepted[0].at
    assert len(channel.calls) == 2
