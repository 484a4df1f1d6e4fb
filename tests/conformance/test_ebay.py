from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from connectors.channels.base import ChannelSink
from connectors.channels.capped import CappedSink, OwnRevisions
from connectors.channels.ebay import KIND, EbaySettings, EbaySink
from connectors.channels.kind import CallLimits
from streams.demo.shops.vendor import TOKEN_PATH
from tests.conformance.bench import VendorBench
from tests.conformance.suite import SinkConformance
from tests.fakes.ebay import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, FakeEbay


class CappedEbay(CappedSink):
    """Both as a process has them: it sends through the cap, and reads, which revises nothing, past it."""

    def __init__(self, bare: EbaySink, revisions: OwnRevisions) -> None:
        super().__init__(bare, revisions)
        self.most_read = bare.most_read
        self.shown = bare.shown


class EbayBench(VendorBench):
    def __init__(self, vendor: FakeEbay, server: TestServer) -> None:
        super().__init__(vendor, server)
        self.ebay = vendor

    @asynccontextmanager
    async def sink(self) -> AsyncIterator[ChannelSink]:
        settings = EbaySettings(
            url=self.address(),
            token_url=self.address(TOKEN_PATH),
            client_id=CLIENT_ID,
            client_secret=SecretStr(CLIENT_SECRET),
            refresh_token=SecretStr(REFRESH_TOKEN),
        )
        bare = KIND.make("web", settings, CallLimits(25, 60_000, 20_000, 1.0, self.answer_within_s))
        assert isinstance(bare, EbaySink)
        revisions = OwnRevisions(settings.daily_revisions("a"), lambda: time.time_ns() // 1000)
        sink = CappedEbay(bare, revisions)
        await sink.open()
        try:
            yield sink
        finally:
            await sink.close()

    def listing(self, number: int) -> str:
        """Every other one is an offer."""
        return f"SKU-{number:04}" if number % 2 else f"SKU-{number:04}|{number:010}"

    def refuse(self, listing: str) -> None:
        self.ebay.refused.add(listing)

    def secrets(self) -> list[str]:
        pair = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        return [CLIENT_SECRET, REFRESH_TOKEN, pair, *self.vendor.tokens]


@pytest.fixture
async def bench() -> AsyncIterator[EbayBench]:
    ebay = FakeEbay()
    server = TestServer(ebay.app(), host="127.0.0.1")
    async with server:
        yield EbayBench(ebay, server)
        ebay.release()


class TestEbaySink(SinkConformance):
    pass
