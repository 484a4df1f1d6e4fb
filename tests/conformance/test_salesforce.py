from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from connectors.channels.base import ChannelSink
from connectors.channels.kind import CallLimits
from connectors.channels.salesforce import KIND, SalesforceSettings
from streams.demo.shops.vendor import TOKEN_PATH
from tests.conformance.bench import VendorBench
from tests.conformance.suite import SinkConformance
from tests.fakes.salesforce import CLIENT_SECRET, LOCATION, FakeSalesforce


class SalesforceBench(VendorBench):
    def __init__(self, vendor: FakeSalesforce, server: TestServer) -> None:
        super().__init__(vendor, server)
        self.inventory = vendor

    @asynccontextmanager
    async def sink(self) -> AsyncIterator[ChannelSink]:
        settings = SalesforceSettings(
            url=self.address(),
            token_url=self.address(TOKEN_PATH),
            client_id="connected-app",
            client_secret=SecretStr(CLIENT_SECRET),
            location=LOCATION,
        )
        sink = KIND.make("web", settings, CallLimits(100, 60_000, 20_000, 1.0, self.answer_within_s))
        await sink.open()
        try:
            yield sink
        finally:
            await sink.close()

    def refuse(self, listing: str) -> None:
        self.inventory.refused.add(listing)

    def secrets(self) -> list[str]:
        return [CLIENT_SECRET, *self.vendor.tokens]


@pytest.fixture
async def bench() -> AsyncIterator[SalesforceBench]:
    inventory = FakeSalesforce()
    server = TestServer(inventory.app(), host="127.0.0.1")
    async with server:
        yield SalesforceBench(inventory, server)
        inventory.release()


class TestSalesforceSink(SinkConformance):
    pass
