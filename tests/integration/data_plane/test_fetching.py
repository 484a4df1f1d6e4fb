"""The fetch thread and the changelog reader on a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from faust.types import TP

from streams.data_plane.batch import Batch, End, Fetched
from streams.data_plane.changelog import ChangelogReader, end_offsets
from streams.data_plane.failures import Misconfigured, PlaneFailure
from streams.data_plane.fetch import FetchThread
from streams.data_plane.gaps import gap_is_proven
from streams.data_plane.lanes import Lanes
from streams.data_plane.settings import PlaneSettings
from streams.data_plane.topics import check_topics

pytestmark = pytest.mark.integration

RECORD_BYTES = 1_000
OVERHEAD_BYTES = 400


@pytest.fixture
def topic(kafka: str, unique: Callable[[str], str]) -> str:
    name = unique("fetch")
    admin = AdminClient({"bootstrap.servers": kafka})
    for future in admin.create_topics([NewTopic(name, 2, 1)]).values():
        future.result(timeout=30)
    return name


def write(bootstrap: str, topic: str, count: int, partition: int, start: int = 0) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in range(start, start + count):
        producer.produce(topic, key=b"%d" % number, value=bytes(RECORD_BYTES), partition=partition)
        producer.poll(0)
    assert producer.flush(60) == 0


class Sink:
    """Takes what the thread hands out; applies it when told to."""

    def __init__(self, settings: PlaneSettings) -> None:
        self.batches: list[Batch] = []
        self.ends: list[End] = []
        self.failures: list[PlaneFailure] = []
        self.tokens: set[int] = set()
        self.thread = FetchThread(settings, asyncio.get_running_loop(), self.take, self.failures.append)
        self.thread.start()

    def take(self, token: int, fetched: list[Fetched]) -> None:
        self.tokens.add(token)
        for part in fetched:
            if isinstance(part, End):
                self.ends.append(part)
            else:
                self.batches.append(part)

    def offsets(self, tp: TP) -> list[int]:
        return [record.offset() for batch in self.batches if batch.tp == tp for record in batch.records]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110 - the thread's results arrive in plain lists
                await asyncio.sleep(0.02)


async def test_fetching_rests_while_nothing_is_applied_and_goes_on_without_a_gap(kafka: str, topic: str) -> None:
    settings = PlaneSettings(
        app_id="fetch",
        bootstrap_servers=kafka,
        batch_max_records=100,
        partition_max_bytes=500_000,
        fetch_ahead_max_kbytes=1_000,
    )
    slow, quick = TP(topic, 0), TP(topic, 1)
    write(kafka, topic, 5_000, 0)
    write(kafka, topic, 5_000, 1)
    sink = Sink(settings)
    sink.thread.assign(1, {slow: None, quick: None})
    applied = 0

    def apply_quick() -> bool:
        nonlocal applied
        for batch in sink.batches[applied:]:
            if batch.tp == quick:
                sink.thread.release(batch)
        applied = len(sink.batches)
        return len(sink.offsets(quick)) == 5_000

    await sink.until(apply_quick)
    held = sum(batch.size for batch in sink.batches if batch.tp == slow)
    one_poll = 4 * settings.batch_max_records * (RECORD_BYTES + OVERHEAD_BYTES)
    assert held <= settings.partition_max_bytes + one_poll
    released = 0

    def apply_slow() -> bool:
        nonlocal released
        waiting = [batch for batch in sink.batches if batch.tp == slow][released:]
        for batch in waiting:
            sink.thread.release(batch)
        released += len(waiting)
        return len(sink.offsets(slow)) >= 5_000

    await sink.until(apply_slow)
    assert sink.offsets(slow) == list(range(5_000))
    assert sink.offsets(quick) == list(range(5_000))
    assert not sink.failures
    sink.thread.stop()


async def test_all_memory_in_use_stops_fetching_altogether(kafka: str, topic: str) -> None:
    settings = PlaneSettings(
        app_id="fetch", bootstrap_servers=kafka, batch_max_records=50, buffered_max_bytes=300_000
    )
    write(kafka, topic, 3_000, 0)
    sink = Sink(settings)
    sink.thread.assign(1, {TP(topic, 0): None})
    await sink.until(lambda: sink.thread.buffered_bytes >= settings.buffered_max_bytes)
    await asyncio.sleep(0.5)
    assert sink.thread.pauses == 1
    assert sink.thread.buffered_bytes <= settings.buffered_max_bytes + 4 * 50 * (RECORD_BYTES + OVERHEAD_BYTES)
    sink.thread.stop()


async def test_urgent_records_arrive_while_the_memory_of_all_others_is_full(
    kafka: str, topic: str, unique: Callable[[str], str]
) -> None:
    urgent = unique("urgent")
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(urgent, 1, 1)])[urgent].result(timeout=30)
    settings = PlaneSettings(
        app_id="fetch",
        bootstrap_servers=kafka,
        batch_max_records=50,
        buffered_max_bytes=300_000,
        urgent=frozenset({urgent}),
    )
    write(kafka, topic, 3_000, 0)
    batches: list[Batch] = []

    def deliver(token: int, fetched: list[Fetched]) -> None:
        batches.extend(part for part in fetched if isinstance(part, Batch))

    lanes = Lanes(settings, asyncio.get_running_loop(), deliver, lambda failure: None)
    lanes.start()
    lanes.assign(1, {TP(topic, 0): None, TP(urgent, 0): None})
    async with asyncio.timeout(60):
        while lanes.buffered_bytes < settings.buffered_max_bytes:  # noqa: ASYNC110 - counted in another thread
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        write(kafka, urgent, 10, 0)
        while sum(len(batch) for batch in batches if batch.tp.topic == urgent) < 10:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
    bulk = [batch for batch in batches if batch.tp.topic == topic]
    assert sum(map(len, bulk)) < 3_000
    assert lanes.pauses >= 1
    assert bulk[0].behind == 3_000 - bulk[0].next
    lanes.stop()


async def test_batches_are_bounded_and_the_end_is_told(kafka: str, topic: str) -> None:
    settings = PlaneSettings(
        app_id="fetch", bootstrap_servers=kafka, batch_max_records=1_000, batch_max_bytes=50_000
    )
    write(kafka, topic, 500, 0)
    sink = Sink(settings)
    sink.thread.assign(1, {TP(topic, 0): 100})
    await sink.until(lambda: End(TP(topic, 0), 500) in sink.ends)
    assert sink.offsets(TP(topic, 0)) == list(range(100, 500))
    assert max(len(batch) for batch in sink.batches) <= 50
    sink.thread.stop()


async def test_a_new_assignment_replaces_the_old_one(kafka: str, topic: str) -> None:
    settings = PlaneSettings(app_id="fetch", bootstrap_servers=kafka)
    write(kafka, topic, 100, 0)
    write(kafka, topic, 100, 1)
    sink = Sink(settings)
    sink.thread.assign(1, {TP(topic, 0): 0})
    await sink.until(lambda: len(sink.offsets(TP(topic, 0))) == 100)
    sink.batches.clear()
    sink.thread.assign(2, {TP(topic, 1): 40})
    await sink.until(lambda: len(sink.offsets(TP(topic, 1))) == 60)
    assert {batch.token for batch in sink.batches} == {2}
    assert sink.offsets(TP(topic, 0)) == []
    sink.thread.stop()


def test_a_gap_is_proven_only_when_the_log_has_none_of_the_records(kafka: str, topic: str) -> None:
    settings = PlaneSettings(app_id="fetch", bootstrap_servers=kafka)
    write(kafka, topic, 10, 0)
    assert gap_is_proven(settings, TP(topic, 0), 10, 10)
    assert not gap_is_proven(settings, TP(topic, 0), 3, 6)


@pytest.mark.parametrize("broker", ["kafka", "embedded"])
def test_a_changelog_is_read_to_its_true_end(
    broker: str, unique: Callable[[str], str], request: pytest.FixtureRequest
) -> None:
    bootstrap: str = request.getfixturevalue(broker)
    name = unique("rows")
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(name, 2, 1)]).values():
        future.result(timeout=30)
    write(bootstrap, name, 700, 0)
    write(bootstrap, name, 300, 0, start=700)
    write(bootstrap, name, 40, 1)
    settings = replace(PlaneSettings(app_id="rows", bootstrap_servers=bootstrap), recovery_batch_records=128)
    reader = ChangelogReader(settings, {TP(name, 0)}, {TP(name, 1)})
    reader.start()
    rows = []
    while not reader.done:
        for tp, more in reader.read().items():
            assert tp == TP(name, 0)
            rows.extend(more)
    reader.close()
    assert [key for key, _ in rows] == [b"%d" % number for number in range(1_000)]
    assert reader.ends == {TP(name, 0): 1_000, TP(name, 1): 40}
    assert sum(reader.remaining.values()) == 0


def test_end_offsets_are_listed(kafka: str, topic: str) -> None:
    write(kafka, topic, 7, 1)
    settings = PlaneSettings(app_id="ends", bootstrap_servers=kafka)
    assert end_offsets(settings, [TP(topic, 0), TP(topic, 1)]) == {TP(topic, 0): 0, TP(topic, 1): 7}


def test_a_partition_that_is_gone_is_no_outage(kafka: str, topic: str) -> None:
    settings = PlaneSettings(app_id="ends", bootstrap_servers=kafka)
    with pytest.raises(Misconfigured, match="does not exist"):
        end_offsets(settings, [TP(topic, 0), TP(topic, 9)])


def test_topic_problems_are_listed_together(kafka: str, topic: str, unique: Callable[[str], str]) -> None:
    settings = PlaneSettings(app_id="check", bootstrap_servers=kafka)
    other = unique("other")
    assert check_topics(settings, [topic]) == []
    (problem,) = check_topics(settings, [topic], [other])
    assert other in problem
