"""Effects first, offsets last: the order of an epoch, and what happens when one of its steps fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
from confluent_kafka import Message
from faust.types import TP

from streams.data_plane import clock, epoch
from streams.data_plane.batch import Batch, Record
from streams.data_plane.effects import Produced
from streams.data_plane.epoch import Epochs
from streams.data_plane.failures import Fenced, PlaneFailure, Unavailable
from streams.data_plane.ledger import Ledger
from streams.data_plane.membership import Membership
from streams.data_plane.priority import Standing
from streams.data_plane.sensor import PlaneStats
from streams.data_plane.settings import PlaneSettings
from streams.data_plane.turns import Turns

A0 = TP("a", 0)
A1 = TP("a", 1)
SETTINGS = PlaneSettings(app_id="x", bootstrap_servers="b", epoch_max_s=0.1)


class Bench:
    """Epochs with a broker that is a list, and a state that hands out what was applied."""

    tables: tuple[str, ...] = ()

    def __init__(self, settings: PlaneSettings = SETTINGS) -> None:
        self.ledger = Ledger()
        self.ledger.start({A0: 0, A1: 0})
        self.membership = Membership(SETTINGS.session_timeout_s)
        self.membership.joined(4, clock.now())
        self.log: list[object] = []
        self.dirty: list[Produced] = []
        self.slices = 1
        self.wake_us: int | None = None
        self.write_fails: Exception | None = None
        self.enqueue_fails_after: int | None = None
        self.breaths = 0
        """How often the loop may turn while a slice is enqueued."""
        self.commit_answers: list[bool | Exception] = []
        self.before_write = asyncio.Event()
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.enqueued: list[Produced] = []
        self.turns = Turns()
        self.epochs = Epochs(
            settings,
            self,
            self.ledger,
            self.membership,
            PlaneStats(),
            self.turns,
            self,
            self.commit,
            lambda: self.ledger.records_open,
        )

    def apply(self, first: int, last: int) -> None:
        messages = [Message(topic="a", partition=0, offset=n, value=b"v") for n in range(first, last + 1)]
        batch = Batch(A0, cast(Sequence[Record], messages), 1, self.ledger.token)
        self.ledger.deliver(batch)
        self.dirty.append(Produced("out", 0, b"k", str(last).encode()))
        self.ledger.finish(batch)
        self.epochs.notice()

    async def enqueue(self, records: Sequence[Produced]) -> None:
        if self.enqueue_fails_after == len(self.enqueued):
            raise Unavailable("record refused")
        self.enqueued.extend(records)
        for _ in range(self.breaths):
            await asyncio.sleep(0)

    async def acknowledged(self) -> None:
        self.before_write.set()
        await self.may_write.wait()
        if self.write_fails is not None:
            raise self.write_fails
        self.log.extend(record.value for record in self.enqueued)
        self.enqueued = []

    async def commit(self, offsets: Mapping[TP, int], generation: int) -> bool:
        assert generation == 4
        answer = self.commit_answers.pop(0) if self.commit_answers else True
        if isinstance(answer, Exception):
            raise answer
        if answer:
            self.log.append(dict(offsets))
        return answer

    def collect(self, now_us: int) -> Iterator[Sequence[Produced]]:
        taken, self.dirty = self.dirty, []
        if self.wake_us is not None and now_us >= self.wake_us:
            self.wake_us = None
            taken.append(Produced("out", 0, b"k", b"woken"))
        self.log += [b"collecting"] * (self.slices > 1)
        per_slice = -(-len(taken) // self.slices)
        for start in range(0, len(taken), per_slice or 1):
            yield taken[start : start + per_slice]
        self.log += [b"collected"] * (self.slices > 1)

    def concluded(self) -> Sequence[Produced]:
        return ()

    def next_wake(self) -> int | None:
        return self.wake_us

    def recover(self, table: str, partition: int, rows: Sequence[tuple[bytes, bytes | None]]) -> None: ...

    def assigned(self, partition: int, generation: int, end_offsets: Mapping[TP, int]) -> None: ...

    def drop(self, partition: int) -> None: ...

    @asynccontextmanager
    async def running(self):  # type: ignore[no-untyped-def]  # a test's own context manager
        self.epochs.open()
        task = asyncio.ensure_future(self.epochs.run())
        yield task
        task.cancel()

    async def until(self, what: object) -> None:
        async with asyncio.timeout(10):
            while what not in self.log:  # noqa: ASYNC110 - the log is a plain list
                await asyncio.sleep(0.005)


async def test_offsets_are_committed_after_their_effects_are_written() -> None:
    bench = Bench()
    async with bench.running():
        bench.apply(0, 4)
        await bench.until({A0: 5})
    assert bench.log == [b"4", {A0: 5}]


async def test_a_batch_applied_while_an_epoch_is_written_belongs_to_the_next() -> None:
    bench = Bench()
    bench.may_write.clear()
    async with bench.running():
        bench.apply(0, 4)
        await bench.before_write.wait()
        bench.apply(5, 9)
        bench.may_write.set()
        await bench.until({A0: 10})
    assert bench.log == [b"4", {A0: 5}, b"9", {A0: 10}]


async def test_after_a_failed_write_nothing_is_committed_ever_again() -> None:
    bench = Bench()
    bench.write_fails = Unavailable("queue full")
    async with bench.running() as run:
        bench.apply(0, 4)
        with pytest.raises(Unavailable, match="queue full"):
            await run
    bench.write_fails = None
    bench.apply(5, 9)
    with pytest.raises(PlaneFailure):
        await bench.epochs.flush()
    await bench.epochs.close(1)
    assert bench.log == []


async def test_a_failed_commit_breaks_the_worker() -> None:
    bench = Bench()
    bench.commit_answers = [Unavailable("coordinator gone")]
    async with bench.running() as run:
        bench.apply(0, 4)
        with pytest.raises(Unavailable, match="coordinator gone"):
            await run


async def test_a_commit_that_a_rebalance_overtook_is_no_failure() -> None:
    bench = Bench()
    bench.commit_answers = [False]
    async with bench.running():
        bench.apply(0, 4)
        await bench.until(b"4")
        bench.apply(5, 9)
        await bench.until({A0: 10})
    assert bench.log == [b"4", b"9", {A0: 10}]


async def test_a_fenced_worker_does_not_even_collect() -> None:
    bench = Bench()
    past = clock.now()
    bench.membership.confirmed(clock.Instant(past.monotonic - 60, past.outside - 60))
    bench.epochs.open()
    bench.apply(0, 4)
    with pytest.raises(Fenced):
        await bench.epochs.flush()
    assert bench.dirty
    assert bench.log == []


async def test_a_write_that_failed_because_of_a_pause_is_called_fenced() -> None:
    bench = Bench()
    bench.may_write.clear()
    bench.write_fails = Unavailable("records expired")
    async with bench.running() as run:
        bench.apply(0, 4)
        await bench.before_write.wait()
        past = clock.now()
        bench.membership.confirmed(clock.Instant(past.monotonic - 60, past.outside - 60))
        bench.may_write.set()
        with pytest.raises(Fenced):
            await run
    assert bench.log == []


async def test_an_idle_worker_notices_that_it_is_fenced() -> None:
    bench = Bench()
    async with bench.running() as run:
        await asyncio.sleep(0)
        past = clock.now()
        bench.membership.confirmed(clock.Instant(past.monotonic - 60, past.outside - 60))
        with pytest.raises(Fenced):
            await run


async def test_writing_begins_only_with_a_fresh_confirmation() -> None:
    bench = Bench()
    old = clock.now()
    stale = SETTINGS.produce_margin_s + 1
    bench.membership.confirmed(clock.Instant(old.monotonic - stale, old.outside - stale))
    async with bench.running():
        bench.apply(0, 4)
        await asyncio.sleep(0.2)
        assert bench.log == []
        bench.membership.confirmed(clock.now())
        await bench.until({A0: 5})


async def test_a_member_that_was_forgotten_writes_nothing_and_keeps_what_it_has() -> None:
    bench = Bench()
    bench.membership.lost()
    bench.epochs.open()
    bench.apply(0, 4)
    await bench.epochs.close(1)
    assert bench.log == []
    assert bench.dirty


async def test_closing_writes_and_commits_what_was_applied() -> None:
    bench = Bench()
    bench.epochs.open()
    bench.apply(0, 4)
    await bench.epochs.close(1)
    assert bench.log == [b"4", {A0: 5}]
    assert bench.membership.generation == -1


async def test_a_second_closing_waits_for_the_last_epoch_of_the_first() -> None:
    bench = Bench()
    bench.epochs.open()
    bench.apply(0, 4)
    bench.may_write.clear()
    first = asyncio.ensure_future(bench.epochs.close(1))
    await bench.before_write.wait()
    second = asyncio.ensure_future(bench.epochs.close(1))
    await asyncio.sleep(0.01)
    assert not second.done()
    bench.may_write.set()
    await asyncio.gather(first, second)
    assert bench.log == [b"4", {A0: 5}]


async def test_closing_gives_up_on_an_agent_that_does_not_come_back() -> None:
    bench = Bench()
    bench.epochs.open()
    messages = [Message(topic="a", partition=0, offset=0, value=b"v")]
    batch = Batch(A0, cast(Sequence[Record], messages), 1, bench.ledger.token)
    bench.ledger.deliver(batch)
    bench.ledger.begin(batch)
    with pytest.raises(Unavailable, match="did not finish"):
        await bench.epochs.close(0.01)
    with pytest.raises(PlaneFailure):
        await bench.epochs.flush(last=True)


async def test_the_state_is_asked_when_it_wants_to_be() -> None:
    bench = Bench()
    async with bench.running():
        await asyncio.sleep(0.01)
        bench.wake_us = clock.now_us() + 20_000
        await bench.until(b"woken")


class Slow(Bench):
    """Takes its time at every step of an epoch, on a clock of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def collect(self, now_us: int) -> Iterator[Sequence[Produced]]:
        self.seconds += 100
        return super().collect(now_us)

    async def acknowledged(self) -> None:
        self.seconds += 2
        await super().acknowledged()

    async def commit(self, offsets: Mapping[TP, int], generation: int) -> bool:
        self.seconds += 1
        return await super().commit(offsets, generation)


