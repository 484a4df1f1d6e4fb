from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from connectors.channels.base import ChannelSink
from connectors.channels.bigcommerce import BigCommerceSettings, BigCommerceSink
from connectors.channels.kind import CallLimits
from tests.conformance.bench import Ability, VendorBench
from tests.conformance.suite import SinkConformance
from tests.fakes.bigcommerce import FakeBigCommerce

TOKEN = "s3cret-store-token"


class BigCommerceBench(VendorBench):
    not_applicable: ClassVar = {Ability.TOKEN: "an operator creates the token, it does not expire"}

    def refuse(self, listing: str) -> None:
        self.vendor.refused.add(listing)

    def secrets(self) -> list[str]:
        return [TOKEN]

    @asynccontextmanager
    async def sink(self) -> AsyncIterator[ChannelSink]:
        settings = BigCommerceSettings(api_url=self.address(), store_hash="abc123", access_token=SecretStr(TOKEN))
        calls = CallLimits(40, 60_000, 20_000, 1.0, self.answer_within_s)
        sink = BigCommerceSink(settings, calls, wall_clock=self.clock.wall_s, monotonic=self.clock.monotonic)
        await sink.open()
        try:
            yield sink
        finally:
            await sink.close()


@pytest.fixture
async def bench() -> AsyncIterator[BigCommerceBench]:
    vendor = FakeBigCommerce({TOKEN}, quota=5)
    async with TestServer(vendor.app(), host="127.0.0.1") as server:
        bench = BigCommerceBench(vendor, server)
        vendor.clock = bench.clock.monotonic
        yield bench
        vendor.release()


class TestBigCommerceSink(SinkConformance):
    @pytest.fixture(autouse=True)
    def _serial(self, bench: BigCommerceBench) -> object:
        yield
        assert bench.vendor.concurrent == 0
        assert bench.vendor.above_quota == 0
