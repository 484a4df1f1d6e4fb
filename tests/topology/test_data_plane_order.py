"""Who comes next, when, and how much at a time: priority, backlog, turns, pace."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import cast

import pytest
from confluent_kafka import Message
from faust.types import TP

from streams.data_plane.backlog import Backlog
from streams.data_plane.batch import Batch, End, Record
from streams.data_plane.garbage import Tenure
from streams.data_plane.lanes import Lanes
from streams.data_plane.ledger import Applied
from streams.data_plane.liveness import LoopDelay
from streams.data_plane.pace import Pace
from streams.data_plane.priority import PATIENCE, Standing, next_turn
from streams.data_plane.settings import PlaneSettings
from streams.data_plane.turns import Turns

ONE = Applied(1, 100)
SETTINGS = PlaneSettings(app_id="x", bootstrap_servers="b", batch_max_records=10, urgent=frozenset({"acks"}))


def standing(oldest_ms: int = 1_000, behind: int = 0, *, urgent: bool = False, passed_over: int = 0) -> Standing:
    return Standing(urgent, oldest_ms, behind, passed_over)


# -- priority


def test_the_oldest_record_comes_first() -> None:
    assert next_turn([standing(3_000), standing(1_000), standing(2_000)]) == 1


def test_of_records_equally_old_those_with_most_behind_them_come_first() -> None:
    assert next_turn([standing(behind=5), standing(behind=500), standing(behind=50)]) == 1


def test_records_without_a_time_stamp_go_by_what_is_behind_them_after_all_others() -> None:
    assert next_turn([standing(0, 9), standing(-1, 90), standing(5_000)]) == 2
    assert next_turn([standing(0, 9), standing(0, 90)]) == 1


def test_urgent_records_come_before_older_ones() -> None:
    assert next_turn([standing(1), standing(9_000, urgent=True)]) == 1


def test_equals_come_in_their_order() -> None:
    assert next_turn([standing(), standing(), standing()]) == 0


def test_whoever_was_passed_over_too_often_comes_before_everything() -> None:
    patient = standing(9_000, passed_over=PATIENCE)
    assert next_turn([standing(1, urgent=True), standing(1), patient]) == 2
    assert next_turn([patient, standing(1, passed_over=PATIENCE + 1)]) == 1


def test_nobody_waits_for_ever_however_many_others_come() -> None:
    """Ten wait for ever with older records: everybody gets a turn within a bounded number of turns."""
    passed = [0] * 11
    served: list[int] = []
    for _ in range(200):
        chosen = next_turn([standing(number, passed_over=passed[number]) for number in range(11)])
        passed = [0 if number == chosen else count + 1 for number, count in enumerate(passed)]
        served.append(chosen)
    for number in range(11):
        turns = [-1, *(index for index, who in enumerate(served) if who == number), len(served)]
        assert max(after - before for before, after in pairwise(turns)) <= PATIENCE + 11


# -- backlog


def fetched(topic: str, partition: int, first: int, last: int, at_ms: int = 1_000) -> Batch:
    messages = [
        Message(topic=topic, partition=partition, offset=offset, value=b"v", timestamp=(1, at_ms))
        for offset in range(first, last + 1)
    ]
    return Batch(TP(topic, partition), cast(Sequence[Record], messages), 10 * len(messages), 1)


def drained(backlog: Backlog) -> Iterator[Batch]:
    """What is delivered when agents are done at once."""
    while (found := backlog.next()) is not None:
        assert isinstance(found, Batch)
        backlog.applied(found)
        yield found


def test_the_partition_with_the_oldest_record_is_delivered_first_and_each_in_its_order() -> None:
    backlog = Backlog(SETTINGS)
    for part in (
        fetched("a", 0, 0, 9, 2_000),
        fetched("a", 0, 10, 19, 4_000),
        fetched("a", 1, 0, 9, 1_000),
        fetched("b", 0, 0, 9, 3_000),
    ):
        backlog.add(part)
    assert [(part.tp, part.first) for part in drained(backlog)] == [
        (TP("a", 1), 0),
        (TP("a", 0), 0),
        (TP("b", 0), 0),
        (TP("a", 0), 10),
    ]
    assert backlog.records == 0


class Clock:
    """Time that passes only while batches are applied."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def drained(self, backlog: Backlog, seconds_each: float) -> Iterator[Batch]:
        for batch in drained(backlog):
            self.now_s += seconds_each
            yield batch