async def test_the_next_epoch_does_not_wait_longer_because_much_was_collected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench, answered = Slow(), list[tuple[float, int]]()
    monkeypatch.setattr(epoch, "time", SimpleNamespace(monotonic=lambda: bench.seconds))
    monkeypatch.setattr(bench.epochs._pace, "answered_within", lambda *told: answered.append(told))
    bench.epochs.open()
    bench.apply(0, 4)
    await bench.epochs.flush()
    assert answered == [(3, 5)]


async def test_under_load_many_batches_share_an_epoch() -> None:
    bench = Bench(replace(SETTINGS, epoch_max_s=2.0, epoch_max_records=16))
    messages = [Message(topic="a", partition=1, offset=offset, value=b"v") for offset in range(4)]
    unfinished = Batch(A1, cast(Sequence[Record], messages), 4, bench.ledger.token)
    bench.ledger.deliver(unfinished)  # keeps the worker loaded
    async with bench.running():
        for number in range(8):
            bench.apply(number, number)
            await asyncio.sleep(0.015)  # an idle worker would have finished an epoch
        bench.ledger.finish(unfinished)
        await bench.until({A0: 8, A1: 4})
    commits = [entry for entry in bench.log if isinstance(entry, dict)]
    assert commits == [{A0: 8, A1: 4}]


