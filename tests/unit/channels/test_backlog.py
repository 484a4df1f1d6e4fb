from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from connectors.channels.backlog import Arrival, Backlog, Waiting
from tests.conformance.rig import NOW, update


def backlog(*partitions: int) -> Backlog:
    kept = Backlog()
    for partition in partitions or (0,):
        kept.own(partition)
        kept.open(partition)
    return kept


def names(taken: list[Waiting]) -> list[str]:
    return [one.update.listing for one in taken]


def test_the_most_urgent_go_first_then_the_oldest_then_by_listing() -> None:
    kept = backlog()
    kept.add(0, 0, update("d", priority="P2", planned_at=NOW))
    kept.add(0, 1, update("c", priority="P1", planned_at=NOW + 1))
    kept.add(0, 2, update("b", priority="P1", planned_at=NOW))
    kept.add(0, 3, update("a", priority="P1", planned_at=NOW))
    kept.add(0, 4, update("e", priority="P0", planned_at=NOW + 9))
    assert names(kept.take(10)) == ["e", "a", "b", "c", "d"]


def test_a_newer_value_replaces_a_waiting_one_and_frees_its_offset() -> None:
    kept = backlog()
    assert kept.add(0, 0, update(publish_seq=1)) is Arrival.QUEUED
    assert kept.add(0, 1, update(publish_seq=2)) is Arrival.REPLACED
    assert kept.committable(0) == 1
    assert [one.update.publish_seq for one in kept.take(10)] == [2]


def test_an_older_or_equal_value_is_outdated() -> None:
    kept = backlog()
    kept.add(0, 0, update(publish_seq=2))
    assert kept.add(0, 1, update(publish_seq=1)) is Arrival.OUTDATED
    assert kept.add(0, 2, update(publish_seq=2)) is Arrival.OUTDATED
    kept.take(1)
    assert kept.add(0, 3, update(publish_seq=2)) is Arrival.OUTDATED
    assert len(kept) == 0


def test_a_small_change_does_not_demote_the_stop_sell_it_replaces() -> None:
    kept = backlog()
    kept.add(0, 0, update("stop", 1, 0, priority="P0", planned_at=NOW))
    kept.add(0, 1, update("other", 1, 5, priority="P1", planned_at=NOW - 5))
    kept.add(0, 2, update("stop", 2, 1, priority="P3", planned_at=NOW + 5))
    assert names(kept.take(1)) == ["stop"]


def test_a_listing_in_flight_is_not_taken_again_until_it_is_answered() -> None:
    kept = backlog()
    kept.add(0, 0, update(publish_seq=1))
    (flying,) = kept.take(1)
    kept.add(0, 1, update(publish_seq=2))
    assert kept.take(1) == []
    kept.settle(flying)
    assert [one.update.publish_seq for one in kept.take(1)] == [2]


def test_a_value_given_back_waits_again() -> None:
    kept = backlog()
    kept.add(0, 0, update(publish_seq=1))
    (flying,) = kept.take(1)
    kept.give_back(flying)
    assert kept.take(1) == [flying]


def test_a_value_given_back_makes_room_for_a_newer_one() -> None:
    kept = backlog()
    kept.add(0, 0, update(publish_seq=1, priority="P0"))
    (flying,) = kept.take(1)
    kept.add(0, 1, update(publish_seq=2, priority="P3"))
    kept.give_back(flying)
    (newer,) = kept.take(10)
    assert (newer.update.publish_seq, newer.urgency) == (2, "P0")
    assert kept.committable(0) == 1


def test_nothing_before_an_unsettled_update_may_be_committed() -> None:
    kept = backlog()
    assert kept.committable(0) is None
    for offset in range(3):
        kept.add(0, 10 + offset, update(f"L-{offset}"))
    first, second, third = kept.take(3)
    kept.settle(second)
    kept.settle(third)
    assert kept.committable(0) == 10
    kept.settle(first)
    assert kept.committable(0) == 13
    kept.passed(0, 20)
    assert kept.committable(0) == 21


def test_a_partition_gives_nothing_before_it_is_opened() -> None:
    kept = Backlog()
    kept.own(0)
    kept.add(0, 0, update())
    assert kept.take(1) == []
    kept.open(0)
    assert len(kept.take(1)) == 1


def test_a_partition_that_comes_back_gives_nothing_before_it_is_opened_again() -> None:
    kept = backlog(0)
    kept.add(0, 0, update())
    kept.own(0)
    kept.add(0, 0, update())
    assert kept.take(1) == []


def test_what_was_in_flight_for_a_partition_that_moved_settles_nothing() -> None:
    kept = backlog(0, 1)
    kept.add(0, 0, update())
    (flying,) = kept.take(1)
    kept.own(0)
    kept.open(0)
    kept.add(0, 0, update())
    kept.settle(flying)
    assert kept.committable(0) == 0
    assert len(kept.take(1)) == 1
    kept.disown(0)
    kept.give_back(flying)
    assert kept.partitions == {1}
    assert len(kept) == 0


def test_the_queue_follows_the_listings_and_not_the_updates() -> None:
    kept = backlog()
    for offset in range(20_000):
        kept.add(0, offset, update("L-1", offset + 1))
    assert len(kept) == 1
    assert kept.queued < 2_000
    assert [one.update.publish_seq for one in kept.take(10)] == [20_000]


