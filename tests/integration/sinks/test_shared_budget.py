"""The shared budget against a real server: the answers of its model, a flush of scripts, and an empty restart.

Rates are so high that nobody waits for them, or the script's clock is set by the test.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
from redis.asyncio import Redis

from connectors.budgets import SharedBudget
from connectors.budgets_name import MemberName
from connectors.budgets_reads import BudgetedReads
from connectors.budgets_script import CLOCK, Status, script
from connectors.budgets_sink import NO_TOKEN, BudgetedSink, SharedBucket
from connectors.budgets_store import BudgetStore
from connectors.channels.base import Limits, Outcome, Result, Update, same_answer
from connectors.channels.reading import Shown, Unread
from domain.facts import SECOND, Micros
from domain.limits import CallBudget, CallsPerWindow, RateAndBurst, SerialOnly
from domain.limits_member import Request, Standing, Terms
from streams.local.redis import LocalRedis
from tests.conformance.rig import update
from tests.integration.sinks.waiting import QUICK, micros, until
from tests.simulation.budget_store import Account, Envelope

FAST = CallBudget.of([RateAndBurst(1_000, SECOND, 50)])
SLOW = CallBudget.of([RateAndBurst(1, 3_600 * SECOND, 1)])


@asynccontextmanager
async def opened(
    url: str, account: str, name: str = "a", budget: CallBudget = FAST
) -> AsyncIterator[SharedBudget]:
    shared = SharedBudget(url, account, name, budget, micros, terms=QUICK)
    await shared.open()
    try:
        yield shared
    finally:
        await shared.close()


async def call(shared: SharedBudget) -> None:
    async with asyncio.timeout(20):
        while not shared.take():  # noqa: ASYNC110 - this is how a budget is asked
            await asyncio.sleep(shared.wait_s())


def test_the_clock_of_the_script_is_the_servers() -> None:
    assert CLOCK == "redis.call('TIME')"
    assert script().text.count(CLOCK) == 1


BUDGETS = [
    CallBudget.of([RateAndBurst(5, SECOND, 5)]),
    CallBudget.of([RateAndBurst(2, SECOND, 1), CallsPerWindow(40, 60 * SECOND, 10)]),
    CallBudget.of([RateAndBurst(10, SECOND, 3), SerialOnly(2 * SECOND)]),
]


@pytest.mark.parametrize("budget", BUDGETS, ids=str)
async def test_the_script_answers_as_its_model(
    redis_server: str, unique: Callable[[str], str], budget: CallBudget
) -> None:
    terms = Terms(forget_after=20 * SECOND)
    clock = "(function() local t = redis.call('GET', key .. ':clock'); return {0, tonumber(t)} end)()"
    served, granted = 0, 0
    async with Redis.from_url(redis_server) as redis:
        for seed in range(36):
            random, key = Random(seed), unique("model")
            account, now = Account(budget, terms), 1_800_000_000 * SECOND
            holds, run = dict.fromkeys("abcd", 0), "one"
            stores: dict[tuple[str, str], BudgetStore] = {}
            for _ in range(60):
                now += random.choice([0, 1_000, 100_000, SECOND, 3 * SECOND, -SECOND // 3, 15 * SECOND])
                await redis.set(f"{key}:clock", now)
                if random.random() < 0.03:
                    await redis.delete(key)
                    account = Account(budget, terms)
                name, life = random.choice("abcd"), random.choice("11112")
                if (name, life) not in stores:
                    stores[name, life] = BudgetStore(
                        redis_server, key, name, life, budget, terms, 5.0, lambda: 0, script(clock)
                    )
                    await stores[name, life].connect()
                store = stores[name, life]
                fresh, deadline = random.random() < 0.05, random.choice([0, 0, now - 1, now + 1])
                run = random.choice(["one", "other"]) if random.random() < 0.05 else run
                wanted = random.randrange(4)
                request = Request(
                    wanted,
                    holds[name],
                    random.random() < 0.1,
                    random.choice([0, SECOND]),
                    random.random() < 0.2,
                    deadline,
                    min(wanted, random.choice([0, 1, 1, 1, 1, 2])),
                    random.choice([None] * 20 + [0, 1, 2, 9]),
                )
                store._fresh, store._server_at, store._run = fresh, (0, 0), run
                asked = Envelope(name, life, request, deadline, run, fresh)
                if random.random() < 0.05:
                    await store.leave()
                    account.leave(asked, now)
                    store._fresh = fresh
                told = await store.ask(request)
                assert told == account.serve(asked, now), f"seed {seed}"
                served += told.status is Status.SERVED
                granted += told.granted
                if told.status is Status.SERVED:
                    holds[name] = told.share
            for store in stores.values():
                await store.drop()
    assert served > 300
    assert granted > 50


async def test_a_lease_of_many_tokens_is_one_round_trip(redis_server: str, unique: Callable[[str], str]) -> None:
    budget = CallBudget.of([RateAndBurst(100_000, SECOND, 1_000)])
    store = BudgetStore(redis_server, unique("lease"), "a", "1", budget, QUICK, 5.0, micros)
    await store.connect()
    await store.ask(Request(0, 0, False, 0, False, micros() + 5 * SECOND))
    granted = 0
    async with asyncio.timeout(20):
        while not granted:
            before = store.round_trips
            granted = (await store.ask(Request(40, 0, False, 0, False, micros() + 5 * SECOND))).granted
            assert store.round_trips == before + 1
    assert granted <= 40
    await store.drop()


async def test_calls_go_on_after_the_server_forgot_the_scripts(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    async with opened(redis_server, unique("flush")) as shared, Redis.from_url(redis_server) as redis:
        await call(shared)
        await redis.script_flush()
        before = shared.store.round_trips
        await call(shared)
        assert shared.store.round_trips > before
        assert shared.standing is Standing.SHARED


async def test_keys_expire_and_nothing_is_left_behind_by_who_leaves(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    account = unique("expiry")
    async with Redis.from_url(redis_server, decode_responses=True) as redis:
        async with opened(redis_server, account) as shared:
            await until(lambda: shared.member.share > 0)
            assert 0 < await redis.pttl(f"atstream:budget:{account}") <= 2 * QUICK.forget_after // 1000
            assert "m:a" in await redis.hgetall(f"atstream:budget:{account}")
        assert "m:a" not in await redis.hgetall(f"atstream:budget:{account}")


async def test_two_sinks_get_half_each_for_the_time_the_store_is_gone(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    account = unique("halves")
    async with opened(redis_server, account) as one, opened(redis_server, account, "b") as other:
        await until(lambda: one.member.share == other.member.share == 360_360)


async def test_a_call_by_one_is_a_call_less_for_the_other(redis_server: str, unique: Callable[[str], str]) -> None:
    account = unique("one-call")
    key = f"atstream:budget:{account}"
    async with opened(redis_server, account, budget=SLOW) as one, Redis.from_url(redis_server) as redis:
        await until(lambda: one.member.share > 0)
        # An hour later: the bucket that began empty holds its one call.
        await redis.hset(key, "t0", 0)
        await call(one)
        async with opened(redis_server, account, "b", SLOW) as other:
            await until(lambda: other.member.shared)
            assert not other.take()
            await until(lambda: other.wait_s() > 3_000)


def forget(directory: Path) -> None:
    for file in directory.rglob("*.rdb"):
        file.unlink()


async def test_a_server_that_is_killed_and_comes_back_empty_never_gives_a_second_burst(tmp_path: Path) -> None:
    server = LocalRedis(tmp_path)
    server.start()
    budget = CallBudget.of([RateAndBurst(100, SECOND, 20)])
    calls: list[Micros] = []
    try:
        async with opened(server.url, "k", "a", budget) as one, opened(server.url, "k", "b", budget) as other:

            async def call_always(shared: SharedBudget) -> None:
                while True:
                    while shared.take():
                        calls.append(micros())
                    await asyncio.sleep(min(shared.wait_s(), 0.005))

            callers = [asyncio.create_task(call_always(shared)) for shared in (one, other)]
            await until(lambda: len(calls) > 20 and one.member.share == other.member.share > 0)
            await asyncio.to_thread(server.stop)
            await until(lambda: one.standing is other.standing is Standing.ALONE)
            alone = len(calls)
            await until(lambda: len(calls) > alone + 10)
            assert one.degraded
            forget(tmp_path)
            await asyncio.to_thread(server.start)
            await until(lambda: one.member.shared and other.member.shared)
            again = len(calls)
            await until(lambda: len(calls) > again + 30)
            for task in callers:
                task.cancel()
            await asyncio.wait(callers)
    finally:
        server.stop()
    period = 10_000
    worst = max(
        (last - first + 1) - (calls[last] - calls[first]) / period
        for first in range(len(calls))
        for last in range(first, len(calls))
    )
    assert worst <= 20


async def test_a_store_that_was_never_there_lets_nobody_call() -> None:
    async with opened("redis://127.0.0.1:1/0", "nowhere") as shared:
        await until(lambda: shared.store.round_trips == 0 and shared._why != "not reached yet")
        assert shared.standing is Standing.WITHOUT
        assert not shared.take()
        assert shared.degraded


async def test_a_server_that_does_not_tell_its_run_counts_as_another_one_at_each_connection(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    account, user = unique("silent"), unique("user")
    async with Redis.from_url(redis_server) as redis:
        await redis.execute_command("ACL", "SETUSER", user, "on", "nopass", "~*", "+@all", "-info")
        url = redis_server.replace("redis://", f"redis://{user}:any@")
        async with opened(url, account, budget=SLOW) as one:
            await until(lambda: one.member.share > 0)
            await redis.hset(f"atstream:budget:{account}", "t0", 0)
            async with opened(url, account, "b", SLOW) as other:
                await until(lambda: other.wait_s() > 3_000)
        assert await redis.hget(f"atstream:budget:{account}", "run") == b""


async def test_a_sink_that_starts_finds_the_bucket_as_it_is(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    account = unique("starts")
    async with opened(redis_server, account, budget=SLOW) as one, Redis.from_url(redis_server) as redis:
        await until(lambda: one.member.share > 0)
        await redis.hset(f"atstream:budget:{account}", "t0", 0)
        async with opened(redis_server, account, "b", SLOW) as other:
            await until(lambda: other.member.shared)
            await call(other)
            await until(lambda: one.wait_s() > 3_000)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="redis://"):
        SharedBudget("http://127.0.0.1", "a", "a", FAST, micros)


async def test_something_that_is_no_such_store_is_a_loss_and_not_a_crash(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    account = unique("other-type")
    async with Redis.from_url(redis_server) as redis:
        await redis.set(f"atstream:budget:{account}", "not a hash")
        async with opened(redis_server, account) as shared:
            await until(lambda: shared._why == "ResponseError")
            assert not shared.take()


class Throttling:
    """A channel that takes nothing and asks for time."""

    limits = Limits(10, 1_000)

    def __init__(self) -> None:
        self.calls = 0

    async def open(self) -> None: ...

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        self.calls += 1
        return same_answer(batch, Outcome.RETRY, "THROTTLED", 60.0)

    async def close(self) -> None: ...


class Taking(Throttling):
    """A channel that is called for each update, and takes all."""

    limits = Limits(10, 1_000, each=True)

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        self.sizes.append(len(batch))
        return same_answer(batch, Outcome.ACCEPTED)


async def test_a_refusal_holds_every_sink_of_the_account_back_and_nothing_is_sent_without_a_token(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    account, channel = unique("refused"), Throttling()
    budget = SharedBudget(redis_server, account, "a", FAST, micros, terms=QUICK)
    sink, bucket = BudgetedSink(channel, budget), SharedBucket(budget)
    waiting = update("L-1")
    async with opened(redis_server, account, "b") as other:
        await sink.open()
        assert [result.reason for result in await sink.send([waiting])] == [NO_TOKEN]
        assert channel.calls == 0
        async with asyncio.timeout(20):
            while channel.calls == 0:
                await asyncio.sleep(bucket.wait_s(0.0))
                await sink.send([waiting])
        assert budget.incidents == 1
        assert bucket.wait_s(0.0) > 50
        await until(lambda: other.wait_s() > 50)
        assert [result.outcome for result in await sink.send([waiting])] == [Outcome.LATER]
        assert channel.calls == 1
        await sink.close()


class Reading:
    """A channel that says what it shows, until it wants to be left alone."""

    most_read = 2

    def __init__(self) -> None:
        self.answers: list[Unread] = []
        self.reads = 0

    async def shown(self, listings: Sequence[str]) -> Shown | Unread:
        self.reads += 1
        return self.answers.pop() if self.answers else dict.fromkeys(listings, 5)


async def test_a_read_takes_a_token_and_its_refusal_holds_every_sink_of_the_account_back(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    account, channel = unique("reads"), Reading()
    async with (
        opened(redis_server, account, "a") as budget,
        opened(redis_server, account, "b") as other,
    ):
        reads = BudgetedReads(channel, budget)
        assert reads.most_read == 2
        assert await reads.shown(["L-1"]) == Unread(NO_TOKEN, called=False)
        assert channel.reads == 0
        await until(lambda: budget.wait_s() == 0)
        assert await reads.shown(["L-1"]) == {"L-1": 5}
        channel.answers.append(Unread("HTTP 429", 60.0))
        await until(lambda: budget.wait_s() == 0)
        assert await reads.shown(["L-1"]) == Unread("HTTP 429", 60.0)
        await until(lambda: other.wait_s() > 50)
        assert await reads.shown(["L-1"]) == Unread(NO_TOKEN, called=False)
        assert channel.reads == 2


async def test_a_channel_that_is_called_for_each_update_is_sent_as_many_as_there_are_tokens(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    channel = Taking()
    budget = SharedBudget(redis_server, unique("each"), "a", FAST, micros, terms=QUICK)
    sink, bucket = BudgetedSink(channel, budget), SharedBucket(budget)
    batch = [update(f"L-{number}") for number in range(3)]
    taken = 0
    await sink.open()
    async with asyncio.timeout(20):
        while max(channel.sizes, default=0) < 2:
            # Long enough for the bucket to hold more than one token.
            await asyncio.sleep(0.02)
            while bucket.wait_s(0.0, wanted=3) > 0:  # noqa: ASYNC110 - this is how a budget is asked
                await asyncio.sleep(0.001)
            results = await sink.send(batch)
            assert [result.listing for result in results] == ["L-0", "L-1", "L-2"]
            taken += [result.outcome for result in results].count(Outcome.ACCEPTED)
    assert taken == sum(channel.sizes)
    await sink.close()


async def test_nothing_is_leased_while_no_call_would_be_made(
    redis_server: str, unique: Callable[[str], str]
) -> None:
    async with opened(redis_server, unique("idle")) as shared:
        await until(lambda: shared.member.share > 0)
        bucket = SharedBucket(shared)
        for _ in range(10):
            assert bucket.wait_s(0.0, wanted=0) > 0
            await asyncio.sleep(0.005)
        await until(lambda: bucket.wait_s(0.0) == 0.0)


def test_a_name_is_had_by_one_process_and_comes_back_when_it_ends(tmp_path: Path) -> None:
    first, second, third = (MemberName("web", tmp_path) for _ in range(3))
    name = first.claim()
    assert second.claim() != name
    first.release()
    assert third.claim() == name
    assert MemberName("other", tmp_path).claim() == name
    third.release()
    second.release()