# -- slices


async def apply_in_turns(bench: Bench, batches: int) -> None:
    """An agent: applies batches whenever it gets a turn."""
    for number in range(batches):
        async with bench.turns.applying(lambda passed_over: Standing(False, 1, 0, passed_over)):
            bench.log.append(b"applied")
            bench.apply(10 + number, 10 + number)
        await asyncio.sleep(0)


async def collected_beside_an_agent() -> tuple[Bench, asyncio.Future[None]]:
    """An epoch in four slices, while an agent that goes on afterwards wants to apply batches."""
    bench = Bench()
    bench.slices, bench.breaths = 4, 20
    for number in range(8):
        bench.apply(number, number)
    bench.epochs.open()
    agent = asyncio.ensure_future(apply_in_turns(bench, 30))
    await bench.epochs.flush()
    return bench, agent


async def test_nothing_is_applied_between_the_slices_of_an_epoch() -> None:
    bench, agent = await collected_beside_an_agent()
    await agent
    began, ended = bench.log.index(b"collecting"), bench.log.index(b"collected")
    assert b"applied" not in bench.log[began:ended]
    assert b"applied" in bench.log[ended:]


async def test_offsets_and_slices_are_of_one_instant() -> None:
    bench, agent = await collected_beside_an_agent()
    written = [int(entry) for entry in bench.log if isinstance(entry, bytes) and entry.isdigit()]
    [offsets] = [entry for entry in bench.log if isinstance(entry, dict)]
    assert offsets == {A0: max(written) + 1}
    await agent