def test_what_is_counted_is_what_can_be_taken() -> None:
    waiting = backlog(0, 1)
    waiting.own(2)
    for partition in range(3):
        for at, priority in enumerate(("P0", "P1", "P2", "P3", "P3")):
            waiting.add(partition, at, update(f"{partition}-{at}", 1, priority=priority))
    waiting.add(0, 9, update("0-0", 2, priority="P4"))  # inherits P0
    (flying,) = waiting.take(1, least="P3")
    waiting.add(0, 10, update(flying.update.listing, 2, priority="P3"))
    (aside,) = waiting.take(1, least="P3")
    waiting.set_aside(aside)
    counted = {least: waiting.count(least=least) for least in ("P0", "P2", "P3", "P4")}
    assert counted == {"P0": 8, "P2": 4, "P3": 2, "P4": 0}
    assert len(waiting.take(100, least="P2")) == counted["P2"]


def test_what_is_set_aside_goes_last_until_it_is_reconsidered() -> None:
    kept = backlog()
    kept.add(0, 0, update("stop", 1, 0, priority="P0"))
    kept.add(0, 1, update("small", 1, 5, priority="P3"))
    (failed,) = kept.take(1)
    kept.set_aside(failed)
    assert names(kept.take(1)) == ["small"]
    kept.add(0, 2, update("other", 1, 5, priority="P3"))
    kept.reconsider()
    assert names(kept.take(3)) == ["stop", "other"]


class BacklogAgainstAModel(RuleBasedStateMachine):
    """Whatever happens, the newest value of each listing is neither lost nor taken twice."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = backlog()
        self.offset = 0
        self.flying: list[Waiting] = []
        self.newest: dict[str, int] = {}
        self.settled: dict[str, int] = {}
        self.where: dict[tuple[str, int], int] = {}

    @rule(listing=st.sampled_from("abc"), publish_seq=st.integers(1, 30), priority=st.sampled_from(["P0", "P3"]))
    def arrives(self, listing: str, publish_seq: int, priority: str) -> None:
        if publish_seq > self.settled.get(listing, 0):
            self.kept.add(0, self.offset, update(listing, publish_seq, priority=priority))
            if publish_seq > self.newest.get(listing, 0):
                self.newest[listing] = publish_seq
                self.where[listing, publish_seq] = self.offset
        else:
            self.kept.passed(0, self.offset)
        self.offset += 1

    @rule(count=st.integers(1, 3))
    def taken(self, count: int) -> None:
        flying = {one.update.listing for one in self.flying}
        taken = self.kept.take(count)
        assert not flying & set(names(taken))
        self.flying += taken

    @rule(data=st.data())
    def answered(self, data: st.DataObject) -> None:
        if self.flying:
            one = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
            if data.draw(st.booleans()):
                self.kept.settle(one)
                self.settled[one.update.listing] = one.update.publish_seq
            else:
                self.kept.give_back(one)

    @invariant()
    def a_crash_now_would_bring_back_everything_that_is_not_settled(self) -> None:
        committable = self.kept.committable(0)
        for listing, publish_seq in self.newest.items():
            if self.settled.get(listing, 0) < publish_seq:
                assert committable is not None
                assert committable <= self.where[listing, publish_seq]

    def teardown(self) -> None:
        for one in self.flying:
            self.kept.settle(one)
            self.settled[one.update.listing] = one.update.publish_seq
        while taken := self.kept.take(2):
            for one in taken:
                self.kept.settle(one)
                assert one.update.publish_seq > self.settled.get(one.update.listing, 0)
                self.settled[one.update.listing] = one.update.publish_seq
        assert self.settled == self.newest
        assert self.kept.committable(0) == (self.offset or None)
        super().teardown()


BacklogAgainstAModel.TestCase.settings = settings(max_examples=150, deadline=None)
TestBacklogAgainstAModel = BacklogAgainstAModel.TestCase


def test_what_could_be_taken_of_a_class_or_a_more_urgent_one_is_known_without_taking_it() -> None:
    kept = Backlog()
    kept.own(0)
    assert not kept.waits("P2")
    kept.add(0, 0, update("L-1", priority="P1"))
    assert not kept.waits("P1")
    kept.open(0)
    assert kept.waits("P1")
    assert kept.waits("P2")
    assert not kept.waits("P0")
    (taken,) = kept.take(1)
    kept.add(0, 1, update("L-1", 2, priority="P0"))
    assert not kept.waits("P2")
    kept.give_back(taken)
    assert kept.waits("P0")
    assert [one.update.publish_seq for one in kept.take(5)] == [2]


def test_entries_that_stand_for_nothing_are_no_update_that_waits() -> None:
    kept = backlog()
    kept.add(0, 0, update("L-1", 1, priority="P2"))
    kept.add(0, 1, update("L-1", 2, priority="P1"))
    assert kept.waits("P1")
    assert len(kept.take(1)) == 1
    assert not kept.waits("P2")
    assert kept.queued == 0


def test_a_listing_is_held_while_it_waits_or_is_on_its_way() -> None:
    kept = backlog()
    assert not kept.holds(0, "L-1")
    assert not kept.holds(7, "L-1")
    kept.add(0, 0, update("L-1"))
    assert kept.holds(0, "L-1")
    (taken,) = kept.take(1)
    assert kept.holds(0, "L-1")
    kept.settle(taken)
    assert not kept.holds(0, "L-1")