def test_a_partition_goes_on_for_a_run_and_then_the_oldest_comes_next() -> None:
    clock = Clock()
    backlog = Backlog(replace(SETTINGS, run_max_s=0.5), clock)
    for start in range(0, 50, 10):
        backlog.add(fetched("a", 0, start, start + 9, 1_000 + start))
        backlog.add(fetched("a", 1, start, start + 9, 1_001 + start))
    order = [(part.tp.partition, part.first) for part in clock.drained(backlog, 0.25)]
    assert order == [
        (0, 0), (0, 10), (1, 0), (1, 10), (0, 20), (0, 30), (1, 20), (1, 30), (0, 40), (1, 40),
    ]  # fmt: skip


def of(topic: str, partition: int, first: int, at_ms: int, behind: int) -> Batch:
    batch = fetched(topic, partition, first, first + 9, at_ms)
    batch.behind = behind
    return batch


@pytest.mark.parametrize("partitions", [2, 8, 40, 200])
def test_every_partition_gets_on_again_and_again_however_many_wait(partitions: int) -> None:
    """None may look as if it were stuck: neither to the watchdog nor in ten seconds of ``atstream lag``."""
    clock = Clock()
    backlog = Backlog(replace(SETTINGS, run_min_records=20), clock)
    for partition in range(partitions):
        at_ms = 1 if partition == 0 else 1_000_000 + partition
        for start in range(0, 40_000 // partitions, 10):
            backlog.add(of("a", partition, start, at_ms, 100_000))
    served = dict.fromkeys(range(partitions), 0.0)
    left = dict.fromkeys(served, backlog.records // partitions)
    longest_s = 0.0
    for batch in clock.drained(backlog, 0.01):
        if backlog.records < 10_000:  # some are done
            break
        longest_s = max(longest_s, clock.now_s - served[batch.tp.partition])
        served[batch.tp.partition] = clock.now_s
        left[batch.tp.partition] -= len(batch)
    waiting = [clock.now_s - at_s for partition, at_s in served.items() if left[partition] > 0]
    assert max([longest_s, *waiting]) < 8


def test_a_run_is_short_while_somebody_waits_who_has_little_to_do() -> None:
    backlog = Backlog(replace(SETTINGS, run_min_records=20), Clock())
    for start in range(0, 80, 10):
        backlog.add(of("a", 0, start, 1_000, 70 - start))
    delivered = drained(backlog)
    order = [next(delivered).tp.partition for _ in range(3)]
    backlog.add(of("a", 1, 0, 500, 25))
    order += [part.tp.partition for part in delivered]
    assert order == [0, 0, 0, 0, 1, 0, 0, 0, 0], "40 of the run were taken when 35 were waiting beside it"


def test_a_run_ends_when_nothing_of_the_partition_waits_and_does_not_keep_urgent_records_waiting() -> None:
    backlog = Backlog(SETTINGS)
    backlog.add(fetched("a", 0, 0, 9, 1_000))
    backlog.add(fetched("a", 0, 10, 19, 1_000))
    backlog.add(fetched("a", 1, 0, 9, 2_000))
    delivered = drained(backlog)
    assert next(delivered).tp == TP("a", 0)
    urgent = fetched("acks", 0, 0, 9, 9_000)
    urgent.line_up(Turns(), True)
    backlog.add(urgent)
    assert [(part.tp.topic, part.tp.partition) for part in delivered] == [("acks", 0), ("a", 0), ("a", 1)]


def test_an_agent_has_two_batches_at_most() -> None:
    backlog = Backlog(SETTINGS)
    for start in range(0, 40, 10):
        backlog.add(fetched("a", 0, start, start + 9))
    first, second = backlog.next(), backlog.next()
    assert backlog.next() is None
    assert backlog.records == 20
    backlog.add(fetched("b", 0, 0, 9))
    other = backlog.next()
    assert isinstance(other, Batch)
    assert other.tp.topic == "b"
    assert isinstance(first, Batch)
    assert isinstance(second, Batch)
    backlog.applied(first)
    third = backlog.next()
    assert isinstance(third, Batch)
    assert third.first == 20


def test_small_batches_that_follow_each_other_are_joined_up_to_the_bound() -> None:
    backlog = Backlog(SETTINGS)
    for start in range(0, 16, 4):
        backlog.add(fetched("a", 0, start, start + 3))
    one, two = drained(backlog)
    assert [record.offset() for record in one.records] == list(range(8))
    assert (one.first, one.last, one.next, one.size) == (0, 7, 8, 80)
    assert (two.first, two.next) == (8, 16)


def test_batches_with_a_hole_between_them_are_not_joined() -> None:
    backlog = Backlog(SETTINGS)
    backlog.add(fetched("a", 0, 0, 3))
    backlog.add(fetched("a", 0, 5, 6))
    assert [part.first for part in drained(backlog)] == [0, 5]


def test_the_end_of_a_partition_comes_after_its_records() -> None:
    backlog = Backlog(SETTINGS)
    backlog.add(fetched("a", 0, 0, 3))
    backlog.add(End(TP("a", 0), 6))
    assert isinstance(backlog.next(), Batch)
    assert backlog.next() == End(TP("a", 0), 6)
    assert backlog.next() is None


def test_a_new_assignment_begins_with_nothing() -> None:
    backlog = Backlog(SETTINGS)
    backlog.add(fetched("a", 0, 0, 9))
    backlog.next()
    backlog.add(fetched("a", 0, 10, 19))
    backlog.clear()
    assert backlog.next() is None
    assert backlog.records == 0
    backlog.add(fetched("a", 0, 20, 29))
    assert len(list(drained(backlog))) == 1


async def test_urgent_topics_are_fetched_in_a_lane_of_their_own() -> None:
    def refuse(*told: object) -> None:
        raise AssertionError(told)

    loop = asyncio.get_running_loop()
    lanes = Lanes(SETTINGS, loop, refuse, refuse)
    lanes.assign(7, {TP("acks", 0): 5, TP("a", 0): 6, TP("a", 1): None})
    assert [thread._wanted for thread in lanes.threads] == [
        (7, {TP("a", 0): 6, TP("a", 1): None}),
        (7, {TP("acks", 0): 5}),
    ]
    alone = Lanes(PlaneSettings(app_id="x", bootstrap_servers="b"), loop, refuse, refuse)
    assert len(alone.threads) == 1


# -- turns


async def taking(turns: Turns, log: list[str], name: str, rank: Standing, times: int = 1) -> None:
    for _ in range(times):
        async with turns.applying(lambda passed_over: rank._replace(passed_over=passed_over)):
            log.append(name)


async def test_turns_go_to_whoever_lags_most() -> None:
    turns, log = Turns(), list[str]()
    async with turns.collecting():
        others = [
            asyncio.ensure_future(taking(turns, log, name, standing(oldest_ms)))
            for name, oldest_ms in (("young", 3_000), ("old", 1_000), ("middle", 2_000))
        ]
        await asyncio.sleep(0)
    await asyncio.gather(*others)
    assert log == ["old", "middle", "young"]


async def test_an_epoch_is_collected_before_anybody_who_waits() -> None:
    turns, log = Turns(), list[str]()

    async def collect() -> None:
        async with turns.collecting():
            log.append("collected")

    async with turns.collecting():
        others = [asyncio.ensure_future(taking(turns, log, "old", standing(1)))]
        await asyncio.sleep(0)
        others.append(asyncio.ensure_future(collect()))
        await asyncio.sleep(0)
    await asyncio.gather(*others)
    assert log == ["collected", "old"]


async def test_the_loop_turns_between_two_turns() -> None:
    turns, log = Turns(), list[str]()
    agents = [asyncio.ensure_future(taking(turns, log, name, standing(), times=3)) for name in ("a", "b")]
    for _ in range(20):
        log.append("loop")
        await asyncio.sleep(0)
    await asyncio.gather(*agents)
    applied = [index for index, entry in enumerate(log) if entry != "loop"]
    assert len(applied) == 6
    assert all("loop" in log[one:other] for one, other in pairwise(applied))


async def test_a_turn_that_fails_is_given_back() -> None:
    turns, log = Turns(), list[str]()
    with pytest.raises(ValueError, match="a bug"):
        async with turns.applying(lambda passed_over: standing()):
            raise ValueError("a bug")
    await asyncio.wait_for(taking(turns, log, "next", standing()), 5)
    assert log == ["next"]


@pytest.mark.parametrize("granted", [False, True], ids=["waiting", "granted"])
async def test_a_turn_that_nobody_takes_up_any_more_goes_to_the_next(granted: bool) -> None:
    turns, log = Turns(), list[str]()
    async with turns.collecting():
        gone = asyncio.ensure_future(taking(turns, log, "gone", standing(1)))
        stays = asyncio.ensure_future(taking(turns, log, "stays", standing(2)))
        await asyncio.sleep(0)
        if not granted:
            gone.cancel()
    if granted:
        await asyncio.sleep(0)  # the turn is granted, and not taken up yet
        gone.cancel()
    await asyncio.wait_for(stays, 5)
    assert log == ["stays"]
    assert gone.cancelled()


async def test_a_batch_without_a_worker_needs_no_turn() -> None:
    async with fetched("a", 0, 0, 1).turn():
        pass


# -- pace


def test_an_idle_worker_begins_an_epoch_at_once() -> None:
    assert Pace(SETTINGS).pause_s(gathering_s=0, since_epoch_s=60, applied=ONE, waiting=0) == 0


def test_a_trickle_leaves_time_between_epochs() -> None:
    pace = Pace(SETTINGS)
    assert pace.pause_s(0, 0.004, ONE, 0) == pytest.approx(SETTINGS.epoch_min_s - 0.004)
    pace.answered_within(0.05, 1)
    pace.answered_within(0.05, 1)
    assert pace.pause_s(0, 0.06, ONE, 0) == pytest.approx(0.04)
    pace.answered_within(60, 1)
    assert pace.pause_s(0, 0.06, ONE, 0) == pytest.approx(0.04), "one slow answer is not how it usually is"
    pace.answered_within(60, 1)
    assert pace.pause_s(0, 0, ONE, 0) == SETTINGS.epoch_max_s


def test_under_load_an_epoch_gathers_up_to_a_time_or_a_number() -> None:
    pace, many, some = Pace(SETTINGS), SETTINGS.epoch_max_records, Applied(100, 10_000)
    assert pace.pause_s(0.1, 60, some, many) == pytest.approx(SETTINGS.epoch_max_s - 0.1)
    assert pace.pause_s(SETTINGS.epoch_max_s, 60, some, many) == 0
    assert pace.pause_s(0.1, 60, Applied(SETTINGS.epoch_max_records, 1), many) == 0
    assert pace.pause_s(0.1, 60, Applied(100, SETTINGS.epoch_max_bytes), many) == 0


def most_records(pace: Pace) -> int:
    """How many records an epoch may hold, by asking."""
    least, most = 0, SETTINGS.epoch_max_records
    while least < most:
        middle = (least + most) // 2
        if pace.pause_s(0, 60, Applied(middle, 0), SETTINGS.epoch_max_records):
            least = middle + 1
        else:
            most = middle
    return least


def test_an_epoch_holds_more_as_long_as_the_broker_answers_soon_and_half_when_it_was_late() -> None:
    pace, first = Pace(SETTINGS), 5_000
    assert most_records(pace) == first
    pace.answered_within(0.01, 10)
    assert most_records(pace) == first, "a small one that was answered says nothing of a large one"
    for records in (5_000, 10_000, 20_000, 40_000, 80_000, 100_000):
        pace.answered_within(0.5, records)
    assert most_records(pace) == SETTINGS.epoch_max_records
    late_s = SETTINGS.message_timeout_s / 2
    pace.answered_within(late_s, 60_000)
    assert most_records(pace) == 30_000
    for _ in range(10):
        pace.answered_within(late_s, 30_000)
    assert most_records(pace) == 1_000


@pytest.mark.parametrize("records_per_s", [1_000, 3_000, 10_000, 50_000, 1_000_000])
def test_no_broker_is_given_more_than_it_acknowledges_before_records_expire(records_per_s: int) -> None:
    pace, answers, held = Pace(SETTINGS), list[float](), list[int]()
    for _ in range(100):  # a backlog without end: every epoch holds as much as it may
        held.append(most_records(pace))
        answers.append(held[-1] / records_per_s)
        pace.answered_within(answers[-1], held[-1])
    assert max(answers) < SETTINGS.message_timeout_s
    assert max(held[10:]) >= min(records_per_s, SETTINGS.epoch_max_records), "and a fast one is not held back"


def test_the_time_it_gathers_grows_with_what_waits() -> None:
    pace, most = Pace(SETTINGS), SETTINGS.epoch_max_records // 4
    pauses = [pace.pause_s(0, 60, ONE, waiting) for waiting in (0, most // 100, most // 2, most, 10 * most)]
    assert pauses == pytest.approx([SETTINGS.epoch_max_s * share for share in (0, 0.01, 0.5, 1, 1)])


# -- the loop


async def test_a_blocked_event_loop_is_measured() -> None:
    late: list[float] = []
    delay = LoopDelay(late.append)
    delay.start()
    time.sleep(0.3)  # noqa: ASYNC251 - the event loop is to be blocked
    await asyncio.sleep(0)
    while not late:  # noqa: ASYNC110 - a plain list
        await asyncio.sleep(0.01)
    delay.stop()
    assert late[0] >= 0.2


class Cycle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collector() -> Iterator[None]:
    """Leaves the interpreter's collector as it was."""
    yield
    gc.enable()
    gc.unfreeze()


@pytest.mark.usefixtures("collector")
async def test_new_cycles_are_freed_and_the_interpreter_looks_for_none() -> None:
    tenure = Tenure(lambda: False)
    tenure.start()
    assert not gc.isenabled()
    gone = weakref.ref(Cycle())
    while gone() is not None:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)
    tenure.stop()


@pytest.mark.usefixtures("collector")
async def test_what_is_recovered_is_never_looked_at() -> None:
    tenure, frozen = Tenure(lambda: True), gc.get_freeze_count()
    tenure.start()
    recovered = [[number] for number in range(100_000)]
    while gc.get_freeze_count() < frozen + len(recovered):  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)
    tenure.stop()
