"""When a full sync is due, what it still owes, and ids in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.full_sync import NEVER, SORTED_PER_STEP, FullSync, InOrder, Schedule, joined, owed
from domain.listings import Listing
from tables.full_syncs import full_sync_channel, full_sync_key, full_sync_of, full_sync_value

ROWS = st.builds(
    FullSync,
    st.integers(0, 3),
    st.integers(0, 3),
    st.booleans(),
    st.none() | st.integers(0, 3),
    st.none() | st.integers(0, 3),
    st.integers(0, 2),
)


def in_order(ids: list[str]) -> InOrder:
    found = InOrder(ids)
    while not found.are_sorted:
        found.sort_some()
    return found


def test_one_is_due_so_long_after_the_last_began_and_one_under_way_always() -> None:
    assert Schedule(60).due_at(FullSync(10, 1)) == 70
    assert Schedule(60).due_at(FullSync(10, 1, under_way=True)) == 10
    assert NEVER.due_at(FullSync(10, 1)) is None


def test_one_that_was_asked_for_is_due_then_unless_one_began_since() -> None:
    assert Schedule(asked_at=50).due_at(FullSync(10, 1)) == 50
    assert Schedule(asked_at=50).due_at(FullSync(50, 1)) is None
    assert Schedule(60, asked_at=50).due_at(FullSync(10, 1)) == 50
    assert Schedule(60, asked_at=90).due_at(FullSync(10, 1)) == 70
    assert Schedule(60, asked_at=10).due_at(FullSync(10, 1)) == 70


def test_a_channel_seen_for_the_first_time_counts_from_then_or_has_one_that_was_asked_for() -> None:
    assert Schedule(60).step(None, 10, lambda: 7) == FullSync(10, 7)
    assert Schedule(60, asked_at=10).step(None, 10, lambda: 7) == FullSync(10, 7, under_way=True)
    assert Schedule(asked_at=11).step(None, 10, lambda: 7) is None
    assert Schedule(asked_at=11).due_at(None) == 11


def test_one_under_way_begins_anew_when_another_one_was_asked_for_since() -> None:
    under_way = FullSync(10, 1, under_way=True)
    assert Schedule(asked_at=50).step(under_way, 49, lambda: 7) == under_way
    assert Schedule(asked_at=50).step(under_way, 50, lambda: 7) == FullSync(50, 7, under_way=True)
    assert Schedule(asked_at=10).step(under_way, 50, lambda: 7) == under_way


@given(ROWS, st.integers(0, 4), st.none() | st.integers(0, 4), st.integers(3, 9))
def test_what_was_asked_for_begins_once_and_not_before(
    row: FullSync, every: int, at: int | None, now: int
) -> None:
    schedule = Schedule(every, at)
    after = schedule.step(row, now, lambda: 9)
    if at is not None and row.began < at <= now:
        assert after is not None
        assert (after.began, after.began_seq, after.under_way) == (now, 9, True)
        assert schedule.asks_again_at(after) is None
    elif not every:
        assert after == (row if row.under_way else None)


def test_a_complete_one_says_since_when_everything_was_told() -> None:
    complete = FullSync(10, 1, under_way=True).complete(40, 3)
    assert complete == FullSync(10, 1, False, complete_since=10, completed_at=40, listings=3)
    assert complete.begin(70, 2).complete_since == 10, "the last marker holds while the next one is under way"


def test_a_clock_that_was_ahead_does_not_put_the_next_one_off() -> None:
    assert Schedule(60).due_at(FullSync(1_000, 1).not_after(50)) == 110


def test_a_complete_row_wins_over_the_row_of_its_beginning() -> None:
    begun = FullSync(10, 1, under_way=True)
    assert joined(begun, begun.complete(20, 1)) == joined(begun.complete(20, 1), begun) == begun.complete(20, 1)


@given(ROWS, ROWS, ROWS)
def test_rows_join_in_any_order_and_any_number(one: FullSync, two: FullSync, three: FullSync) -> None:
    assert joined(one, two) == joined(two, one)
    assert joined(joined(one, two), three) == joined(one, joined(two, three))
    assert joined(one, one) == one


def test_what_was_told_since_is_not_owed() -> None:
    assert owed(Listing(5, last_sent_at=10, publish_seq=11, desired=5), 11) == 5
    assert owed(Listing(5, last_sent_at=10, publish_seq=12, desired=5), 11) is None
    assert owed(Listing(), 11) is None


def test_ids_come_in_order_from_more_than_one_step() -> None:
    ids = [f"{number * 7919 % 9973:05d}" for number in range(2 * SORTED_PER_STEP + 5)]
    found = InOrder(ids)
    steps = 0
    while not found.are_sorted:
        found.sort_some()
        steps += 1
    assert steps == 3
    assert found.remaining == len(ids)
    assert next(found) == min(ids)
    assert [min(ids), *found] == sorted(ids)
    assert found.remaining == 0


def test_no_ids_are_in_order() -> None:
    assert list(in_order([])) == []


@given(ROWS)
def test_a_row_reads_as_it_was_written(row: FullSync) -> None:
    assert full_sync_of(full_sync_value(row)) == row
    assert full_sync_channel(full_sync_key("web")) == "web"
