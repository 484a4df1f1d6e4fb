"""The parts of a round that need no broker: what a seed decides, the proxy, the stepped clock, the traffic."""

from __future__ import annotations

import asyncio
import datetime
import itertools
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from connectors.registry import SchemaRegistry
from connectors.registry_http import RegistryHttp
from domain.facts import SECOND
from domain.listing_map import Listed
from schemas.codec import Decoder, SchemaNotLoaded
from schemas.rejections import OVERSIZED, Rejection
from schemas.topics import LISTINGS, event_topics
from streams.local.ports import LOOPBACK, free_port
from streams.local.registry.daemon import LocalRegistry
from streams.worker.partitioning import partition_of_key
from tests.chaos.assortment import NEVER_HEARD_OF, SKU_NAMES, Assortment, among
from tests.chaos.clocks import SteppedClock
from tests.chaos.evidence import CommitObservation, Intent
from tests.chaos.mixture import Mixture, Planned
from tests.chaos.plan import BROKER_FAULTS, LONGEST_S, WEIGHTS, Fault, backlog_plan_of, plan_of
from tests.chaos.proxy import Proxy
from tests.chaos.retail import Retail
from tests.chaos.watch import lag_of
from tests.chaos.writers import Writers

PARTITIONS = 6
T0 = 1_770_000_000 * SECOND
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def test_a_seed_always_tells_the_same_round() -> None:
    assert plan_of(7) == plan_of(7)
    assert len({str(plan_of(seed)) for seed in range(50)}) == 50


def test_a_hundred_seeds_have_every_fault_and_every_topology() -> None:
    plans = [plan_of(seed, stores=("memory", "rocksdb")) for seed in range(1, 101)]
    assert {deed.fault for plan in plans for deed in plan.deeds} == set(WEIGHTS)
    assert {(plan.partitions, plan.workers) for plan in plans} == {(p, w) for p in (6, 24) for w in (1, 2, 3)}
    assert all(sum(deed.fault in BROKER_FAULTS for deed in plan.deeds) <= 1 for plan in plans)
    assert all(deed.at_s <= LONGEST_S for plan in plans for deed in plan.deeds)


def test_a_round_with_a_backlog_kills_in_the_middle_of_two_epochs_and_does_something_else() -> None:
    assert backlog_plan_of(7) == backlog_plan_of(7)
    for plan in map(backlog_plan_of, range(50)):
        faults = Counter(deed.fault for deed in plan.deeds)
        assert (plan.backlog, plan.warm, faults.pop(Fault.KILL_WRITING)) == (300_000, False, 2)
        assert faults.total() == 1
        assert set(faults) <= set(WEIGHTS)


def test_the_disk_fills_up_only_where_a_store_is_on_disk() -> None:
    faults = {deed.fault for seed in range(200) for deed in plan_of(seed, stores=("memory",)).deeds}
    assert Fault.DISK_FULL not in faults


def test_about_half_of_the_rounds_have_listings_of_one_of_their_channels() -> None:
    plans = [plan_of(seed) for seed in range(200)]
    assert 80 < sum(bool(plan.listings) for plan in plans) < 120
    assert {plan.listings for plan in plans} == {"", "web", "amazon"}
    assert all(plan.listings in ("", *plan.channels) for plan in plans)
    assert "listings of web" in str(next(plan for plan in plans if plan.listings == "web"))


# -- traffic


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> SchemaRegistry:
    server = LocalRegistry(tmp_path_factory.mktemp("registry"))
    server.start()
    yield SchemaRegistry(RegistryHttp(server.url))
    server.stop()


def records(registry: SchemaRegistry, newest: bool = False) -> list[Planned]:
    mixture = Mixture(1, PARTITIONS, Writers(registry, 1), newest)
    return list(mixture.records(Retail(1, 100, START).lines(4_000)))


def decoded(decoder: Decoder, registry: SchemaRegistry, record: Planned) -> object:
    while True:
        try:
            return decoder.decode(record.topic, record.key, record.value, record.headers)
        except SchemaNotLoaded as missing:
            registry.load(missing.ref)


@pytest.mark.parametrize("newest", [False, True])
def test_every_record_is_what_was_meant(registry: SchemaRegistry, newest: bool) -> None:
    made = records(registry, newest)
    assert {record.intent for record in made} == set(Intent)
    assert {record.topic for record in made} == {topic.name for topic in event_topics()}
    decoder = Decoder(registry)
    for record in made:
        said = decoded(decoder, registry, record)
        if record.intent in (Intent.POISON, Intent.OVERSIZED):
            assert isinstance(said, Rejection), record
            assert (said.code == OVERSIZED) == (record.intent is Intent.OVERSIZED)
        else:
            assert not isinstance(said, Rejection), (record, said)
            home = partition_of_key(record.key or b"", PARTITIONS)
            assert (record.partition in (None, home)) == (record.intent is not Intent.MISROUTED)


def test_many_kinds_of_poison_are_mixed_in(registry: SchemaRegistry) -> None:
    decoder = Decoder(registry)
    codes = Counter(
        getattr(decoded(decoder, registry, record), "code", "")
        for record in records(registry)
        if record.intent is Intent.POISON
    )
    assert set(codes) >= {
        "EMPTY",
        "TRUNCATED",
        "WRONG_MAGIC",
        "UNKNOWN_SCHEMA",
        "WRONG_SCHEMA",
        "MALFORMED",
        "TRAILING_BYTES",
        "KEY_MISMATCH",
        "INVALID_TEXT",
        "MISSING_FIELD",
    }


def test_duplicates_repeat_bytes_that_came_before(registry: SchemaRegistry) -> None:
    seen: set[tuple[object, ...]] = set()
    for record in records(registry):
        content = (record.topic, record.key, record.value, record.headers)
        assert record.intent is not Intent.DUPLICATE or content in seen
        seen.add(content)


