"""Revisions of a listing in a day: the cap, the reserve of stop-sells, and counts that merge."""

from __future__ import annotations

from random import Random

import pytest

from domain.facts import SECOND
from domain.limits_listing import DAY, DailyRevisions


def cap(revisions: int, kept: int, now: int = 3 * DAY, **more: int) -> DailyRevisions:
    made = DailyRevisions(revisions, kept, **more)
    made.turn(now)
    return made


def revise(counts: DailyRevisions, listing: str) -> None:
    counts.reserve(listing)
    counts.used(listing)


def test_the_last_revisions_of_a_day_are_for_stop_sells() -> None:
    counts = cap(250, 50)
    for _ in range(200):
        assert counts.allows("L", stop_sell=False)
        revise(counts, "L")
    assert not counts.allows("L", stop_sell=False)
    assert counts.allows("other", stop_sell=False)
    for _ in range(50):
        assert counts.allows("L", stop_sell=True)
        revise(counts, "L")
    assert not counts.allows("L", stop_sell=True)


def test_a_new_day_begins_when_the_channel_says_and_not_when_the_clock_is_set_back() -> None:
    counts = cap(2, 1, 5 * DAY, day_starts=8 * 3_600 * SECOND)
    revise(counts, "L")
    assert counts.ends() == 5 * DAY + 8 * 3_600 * SECOND
    counts.turn(counts.ends() - 1)
    assert not counts.allows("L", stop_sell=False)
    counts.turn(counts.ends())
    assert counts.allows("L", stop_sell=False)
    revise(counts, "L")
    counts.turn(4 * DAY)
    assert not counts.allows("L", stop_sell=False)
    assert counts.listings == ["L"]


def test_listings_beyond_memory_are_left_to_stop_sells() -> None:
    counts = cap(3, 1, max_listings=1)
    revise(counts, "A")
    assert not counts.allows("B", stop_sell=False)
    assert counts.allows("B", stop_sell=True)
    counts.reserve("B")
    counts.heard("C", {"other": 2})
    assert counts.listings == ["A"]
    assert not counts.is_reserved("B")
    assert counts.counts("C") == {}


def test_keeping_all_for_stop_sells_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="kept for stop-sells"):
        DailyRevisions(5, 5)


def test_a_reserved_revision_that_was_not_used_is_the_next_one() -> None:
    counts = cap(2, 0)
    for _ in range(5):
        assert counts.target("L") == 1
        counts.reserve("L")
    counts.used("L")
    assert counts.target("L") == 2
    counts.reserve("L")
    assert counts.allows("L", stop_sell=False)
    counts.used("L")
    assert not counts.allows("L", stop_sell=True)


def test_a_revision_reserved_for_a_stop_sell_is_used_for_nothing_else() -> None:
    counts = cap(3, 2)
    revise(counts, "L")
    counts.reserve("L")
    assert counts.allows("L", stop_sell=True)
    assert not counts.allows("L", stop_sell=False)


def test_what_others_made_counts_and_what_we_are_told_of_ourselves_does_not() -> None:
    counts = cap(5, 0)
    revise(counts, "L")
    counts.heard("L", {"other": 2, "third": 1, "own": 4, "none": 0})
    assert counts.counts("L") == {"own": 1, "other": 2, "third": 1}
    assert counts.allows("L", stop_sell=False)
    revise(counts, "L")
    assert not counts.allows("L", stop_sell=False)


def test_merging_is_the_same_in_every_order_and_however_often() -> None:
    told = [{"a": 3}, {"a": 1, "b": 2}, {"b": 1, "c": 7}, {"c": 6, "a": 3}]
    for seed in range(20):
        random, counts = Random(seed), cap(250, 50)
        for one in random.sample(told, len(told)) + random.choices(told, k=3):
            counts.heard("L", one)
        assert counts.counts("L") == {"a": 3, "b": 2, "c": 7}
        assert counts.listings == ["L"]
