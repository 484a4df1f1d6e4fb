from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from connectors.channels.amazon import AmazonSettings, AmazonSink
from connectors.channels.base import ChannelSink
from connectors.channels.kind import CallLimits
from streams.demo.shops.amazon import FakeAmazon
from streams.demo.shops.amazon_feeds import MARKETPLACE, SELLER
from streams.demo.shops.vendor import TOKEN_PATH
from tests.conformance.bench import VendorBench
from tests.conformance.suite import SinkConformance

CLIENT_SECRET, REFRESH_TOKEN = "lwa-client-s3cret", "Atzr|refresh-t0ken"


class AmazonBench(VendorBench):
    def __init__(self, vendor: FakeAmazon, server: TestServer) -> None:
        super().__init__(vendor, server)
        self.amazon = vendor

    @asynccontextmanager
    async def sink(self) -> AsyncIterator[ChannelSink]:
        settings = AmazonSettings(
            endpoint=self.address(),
            token_url=self.address(TOKEN_PATH),
            seller_id=SELLER,
            marketplace_ids=MARKETPLACE,
            client_id="amzn1.application-oa2-client.1",
            client_secret=SecretStr(CLIENT_SECRET),
            refresh_token=SecretStr(REFRESH_TOKEN),
        )
        sink = AmazonSink(settings, CallLimits(40, 60_000, 20_000, 1.0, self.answer_within_s))
        await sink.open()
        try:
            yield sink
        finally:
            await sink.close()

    def listing(self, number: int) -> str:
        # A SKU is whatever a seller makes of it.
        return f"L/{number:04} ü+%2F?&"

    def refuse(self, listing: str) -> None:
        self.amazon.refused.add(listing)

    def secrets(self) -> list[str]:
        return [CLIENT_SECRET, REFRESH_TOKEN, "issued-token-1"]


@pytest.fixture
async def bench() -> AsyncIterator[AmazonBench]:
    ticks = iter(range(1_000_000))
    # Time passes between calls here; what the usage plan allows is tested elsewhere.
    amazon = FakeAmazon(lambda: float(next(ticks)), {CLIENT_SECRET})
    async with TestServer(amazon.app(), host="127.0.0.1") as server:
        yield AmazonBench(amazon, server)
        amazon.release()
    assert amazon.malformed == []


class TestAmazonSink(SinkConformance):
    pass
