from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from connectors.channels.base import ChannelSink, Outcome
from connectors.channels.kind import CallLimits
from connectors.channels.walmart import WalmartSettings, WalmartSink
from streams.demo.shops.vendor import TOKEN_PATH
from tests.conformance.bench import Ability, VendorBench
from tests.conformance.rig import Journal, Lifetime
from tests.conformance.suite import SinkConformance
from tests.fakes.walmart import FakeWalmart

CLIENT, SECRET = "client-7", "s3cret-of-the-client"
BASIC = "Basic " + b64encode(f"{CLIENT}:{SECRET}".encode()).decode("ascii")


class WalmartBench(VendorBench):
    """One SKU at many ship nodes: what one call can carry."""

    by_node = True

    def listing(self, number: int) -> str:
        return f"{1_000_000_000 + number}/SKU 1"

    def oversized(self, sink: ChannelSink) -> list:
        return [
            self.update(number)._replace(listing=f"{number:0500}/SKU 1")
            for number in range(1, sink.limits.max_updates + 1)
        ]

    def refuse(self, listing: str) -> None:
        self.vendor.refused.add(listing)

    def secrets(self) -> list[str]:
        return [SECRET, BASIC.removeprefix("Basic "), "issued-token-1"]

    @asynccontextmanager
    async def sink(self) -> AsyncIterator[ChannelSink]:
        settings = WalmartSettings(
            api_url=self.address(),
            token_url=self.address(TOKEN_PATH),
            client_id=CLIENT,
            client_secret=SecretStr(SECRET),
            by_node=self.by_node,
        )
        calls = CallLimits(40, 10_000, 20_000, 1.0, self.answer_within_s)
        sink = WalmartSink(settings, calls, wall_clock=self.clock.wall_s, monotonic=self.clock.monotonic)
        await sink.open()
        try:
            yield sink
        finally:
            await sink.close()


class SingleBench(WalmartBench):
    """The default: one SKU a call, at the seller's default node."""

    by_node = False
    not_applicable: ClassVar = {Ability.OVERSIZE: "a call carries one SKU"}

    def listing(self, number: int) -> str:
        return f"SKU/{number:04} ü+%2F?&"


async def on_a_fake(bench_of: type[WalmartBench]) -> AsyncIterator[WalmartBench]:
    vendor = FakeWalmart({BASIC})
    async with TestServer(vendor.app(), host="127.0.0.1") as server:
        bench = bench_of(vendor, server)
        vendor.clock = bench.clock.wall_s
        yield bench
        vendor.release()
    assert vendor.above_limit == 0


class TestWalmartSinkByNode(SinkConformance):
    @pytest.fixture
    async def bench(self) -> AsyncIterator[WalmartBench]:
        async for bench in on_a_fake(WalmartBench):
            yield bench


class TestWalmartSinkSingle(SinkConformance):
    """Of a batch, one call carries the most urgent update; the others wait for their own."""

    @pytest.fixture
    async def bench(self) -> AsyncIterator[WalmartBench]:
        async for bench in on_a_fake(SingleBench):
            yield bench

    async def test_a_batch_is_answered_one_by_one_in_its_order(self, bench: WalmartBench) -> None:
        async with bench.sink() as sink:
            assert sink.limits.max_updates == 1
            life = Lifetime(sink, Journal(), bench.clock)
            life.arrive(*(bench.update(number, 7, number) for number in (3, 1, 2)))
            await life.deliver()
        assert life.delivery.tallies.calls == 3
        assert bench.shown() == {bench.listing(number): number for number in (1, 2, 3)}

    async def test_an_answer_that_tells_nothing_accepts_and_rejects_nothing(self, bench: WalmartBench) -> None:
        async with bench.sink() as sink:
            for body in bench.garbled:
                bench.garble_once(body)
                (result,) = await sink.send([bench.update(1)])
                assert result.outcome is Outcome.UNKNOWN, body[:40]
                assert result.reason, body[:40]
        assert bench.taken() == []

    async def test_credentials_that_are_refused_for_good_are_an_outage_and_reject_nothing(
        self, bench: WalmartBench
    ) -> None:
        async with bench.sink() as sink:
            await sink.send([bench.update(1, 1, 4)])
            bench.revoke_credentials()
            issued = bench.tokens_issued()
            (result,) = await sink.send([bench.update(1, 2, 3)])
            assert bench.tokens_issued() <= issued + 1
        assert result.outcome is Outcome.RETRY
        assert bench.shown() == {bench.listing(1): 4}
        assert not any(secret in str(result) for secret in bench.secrets())