async def test_an_epoch_that_fails_between_slices_writes_nothing_more_and_commits_nothing() -> None:
    bench = Bench()
    bench.slices, bench.enqueue_fails_after = 4, 4
    async with bench.running() as run:
        for number in range(8):
            bench.apply(number, number)
        with pytest.raises(Unavailable, match="record refused"):
            await run
    bench.enqueue_fails_after = None
    bench.apply(8, 8)
    with pytest.raises(PlaneFailure):
        await bench.epochs.flush()
    await bench.epochs.close(1)
    assert [record.value for record in bench.enqueued] == [b"0", b"1", b"2", b"3"]
    assert [entry for entry in bench.log if isinstance(entry, dict)] == []


async def test_a_state_that_fails_between_slices_breaks_the_worker() -> None:
    bench = Bench()

    def collect(now_us: int) -> Iterator[Sequence[Produced]]:
        yield [Produced("out", 0, b"k", b"first")]
        raise ValueError("a bug")

    bench.collect = collect  # type: ignore[method-assign]  # the state of this test
    bench.epochs.open()
    bench.apply(0, 0)
    with pytest.raises(ValueError, match="a bug"):
        await bench.epochs.flush()
    with pytest.raises(PlaneFailure):
        await bench.epochs.flush()
    assert bench.log == []


async def test_agents_get_their_turns_again_after_a_failed_collection() -> None:
    bench = Bench()
    bench.slices, bench.breaths, bench.enqueue_fails_after = 4, 5, 2
    for number in range(8):
        bench.apply(number, number)
    bench.epochs.open()
    agent = asyncio.ensure_future(apply_in_turns(bench, 3))
    with pytest.raises(Unavailable):
        await bench.epochs.flush()
    await asyncio.wait_for(agent, 5)


async def test_agents_get_their_turns_again_after_a_cancelled_collection() -> None:
    bench = Bench()
    bench.slices, bench.breaths = 4, 1_000_000
    for number in range(8):
        bench.apply(number, number)
    bench.epochs.open()
    epoch = asyncio.ensure_future(bench.epochs.flush())
    while not bench.enqueued:  # noqa: ASYNC110 - a plain list
        await asyncio.sleep(0)
    epoch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await epoch
    await asyncio.wait_for(apply_in_turns(bench, 3), 5)
    with pytest.raises(PlaneFailure):
        await bench.epochs.flush()


async def test_closing_waits_for_an_agent_that_waits_for_its_turn() -> None:
    bench = Bench()
    bench.slices, bench.breaths = 4, 20
    for number in range(8):
        bench.apply(number, number)
    bench.epochs.open()
    message = Message(topic="a", partition=1, offset=0, value=b"v")
    held = Batch(A1, cast(Sequence[Record], [message]), 1, bench.ledger.token)
    held.line_up(bench.turns, urgent=False)
    bench.ledger.deliver(held)

    async def agent() -> None:
        bench.ledger.begin(held)
        async with held.turn():
            bench.dirty.append(Produced("out", 1, b"k", b"held"))
        bench.ledger.end(held)
        bench.ledger.finish(held)

    epoch = asyncio.ensure_future(bench.epochs.flush())
    await asyncio.sleep(0)
    waiting = asyncio.ensure_future(agent())
    await asyncio.sleep(0)
    await bench.epochs.close(5)
    await asyncio.gather(epoch, waiting)
    commits = [entry for entry in bench.log if isinstance(entry, dict)]
    assert commits == [{A0: 8}, {A1: 1}]


async def test_leaving_the_group_between_slices_is_called_fenced() -> None:
    bench = Bench()
    bench.slices = 4

    async def enqueue(records: Sequence[Produced]) -> None:
        bench.enqueued.extend(records)
        bench.membership.lost()

    bench.enqueue = enqueue  # type: ignore[method-assign]  # the broker of this test
    for number in range(8):
        bench.apply(number, number)
    bench.epochs.open()
    with pytest.raises(Fenced, match="left the group"):
        await bench.epochs.flush()
    assert len(bench.enqueued) == 2
    assert [entry for entry in bench.log if isinstance(entry, dict)] == []
