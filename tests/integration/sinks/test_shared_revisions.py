"""Revisions that sinks count together, against a real server: the model's answers, and a store that is lost."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr
from redis.asyncio import Redis

from connectors.channels.base import Outcome
from connectors.channels.capped import USED_UP, CappedSink
from connectors.channels.ebay import EbaySettings, EbaySink
from connectors.revisions import SharedRevisions
from connectors.revisions_store import RevisionStore
from domain.facts import Micros
from domain.limits_listing import DAY, DailyRevisions
from domain.limits_sharing import Question, Verdict
from streams.demo.shops.vendor import TOKEN_PATH
from streams.local.redis import LocalRedis
from tests.conformance.rig import update
from tests.fakes.ebay import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, FakeEbay
from tests.integration.sinks.waiting import until
from tests.simulation.revisions_store import Store

TODAY = 20_500
NOON: Micros = TODAY * DAY + DAY // 2
MOST, KEPT = 12, 4
_lives = itertools.count(1)


def life(revisions: int = MOST, kept: int = KEPT) -> DailyRevisions:
    return DailyRevisions(revisions, kept, life=f"life-{next(_lives)}")


@asynccontextmanager
async def opened(
    url: str, account: str, cap: DailyRevisions | None = None, timeout_s: float = 5.0
) -> AsyncIterator[SharedRevisions]:
    shared = SharedRevisions(url, account, cap or life(), lambda: NOON, timeout_s=timeout_s, look_every_s=0.02)
    await shared.open()
    try:
        yield shared
    finally:
        await shared.close()


async def revised(shared: SharedRevisions, listing: str, times: int, *, stop_sell: bool = False) -> int:
    """How many of so many attempts were allowed."""
    made = 0
    for _ in range(times):
        if await shared.reserve({listing: stop_sell}):
            shared.used(listing)
            made += 1
    return made


async def counted(redis: Redis, account: str, listing: str) -> int:
    key = f"atstream:revisions:{{{account}}}:{TODAY}:{listing}"
    return sum(int(count) for count in await redis.hvals(key))


async def becomes(redis: Redis, account: str, listing: str, count: int) -> None:
    async with asyncio.timeout(20):
        while await counted(redis, account, listing) != count:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)


async def test_the_script_answers_as_its_model(redis_server: str, unique: Callable[[str], str]) -> None:
    seen = dict.fromkeys(Verdict, 0)
    for seed in range(20):
        random, account, model = Random(seed), unique("model"), Store(room=3)
        stores = {name: RevisionStore(redis_server, account, name, 3, 5.0) for name in "abc"}
        for store in stores.values():
            await store.connect()
        for _ in range(50):
            name, day = random.choice("abc"), random.choice([TODAY, TODAY, TODAY + 1])
            questions = {
                listing: Question(
                    random.randrange(8),
                    random.choice([4, 8, 20]),
                    {one: random.randrange(1, 6) for one in random.sample("abcd", random.randrange(4))},
                )
                for listing in random.sample("KLMNO", random.randrange(5))
            }
            told = await stores[name].ask(day, DAY, questions)
            expected = model.ask(name, day, questions)
            seen.update({one.verdict: seen[one.verdict] + 1 for one in told.told.values()})
            assert told.told == expected.told, f"seed {seed}"
        for store in stores.values():
            await store.drop()
    assert min(seen.values()) > 50


async def test_a_batch_is_one_round_trip_also_after_the_server_forgot_the_scripts(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    listings = [f"L-{number}" for number in range(25)]
    store = RevisionStore(redis_server, unique("batch"), "a", 100, 5.0)
    await store.connect()
    questions = {listing: Question(1, 250, {}) for listing in listings}
    await store.ask(TODAY, DAY, questions)
    before = store.round_trips
    told = await store.ask(TODAY, DAY, questions)
    assert store.round_trips == before + 1
    # Asked again, it is the same revision.
    assert {one.verdict for one in told.told.values()} == {Verdict.GRANTED}
    assert {one.counts["a"] for one in told.told.values()} == {1}
    async with Redis.from_url(redis_server) as redis:
        await redis.script_flush()
    assert (await store.ask(TODAY, DAY, questions)).told == told.told
    await store.drop()


async def test_keys_expire_an_hour_after_the_day_they_are_of(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    account = unique("expiry")
    async with opened(redis_server, account) as one, Redis.from_url(redis_server) as redis:
        await revised(one, "L", 1)
        for key in (f"atstream:revisions:{{{account}}}:{TODAY}", f"atstream:revisions:{{{account}}}:{TODAY}:L"):
            # Twelve hours and one, by the clock of the sink.
            assert 12 * 3_600_000 < await redis.pttl(key) <= 13 * 3_600_000


async def test_several_sinks_of_an_account_keep_to_the_cap_and_its_reserve_together(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    account = unique("together")
    async with opened(redis_server, account) as one, opened(redis_server, account) as other:
        made = await asyncio.gather(revised(one, "L", MOST), revised(other, "L", MOST))
        assert sum(made) == MOST - KEPT
        stopped = await asyncio.gather(
            revised(one, "L", MOST, stop_sell=True), revised(other, "L", MOST, stop_sell=True)
        )
        assert sum(stopped) == KEPT
        assert await revised(other, "M", 1) == 1


async def test_a_sink_that_is_started_again_sees_what_was_counted_before(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    account = unique("restart")
    async with opened(redis_server, account) as one:
        assert await revised(one, "L", 5) == 5
        assert await one.reserve({"L": False})  # and was not used: it ends with this sink
    async with opened(redis_server, account) as again:
        assert await revised(again, "L", MOST) == MOST - KEPT - 6


async def test_without_a_store_a_sink_goes_on_with_its_own_count_and_never_waits_for_long() -> None:
    async with opened("redis://127.0.0.1:1/0", "nowhere") as one:
        assert await revised(one, "L", 2 * MOST) == MOST - KEPT
        assert await revised(one, "L", 2 * MOST, stop_sell=True) == KEPT
        assert one.degraded


def forget(directory: Path) -> None:
    for file in directory.rglob("*.rdb"):
        file.unlink()


async def test_a_store_that_comes_back_empty_is_told_everything_again_by_everybody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = LocalRedis(tmp_path)
    server.start()
    caplog.set_level(logging.INFO)
    try:
        async with opened(server.url, "k") as one, opened(server.url, "k") as other:
            assert await revised(one, "L", 3) == await revised(other, "L", 3) == 3
            assert await revised(one, "M", 2) == 2
            await asyncio.to_thread(server.stop)
            forget(tmp_path)
            # What the other one had when it was asked last counts, also without the store.
            assert await revised(other, "L", 2 * MOST) == MOST - KEPT - 6
            await until(lambda: one.degraded and other.degraded)
            server.start()
            async with Redis.from_url(server.url) as redis:
                await becomes(redis, "k", "L", MOST - KEPT)
                await becomes(redis, "k", "M", 2)
            await until(lambda: not one.degraded)
            async with opened(server.url, "k") as third:
                assert await revised(third, "L", 1) == 0
                assert await revised(third, "M", MOST) == MOST - KEPT - 2
        said = [record.getMessage() for record in caplog.records]
        assert sum("does not answer" in words for words in said) == 2
        assert not any(server.url in words for words in said)
    finally:
        server.stop()


async def test_a_store_that_comes_back_with_what_it_held_a_while_ago_is_told_again(tmp_path: Path) -> None:
    server = LocalRedis(tmp_path)
    server.start()
    try:
        async with opened(server.url, "k") as one:
            assert await revised(one, "L", 2) == 2
            async with Redis.from_url(server.url) as redis:
                await redis.save()
            assert await revised(one, "L", 3) == 3
            await asyncio.to_thread(server.kill)
            await until(lambda: one.degraded)
            server.start()
            async with Redis.from_url(server.url) as redis:
                await becomes(redis, "k", "L", 5)
    finally:
        server.stop()


async def test_who_ends_tells_what_it_counted_alone(redis_server: str, unique: Callable[[str], str]) -> None:
    account = unique("ends")
    one = SharedRevisions(redis_server, account, life(), lambda: NOON, timeout_s=5.0, look_every_s=60.0)
    await one.open()
    assert await revised(one, "L", 1) == 1
    one.counts.reserve({"L": False, "M": False})
    await one.close()
    async with Redis.from_url(redis_server) as redis:
        assert [await counted(redis, account, listing) for listing in "LM"] == [2, 1]


async def test_a_store_that_is_emptied_while_it_runs_is_told_again(tmp_path: Path) -> None:
    server = LocalRedis(tmp_path)
    server.start()
    try:
        async with opened(server.url, "k") as one, Redis.from_url(server.url) as redis:
            assert await revised(one, "L", 5) == 5
            await redis.flushall()
            await becomes(redis, "k", "L", 5)
            assert not one.degraded
    finally:
        server.stop()


async def test_a_store_that_hangs_costs_one_time_out_and_the_loop_goes_on(tmp_path: Path) -> None:
    server = LocalRedis(tmp_path)
    server.start()
    pid = server.daemon.pid
    assert pid is not None
    try:
        async with opened(server.url, "k", timeout_s=1.0) as one, Redis.from_url(server.url) as redis:
            assert await revised(one, "L", 1) == 1
            os.kill(pid, signal.SIGSTOP)
            turns = asyncio.create_task(asyncio.sleep(0.05))
            assert await revised(one, "L", 3) == 3
            assert turns.done()
            assert one.degraded
            os.kill(pid, signal.SIGCONT)
            await until(lambda: not one.degraded)
            await becomes(redis, "k", "L", 4)
            assert await revised(one, "L", MOST) == MOST - KEPT - 4
    finally:
        os.kill(pid, signal.SIGCONT)
        server.stop()


async def test_something_that_is_no_such_store_is_a_loss_and_not_a_crash(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    account = unique("other-type")
    async with Redis.from_url(redis_server) as redis:
        await redis.set(f"atstream:revisions:{{{account}}}:{TODAY}", "not a hash")
        async with opened(redis_server, account) as one:
            assert await revised(one, "L", 1) == 1
            assert one.degraded


async def test_ebay_that_counts_refuses_nothing_while_sinks_come_and_go(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    ebay, account = FakeEbay(most_revisions=MOST), unique("ebay")
    random = Random(5)
    listings = [f"SKU-{number}" for number in range(8)]
    async with TestServer(ebay.app(), host="127.0.0.1") as server:
        address = str(server.make_url("/")).rstrip("/")
        stated = EbaySettings(
            url=address,
            token_url=address + TOKEN_PATH,
            client_id=CLIENT_ID,
            client_secret=SecretStr(CLIENT_SECRET),
            refresh_token=SecretStr(REFRESH_TOKEN),
            revisions_per_day=MOST,
            kept_for_stop_sells=KEPT,
        )

        async def born() -> CappedSink:
            cap = stated.daily_revisions(f"life-{next(_lives)}")
            shared = SharedRevisions(redis_server, account, cap, lambda: NOON, timeout_s=5.0)
            sink = CappedSink(EbaySink(stated), shared)
            await sink.open()
            return sink

        sinks = [await born(), await born()]
        reasons: dict[str | None, int] = {}
        for seq in range(1, 80):
            if random.random() < 0.1:
                await sinks.pop(0).close()
                sinks.append(await born())
            if random.random() < 0.2:
                ebay.next_faults.append(ebay.throttling(1))
            batch = [
                update(one, seq, seq, priority=random.choice(["P0", "P2", "P2"]))
                for one in random.sample(listings, 4)
            ]
            for result in await random.choice(sinks).send(batch):
                if result.outcome is Outcome.REJECTED:
                    reasons[result.reason] = reasons.get(result.reason, 0) + 1
        for sink in sinks:
            await sink.close()
    assert max(ebay.revisions.values()) <= MOST
    assert sum(ebay.revisions.values()) > len(listings) * (MOST - KEPT)
    assert set(reasons) == {USED_UP}
