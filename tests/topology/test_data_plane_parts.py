"""The parts of the data plane that decide: ledger, membership, holdings, watchdog, gaps, settings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import Message
from faust.types import TP

from streams.data_plane.backlog import Backlog
from streams.data_plane.batch import Batch, BatchAbandoned, End, Record
from streams.data_plane.clock import Instant, elapsed_s
from streams.data_plane.consumer import PlaneConsumer
from streams.data_plane.effects import Produced
from streams.data_plane.failures import Fenced, Misconfigured, Stalled
from streams.data_plane.gaps import holes
from streams.data_plane.handover import Holdings
from streams.data_plane.ledger import Ledger
from streams.data_plane.membership import Membership, NotMember
from streams.data_plane.settings import PlaneSettings
from streams.data_plane.watchdog import Progress, Watchdog

A0 = TP("a", 0)


def batch(ledger: Ledger, first: int, last: int, tp: TP = A0) -> Batch:
    messages = [
        Message(topic=tp.topic, partition=tp.partition, offset=n, value=b"v") for n in range(first, last + 1)
    ]
    return Batch(tp, cast(Sequence[Record], messages), 10, ledger.token)


# -- ledger


def test_nothing_is_committable_before_the_first_batch_of_a_partition_was_applied() -> None:
    ledger = Ledger()
    ledger.start({A0: 10})
    first, second = batch(ledger, 10, 14), batch(ledger, 15, 19)
    ledger.deliver(first)
    ledger.deliver(second)
    ledger.finish(second)
    assert ledger.committable() == {}
    ledger.finish(first)
    assert ledger.committable() == {A0: 20}


def test_a_committed_offset_is_not_committed_again() -> None:
    ledger = Ledger()
    ledger.start({A0: 0})
    whole = batch(ledger, 0, 4)
    ledger.deliver(whole)
    ledger.finish(whole)
    ledger.committed(ledger.committable())
    assert ledger.committable() == {}


def test_a_batch_of_an_earlier_assignment_does_not_count() -> None:
    ledger = Ledger()
    ledger.start({A0: 0})
    old = batch(ledger, 0, 4)
    ledger.deliver(old)
    ledger.start({A0: 0})
    assert not ledger.is_current(old)
    assert not ledger.finish(old)
    assert ledger.committable() == {}


def test_markers_behind_the_last_record_are_committed_with_it() -> None:
    ledger = Ledger()
    ledger.start({A0: 0})
    whole = batch(ledger, 0, 4)
    ledger.deliver(whole)
    ledger.skip(A0, 7)
    assert ledger.committable() == {}
    ledger.finish(whole)
    assert ledger.committable() == {A0: 7}


def test_the_next_offset_expected_follows_what_was_delivered() -> None:
    ledger = Ledger()
    ledger.start({A0: None})
    assert ledger.expected(A0) is None
    ledger.deliver(batch(ledger, 3, 5))
    assert ledger.expected(A0) == 6


def test_records_that_come_twice_are_left_out() -> None:
    whole = batch(Ledger(), 5, 9)
    assert whole.trim(7)
    assert [record.offset() for record in whole.records] == [7, 8, 9]
    assert (whole.first, whole.next, len(whole)) == (7, 10, 3)
    assert not whole.trim(10)


async def test_the_ledger_is_idle_when_no_agent_has_a_batch() -> None:
    ledger = Ledger()
    ledger.start({A0: 0})
    whole = batch(ledger, 0, 4)
    ledger.deliver(whole)
    ledger.begin(whole)
    assert not await ledger.wait_idle(0.01)
    ledger.end(whole)
    assert await ledger.wait_idle(0.01)


async def test_a_handler_that_waits_for_an_outage_lets_go_at_a_rebalance() -> None:
    ledger = Ledger()
    ledger.start({A0: 0})
    whole = batch(ledger, 0, 4)
    ledger.deliver(whole)
    waiting = asyncio.ensure_future(whole.wait(60))
    await asyncio.sleep(0)
    assert ledger.is_waiting(A0)
    ledger.give_up()
    with pytest.raises(BatchAbandoned):
        await waiting
    assert whole.abandoned


async def test_a_handler_goes_on_after_its_wait() -> None:
    ledger = Ledger()
    ledger.start({A0: 0})
    whole = batch(ledger, 0, 4)
    ledger.deliver(whole)
    await whole.wait(0.01)
    assert not whole.abandoned
    assert not whole.waiting


# -- membership


class Clock:
    def __init__(self) -> None:
        self.monotonic = 100.0
        self.outside = 100.0

    def __call__(self) -> Instant:
        return Instant(self.monotonic, self.outside)


def test_membership_holds_for_the_session_after_the_last_answered_heartbeat_was_sent() -> None:
    clock = Clock()
    membership = Membership(10.0, clock)
    membership.joined(4, clock())
    clock.monotonic += 9.9
    membership.check()
    sent = clock()
    clock.monotonic += 5
    membership.confirmed(sent)
    clock.monotonic += 4.9
    membership.check()
    clock.monotonic += 0.2
    with pytest.raises(Fenced, match="fenced"):
        membership.check()


def test_a_suspended_machine_is_fenced_though_the_monotonic_clock_stood_still() -> None:
    clock = Clock()
    membership = Membership(10.0, clock)
    membership.joined(4, clock())
    clock.outside += 11
    with pytest.raises(Fenced):
        membership.check()


def test_an_answer_that_comes_after_a_pause_confirms_only_the_time_it_was_asked() -> None:
    clock = Clock()
    membership = Membership(10.0, clock)
    membership.joined(4, clock())
    sent = clock()
    clock.monotonic += 60
    membership.confirmed(sent)
    with pytest.raises(Fenced):
        membership.check()


def test_a_member_that_the_group_forgot_is_no_member() -> None:
    clock = Clock()
    membership = Membership(10.0, clock)
    membership.joined(4, clock())
    membership.lost()
    with pytest.raises(NotMember):
        membership.check()


def test_between_two_generations_nobody_is_fenced() -> None:
    clock = Clock()
    membership = Membership(10.0, clock)
    membership.joined(4, clock())
    membership.left()
    clock.monotonic += 60
    with pytest.raises(NotMember):
        membership.check()


def test_elapsed_time_is_the_longer_of_two_clocks() -> None:
    assert elapsed_s(Instant(1, 1), Instant(2, 5)) == 4
    assert elapsed_s(Instant(1, 5), Instant(3, 5)) == 2


# -- holdings


class Dropped:
    tables: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.dropped: list[int] = []

    def drop(self, partition: int) -> None:
        self.dropped.append(partition)

    def recover(self, table: str, partition: int, rows: Sequence[tuple[bytes, bytes | None]]) -> None:
        raise AssertionError("not part of this test")

    def assigned(self, partition: int, generation: int, end_offsets: Mapping[TP, int]) -> None:
        raise AssertionError("not part of this test")

    def collect(self, now_us: int) -> Iterator[Sequence[Produced]]:
        yield []

    def concluded(self) -> Sequence[Produced]:
        return ()

    def next_wake(self) -> int | None:
        return None


def assignment(*partitions: int) -> set[TP]:
    return {TP(topic, number) for topic in ("a", "b", "rows") for number in partitions}


def holdings() -> tuple[Holdings, Dropped]:
    state = Dropped()
    return Holdings(state, ["a", "b"], ["rows"]), state


def test_only_partitions_that_are_new_are_recovered() -> None:
    held, state = holdings()
    held.turn(1, assignment(0, 1))
    held.recovered(held.missing())
    held.turn(2, assignment(1, 2))
    assert held.missing() == {2}
    assert state.dropped == [0]


def test_after_a_generation_that_we_missed_everything_is_recovered() -> None:
    held, state = holdings()
    held.turn(1, assignment(0, 1))
    held.recovered(held.missing())
    held.turn(3, assignment(0, 1))
    assert held.missing() == {0, 1}
    assert state.dropped == [0, 1]


def test_an_interrupted_recovery_starts_anew() -> None:
    held, state = holdings()
    held.turn(1, assignment(0, 1))
    held.abandoned(held.missing())
    held.turn(2, assignment(0, 1))
    assert state.dropped == [0, 1]
    assert held.missing() == {0, 1}


def test_a_partition_stays_fresh_until_its_records_flow() -> None:
    held, state = holdings()
    held.turn(1, assignment(0, 1))
    held.recovered({0})
    held.abandoned({0, 1})
    assert state.dropped == [1]
    held.turn(2, assignment(0, 1))
    assert held.missing() == {1}
    assert held.fresh() == {0, 1}
    held.recovered({1})
    held.begin()
    held.turn(3, assignment(0, 1, 2))
    assert held.fresh() == {2}


def test_a_partition_without_its_changelog_is_refused() -> None:
    held, _ = holdings()
    with pytest.raises(Misconfigured, match="partition 3"):
        held.turn(1, assignment(0) | {TP("a", 3)})


# -- watchdog


def test_a_partition_is_stuck_only_while_it_has_records_and_does_not_move() -> None:
    progress = Progress()
    assert progress.look({A0: 5}, {A0: 9}, (), 0.0) == {A0: 0.0}
    assert progress.look({A0: 5}, {A0: 9}, (), 30.0) == {A0: 30.0}
    assert progress.look({A0: 6}, {A0: 9}, (), 40.0) == {A0: 0.0}
    assert progress.look({A0: 9}, {A0: 9}, (), 50.0) == {}
    assert progress.look({A0: 9}, {A0: 12}, (), 60.0) == {A0: 0.0}


def test_waiting_for_an_outage_is_no_stall() -> None:
    progress = Progress()
    progress.look({A0: 5}, {A0: 9}, (), 0.0)
    assert progress.look({A0: 5}, {A0: 9}, {A0}, 30.0) == {}
    assert progress.look({A0: 5}, {A0: 9}, (), 60.0) == {A0: 0.0}


def test_the_watchdog_ends_a_stalled_worker() -> None:
    ledger = Ledger()
    ledger.start({A0: 5})
    watchdog = Watchdog(PlaneSettings(app_id="x", bootstrap_servers="b", stall_s=60), ledger)
    watchdog.check({A0: 5}, {A0: 9}, 0.0)
    assert watchdog.lag == {A0: 4}
    with pytest.raises(Stalled, match="has not moved"):
        watchdog.check({A0: 5}, {A0: 9}, 60.0)


# -- gaps and settings


def test_every_hole_before_and_between_offsets_is_found() -> None:
    assert holes(3, [3, 4, 5]) == []
    assert holes(3, [5, 6, 9]) == [(3, 5), (7, 9)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"app_id": ""},
        {"heartbeat_s": 5.0},
        {"rebalance_timeout_s": 5.0},
        {"epoch_min_s": 0.0},
        {"epoch_max_s": 5.0},
    ],
)
def test_settings_that_break_the_guarantee_are_refused(wrong: dict[str, float]) -> None:
    right: dict[str, object] = {"app_id": "x", "bootstrap_servers": "b"}
    with pytest.raises(Misconfigured):
        PlaneSettings(**{**right, **wrong})  # type: ignore[arg-type]  # the point of the test


def test_queued_records_expire_before_the_session_does() -> None:
    settings = PlaneSettings(app_id="x", bootstrap_servers="b")
    assert settings.message_timeout_s + settings.produce_margin_s == pytest.approx(settings.session_timeout_s)
    assert settings.message_timeout_s < settings.session_timeout_s


async def test_records_that_arrive_while_the_flow_is_stopped_do_not_freeze_the_loop() -> None:
    backlog = Backlog(PlaneSettings(app_id="x", bootstrap_servers="b"))
    backlog.add(End(A0, 1))
    consumer: Any = SimpleNamespace(
        should_stop=False, flow_active=False, _plane=SimpleNamespace(backlog=backlog), _news=asyncio.Event()
    )
    draining = asyncio.ensure_future(PlaneConsumer._drain_messages(consumer, SimpleNamespace(should_stop=False)))
    await asyncio.sleep(0.01)  # never returns if draining spins without awaiting
    consumer.should_stop = True
    consumer._news.set()
    await asyncio.wait_for(draining, 5)
