"""The runner with a feed that the test speaks through; sink, backlog and delivery are the real ones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agents.ports import Outgoing
from connectors.channels.backlog import Waiting
from connectors.channels.base import Outcome, Result, Update, same_answer
from connectors.channels.doubts import Doubts
from connectors.channels.file import FileSink
from connectors.channels.positions import Unresolved
from connectors.channels.read_back import ReadBack
from domain.facts import Acknowledgement
from schemas import avro_files
from schemas.codec import Decoder, Encoder
from schemas.wire import SchemaRef
from streams.data_plane.failures import Unavailable
from streams.sink.feed import Assigned, CaughtUp, Fed
from streams.sink.runner import SinkRunner
from tests.conformance.rig import CHANNEL, Clock, Journal, Lifetime, update

TOPIC = f"channel-updates.{CHANNEL}"
SCHEMA_ID = 7


class Schemas:
    def __init__(self) -> None:
        self.loaded = False

    def by_id(self, schema_id: int) -> str | None:
        return avro_files.text("channel-updates") if self.loaded else None

    def by_guid(self, guid: object) -> str | None:
        raise AssertionError("no record here names a GUID")

    async def load(self, ref: SchemaRef) -> None:
        assert ref == SCHEMA_ID
        self.loaded = True


class Record:
    """A record as librdkafka hands it out."""

    def __init__(self, offset: int, listing: str, publish_seq: int, partition: int = 0) -> None:
        self._offset = offset
        self._partition = partition
        self._key = listing.encode()
        now = time.time_ns() // 1000
        fields = update(listing, publish_seq, planned_at=now)._asdict()
        self._value = Encoder(TOPIC, SCHEMA_ID).encode(fields)

    def key(self) -> bytes:
        return self._key

    def value(self) -> bytes:
        return self._value

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return (1, 0)

    def offset(self) -> int:
        return self._offset

    def partition(self) -> int:
        return self._partition


class Feed:
    """Hands out what the test puts in, one list a fetch, and notes what is committed."""

    def __init__(self, owner: SinkRunner) -> None:
        self.owner = owner
        self.fed: asyncio.Queue[list[Fed]] = asyncio.Queue()
        self.commits: list[dict[int, int]] = []
        self.at_close: dict[int, int] | None = None
        self.member = True
        self.rebalancing = False
        self.confirmed_at = self.committed_at = time.monotonic()

    async def fetch(self, commits: Mapping[int, int]) -> list[Fed]:
        if commits:
            self.commits.append(dict(commits))
            if self.member:
                self.confirmed_at = time.monotonic()
                if not self.rebalancing:
                    self.committed_at = self.confirmed_at
        try:
            async with asyncio.timeout(0.02):
                return await self.fed.get()
        except TimeoutError:
            return []

    async def close(self) -> None:
        self.at_close = dict(await self.owner.release([0]))


@dataclass
class WrittenLedger:
    written: list[Outgoing] = field(default_factory=list)
    repeated: list[Acknowledgement] = field(default_factory=list)
    out: bool = False

    async def write(self, records: Sequence[Outgoing]) -> None:
        if self.out:
            raise Unavailable("the broker is out")
        self.written += records

    async def repeat(self, acknowledgements: Sequence[Acknowledgement]) -> None:
        self.repeated += acknowledgements


class Bench:
    def __init__(self, path: Path) -> None:
        clock = Clock()
        self.file = FileSink(path, 10)
        self.journal = Journal()
        self.life = Lifetime(self.file, self.journal, clock)
        self.life.backlog.disown(3)
        self.life.latest.disown(3)
        delivery = self.life.delivery
        delivery.wall_clock = lambda: time.time_ns() // 1000
        delivery.monotonic = time.monotonic
        self.ledger = WrittenLedger()
        self.schemas = Schemas()
        self.runner = SinkRunner(
            CHANNEL,
            TOPIC,
            delivery,
            self.ledger,  # type: ignore[arg-type] - the part of it that the runner uses
            Decoder(self.schemas),
            self.schemas.load,
            fenced_after_s=5.0,
        )
        self.feed = Feed(self.runner)
        self.stop = asyncio.Event()

    async def run(self) -> None:
        await self.file.open()
        await self.runner.run(self.feed, self.stop)  # type: ignore[arg-type]

    async def until(self, condition: object) -> None:
        assert callable(condition)
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "web.jsonl")


async def test_nothing_is_sent_before_the_partition_has_caught_up(bench: Bench) -> None:
    running = asyncio.create_task(bench.run())
    bench.feed.fed.put_nowait([Assigned(0, []), Record(0, "L-1", 1)])
    await bench.until(lambda: len(bench.life.backlog) == 1)
    bench.feed.fed.put_nowait([Record(1, "L-1", 2)])
    bench.feed.fed.put_nowait([CaughtUp(0)])
    await bench.until(lambda: bench.journal.answers)
    assert bench.journal.outcomes() == [("L-1", 2, "ACCEPTED")]
    bench.stop.set()
    await running
    assert bench.feed.at_close == {0: 2}


class Reads:
    """What the channel shows, although all it is told goes to a file."""

    most_read = 10

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def shown(self, listings: Sequence[str]) -> Mapping[str, int | None]:
        self.asked += listings
        return dict.fromkeys(listings, 9)


def in_doubt(bench: Bench, partition: int = 0) -> ReadBack:
    """Reads back; a call of before had no answer."""
    delivery, reads = bench.life.delivery, Reads()
    back = ReadBack(reads, Doubts(0.2, 3), delivery.backlog, delivery.latest, bench.journal.write_down)
    back.doubts.unanswered(Waiting(partition, 0, update("L-1", 1, 9), "P2", 0), time.monotonic())
    delivery.read_back = back
    return back


async def test_a_sink_with_nothing_else_to_do_reads_back_and_tells_again(bench: Bench) -> None:
    running = asyncio.create_task(bench.run())
    in_doubt(bench)
    bench.feed.fed.put_nowait([Assigned(0, []), Record(0, "L-1", 2), CaughtUp(0)])
    await bench.until(lambda: len(bench.journal.answers) == 2)
    bench.stop.set()
    await running
    assert [one.previous_quantity for one in bench.journal.acknowledgements] == [None, 9]
    assert bench.feed.at_close == {0: 1}


async def test_a_partition_that_was_lost_takes_its_doubts_along(bench: Bench) -> None:
    running = asyncio.create_task(bench.run())
    back = in_doubt(bench)
    bench.feed.fed.put_nowait([Assigned(0, [])])
    await bench.until(lambda: bench.life.backlog.partitions)
    bench.runner.lose([0])
    assert len(back.doubts) == 0
    bench.stop.set()
    await running


async def test_a_call_without_answer_of_the_process_before_is_read_back(bench: Bench) -> None:
    running = asyncio.create_task(bench.run())
    back = in_doubt(bench, partition=7)
    now = time.time_ns() // 1000
    accepted = Acknowledgement(CHANNEL, "L-2", 2, "ACCEPTED", 4, 0, None, now - 100_000)
    unanswered = Acknowledgement(CHANNEL, "L-2", 1, "UNKNOWN", 9, 0, None, now - 200_000)
    bench.feed.fed.put_nowait([Assigned(0, [accepted], [Unresolved([unanswered], accepted)]), CaughtUp(0)])
    await bench.until(lambda: bench.journal.answers)
    bench.stop.set()
    await running
    (told,) = bench.journal.acknowledgements
    assert (told.listing, told.publish_seq, told.quantity, told.previous_quantity) == ("L-2", 2, 4, 9)
    assert back.tallies.overtaken == 1


async def test_what_may_have_been_sent_before_is_written_down_before_a_newer_value_takes_its_place(
    bench: Bench,
) -> None:
    running = asyncio.create_task(bench.run())
    back = in_doubt(bench, partition=7)
    bench.feed.fed.put_nowait([Assigned(0, []), Record(0, "L-2", 1), Record(1, "L-2", 2), Record(2, "L-3", 1)])
    await bench.until(lambda: bench.journal.rows)
    assert len(back.doubts) == 3
    assert [(row.listing, row.publish_seq, attempt) for row, attempt in bench.journal.rows] == [("L-2", 1, True)]
    bench.feed.fed.put_nowait([CaughtUp(0), Record(3, "L-4", 1)])
    await bench.until(lambda: len(bench.journal.answers) == 3)
    bench.stop.set()
    await running
    written = [(row.listing, row.publish_seq, row.outcome) for row, _ in bench.journal.rows]
    for listing, publish_seq in (("L-2", 2), ("L-3", 1)):
        suspected, settled = (
            written.index((listing, publish_seq, outcome)) for outcome in ("UNKNOWN", "ACCEPTED")
        )
        assert suspected < settled
    assert ("L-4", 1, "UNKNOWN") not in written


async def test_what_is_suspected_is_durable_before_a_partition_is_opened_and_newer_values_are_sent(
    bench: Bench,
) -> None:
    bench.life.journal.holds = asyncio.Event()
    running = asyncio.create_task(bench.run())
    in_doubt(bench, partition=7)
    fed = [Assigned(0, []), Record(0, "L-2", 1), Record(1, "L-2", 2), CaughtUp(0), Record(2, "L-2", 3)]
    bench.feed.fed.put_nowait(fed)
    await bench.until(lambda: bench.life.backlog.partitions)
    await asyncio.sleep(0.1)
    assert bench.life.delivery.tallies.calls == 0
    bench.life.journal.holds.set()
    await bench.until(lambda: bench.journal.answers)
    bench.stop.set()
    await running
    assert bench.journal.outcomes() == [("L-2", 3, "ACCEPTED")]
    assert [row.publish_seq for row, attempt in bench.journal.rows if attempt] == [1, 2]


async def test_a_sink_whose_membership_is_not_confirmed_asks_and_sends_nothing_until_it_is(bench: Bench) -> None:
    bench.feed.confirmed_at = float("-inf")
    bench.feed.member = False
    running = asyncio.create_task(bench.run())
    bench.feed.fed.put_nowait([Assigned(0, []), Record(0, "L-1", 1), CaughtUp(0)])
    await bench.until(lambda: len(bench.feed.commits) >= 3)
    assert bench.journal.answers == []
    assert bench.feed.commits[-1] == {0: 0}
    bench.feed.member = True
    await bench.until(lambda: bench.journal.answers)
    bench.stop.set()
    await running


async def test_a_commit_refused_in_a_rebalance_that_confirms_membership_is_asked_for_again(bench: Bench) -> None:
    bench.feed.rebalancing = True
    running = asyncio.create_task(bench.run())
    bench.feed.fed.put_nowait([Assigned(0, []), Record(0, "L-1", 1), CaughtUp(0)])
    await bench.until(lambda: bench.feed.commits.count({0: 1}) >= 2)
    bench.feed.rebalancing = False
    asked = len(bench.feed.commits)
    await bench.until(lambda: len(bench.feed.commits) > asked)
    bench.stop.set()
    await running


async def test_a_partition_that_was_lost_is_forgotten_with_what_waited_for_it(bench: Bench) -> None:
    running = asyncio.create_task(bench.run())
    bench.feed.fed.put_nowait([Assigned(0, []), Record(0, "L-1", 1)])
    await bench.until(lambda: len(bench.life.backlog) == 1)
    bench.runner.lose([0])
    bench.feed.fed.put_nowait([Record(1, "L-1", 2), CaughtUp(0)])
    await bench.until(bench.feed.fed.empty)
    bench.stop.set()
    await running
    assert bench.journal.answers == []
    assert bench.feed.at_close == {}


async def test_an_update_that_was_answered_before_is_acknowledged_again_and_not_sent(bench: Bench) -> None:
    before = Acknowledgement(CHANNEL, "L-1", 5, "ACCEPTED", 5, 120, None, 1_767_225_610_000_000)
    running = asyncio.create_task(bench.run())
    bench.feed.fed.put_nowait([Assigned(0, [before]), Record(0, "L-1", 4), Record(1, "L-1", 5), CaughtUp(0)])
    await bench.until(lambda: bench.ledger.repeated)
    bench.stop.set()
    await running
    assert bench.ledger.repeated == [before]
    assert bench.journal.answers == []
    assert bench.feed.at_close == {0: 2}


async def test_nothing_is_committed_when_a_dead_letter_could_not_be_written(bench: Bench) -> None:
    bench.ledger.out = True
    poison = Record(0, "L-1", 1)
    poison._value = b"not avro"
    running = asyncio.create_task(bench.run())
    bench.feed.fed.put_nowait([Assigned(0, []), poison, CaughtUp(0)])
    with pytest.raises(Unavailable, match="the broker is out"):
        await running
    assert bench.feed.at_close == {}
    assert bench.feed.commits == []


async def test_nothing_is_settled_when_an_acknowledgement_could_not_be_written(bench: Bench) -> None:
    async def refuse(_answers: object) -> None:
        raise Unavailable("the broker is out")

    bench.life.delivery.acknowledge = refuse
    running = asyncio.create_task(bench.run())
    bench.feed.fed.put_nowait([Assigned(0, []), Record(0, "L-1", 1), CaughtUp(0)])
    with pytest.raises(Unavailable, match="the broker is out"):
        await running
    assert bench.feed.at_close == {}


class Bulk:
    """Takes everything, and accepts it when it is gone on with while ``open``."""

    def __init__(self) -> None:
        self.open = False
        self.held: list[Update] = []
        self.told: list[str] = []
        self.asked = 0

    def room(self, waiting: int) -> int:
        return 100

    def submit(self, batch: Sequence[Update]) -> None:
        self.held += batch

    def hurry(self, listing: str) -> None:
        self.told.append(f"hurry {listing}")

    def taken_over(self) -> None:
        self.told.append("taken over")

    def given_up(self) -> None:
        self.told.append("given up")

    def hold_s(self) -> float:
        return 0.0

    async def go_on(self) -> Sequence[Result]:
        self.asked += 1
        held, self.held = (self.held, []) if self.open else ([], self.held)
        return same_answer(held, Outcome.ACCEPTED)


@pytest.fixture
def with_bulk(bench: Bench) -> tuple[Bench, Bulk]:
    bulk = Bulk()
    bench.life.delivery.bulk = bulk
    bench.life.backlog.overtaken = lambda newer: bulk.hurry(newer.update.listing)
    return bench, bulk


async def test_answers_that_come_later_are_settled_and_committed(with_bulk: tuple[Bench, Bulk]) -> None:
    bench, bulk = with_bulk
    running = asyncio.create_task(bench.run())
    bench.feed.fed.put_nowait([Assigned(0, []), Record(0, "L-1", 1), CaughtUp(0)])
    await bench.until(lambda: bulk.held)
    bench.feed.fed.put_nowait([Record(1, "L-1", 2)])
    await bench.until(lambda: "hurry L-1" in bulk.told)
    assert bench.journal.answers == []
    bulk.open = True
    await bench.until(lambda: len(bench.journal.answers) == 2)
    bench.stop.set()
    await running
    assert bench.journal.outcomes() == [("L-1", 1, "ACCEPTED"), ("L-1", 2, "ACCEPTED")]
    assert bench.feed.at_close == {0: 2}
    assert bulk.told == ["taken over", "hurry L-1", "given up"]


async def test_nothing_is_submitted_by_a_sink_whose_membership_is_not_confirmed(
    with_bulk: tuple[Bench, Bulk],
) -> None:
    bench, bulk = with_bulk
    bench.feed.confirmed_at = float("-inf")
    bench.feed.member = False
    running = asyncio.create_task(bench.run())
    bench.feed.fed.put_nowait([Assigned(0, []), Record(0, "L-1", 1), CaughtUp(0)])
    await bench.until(lambda: len(bench.feed.commits) >= 3)
    assert bulk.asked == 0
    assert bulk.held == []
    bench.stop.set()
    await running