class Seconds:
    """A clock that goes on by a quarter of a second whenever it is asked."""

    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> int:
        self.now += SECOND // 4
        return self.now


def statements(registry: SchemaRegistry, count: int) -> list[Planned]:
    assortment = Assortment(1, "web", 150, Writers(registry, 1), Seconds())
    return list(itertools.islice(assortment.records(), count))


def test_every_statement_about_a_listing_is_what_was_meant(registry: SchemaRegistry) -> None:
    decoder, codes = Decoder(registry), set()
    for record in statements(registry, 4_000):
        said = decoded(decoder, registry, record)
        assert record.topic == LISTINGS.name
        assert isinstance(said, Rejection) == (record.intent is Intent.POISON), (record, said)
        codes.add(getattr(said, "code", ""))
    assert codes >= {"EMPTY", "TRUNCATED", "UNKNOWN_SCHEMA", "KEY_MISMATCH", "MISSING_FIELD", "ABSURD_QUANTITY"}


def test_listings_move_change_their_packs_end_and_are_spoken_of_late_and_twice(registry: SchemaRegistry) -> None:
    decoder, made = Decoder(registry), statements(registry, 400)
    said = [decoded(decoder, registry, record) for record in made if record.intent is Intent.VALID]
    written = [each for each in said if isinstance(each, Listed) and each.as_of]
    assert sum(record.value is None for record in made) > 5, "messages without a value"
    assert sum(record.intent is Intent.DUPLICATE for record in made) > 20
    assert sum(each.sku is None for each in written) > 20
    assert sum(after.as_of < before.as_of for before, after in itertools.pairwise(written)) > 20, "late"
    assert {each.pack_size for each in written} == {1, 2, 3, 6}
    assert len({each.as_of for each in written}) < len(written), "several of one instant"
    moves: dict[str, set[str | None]] = {}
    for each in written:
        moves.setdefault(each.listing, set()).add(each.sku)
    assert sum(len(skus) > 3 for skus in moves.values()) > 20
    assert sum(name.startswith("SKU-") for name in moves) == SKU_NAMES
    assert any(name in skus for name, skus in moves.items()), "a SKU that is a listing of its own name"
    assert any(NEVER_HEARD_OF in skus for skus in moves.values())


def test_statements_come_among_the_events_and_change_none(registry: SchemaRegistry) -> None:
    events = records(registry)[:200]
    mixed = list(among(iter(events), iter(statements(registry, 50)), 20))
    assert [record for record in mixed if record.topic != LISTINGS.name] == events
    assert [number for number, record in enumerate(mixed) if record.topic == LISTINGS.name] == list(
        range(20, 210, 21)
    )


# -- time


def test_a_stepped_clock_moves_the_wall_clock_and_no_other(tmp_path: Path) -> None:
    clock = SteppedClock(tmp_path / "clock")
    asked = "import sys, time as t\nfor _ in sys.stdin: print(t.time(), t.time_ns(), t.monotonic(), flush=True)"
    child = subprocess.Popen(
        [sys.executable, "-c", asked],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=clock.environment(),
    )

    def told() -> tuple[float, ...]:
        child.stdin.write("?\n")  # type: ignore[union-attr]
        child.stdin.flush()  # type: ignore[union-attr]
        return tuple(map(float, child.stdout.readline().split()))  # type: ignore[union-attr]

    try:
        for step in (0.0, 600.0, -600.0, 0.0):
            clock.step(step)
            before, (wall, nanoseconds, monotonic), after = time.time(), told(), time.time()
            assert before + step - 0.001 <= wall <= after + step + 0.001
            assert before + step - 0.001 <= nanoseconds / 1e9 <= after + step + 0.001
            assert monotonic <= time.monotonic()
    finally:
        child.kill()
        child.wait()


# -- network


class Echo:
    """A server that answers what it hears, behind a proxy."""

    async def __aenter__(self) -> Echo:
        self._server = await asyncio.start_server(self._answer, LOOPBACK, 0)
        self.proxy = Proxy(self._server.sockets[0].getsockname()[1])
        self.port = free_port()
        await self.proxy.open(self.port)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.proxy.close()
        self._server.close()

    async def ask(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(LOOPBACK, self.port)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while heard := await reader.read(1_000):
            writer.write(heard)
        writer.close()


async def test_the_proxy_forwards_in_both_directions() -> None:
    async with Echo() as echo:
        reader, writer = await echo.ask()
        writer.write(b"x" * 500_000)
        assert await reader.readexactly(500_000) == b"x" * 500_000
        writer.close()


async def test_cut_connections_are_reset_and_new_ones_work() -> None:
    async with Echo() as echo:
        reader, writer = await echo.ask()
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        await echo.proxy.cut()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        reader, writer = await echo.ask()
        writer.write(b"two")
        assert await reader.readexactly(3) == b"two"


async def test_silence_holds_everything_back_and_loses_nothing() -> None:
    async with Echo() as echo:
        reader, writer = await echo.ask()
        await echo.proxy.silence()
        writer.write(b"one")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        await echo.proxy.speak()
        assert await reader.readexactly(3) == b"one"


async def test_a_refusing_proxy_lets_nobody_in() -> None:
    async with Echo() as echo:
        echo.proxy.refusing = True
        reader, _ = await echo.ask()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)


# -- lag


def test_lag_counts_what_is_after_the_committed_offsets() -> None:
    places = [("a", 0), ("a", 1)]
    seen = CommitObservation(0.0, {("a", 0): 3}, {("a", 0): 5, ("a", 1): 7, ("b", 0): 100})
    assert lag_of(seen, places) == 9
