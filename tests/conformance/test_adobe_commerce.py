from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import ClassVar

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from connectors.channels.adobe_commerce import AdobeCommerceSettings, AdobeCommerceSink
from connectors.channels.base import ChannelSink
from connectors.channels.kind import CallLimits
from tests.conformance.bench import Ability, VendorBench
from tests.conformance.suite import SinkConformance
from tests.fakes.adobe_commerce import BASE, FakeAdobeCommerce

TOKEN = "integration-token-7f3a"


class AdobeCommerceBench(VendorBench):
    not_applicable: ClassVar[Mapping[Ability, str]] = {
        Ability.TOKEN: "the token of an integration is given by the operator and cannot be renewed",
    }
    # An empty list is what the shop answers when all is well: it has nothing to say.
    garbled = ("", "nonsense", "{}", "7", "[" * 10_000, '{"data": 3}', "[1]")

    def __init__(self, vendor: FakeAdobeCommerce, server: TestServer) -> None:
        super().__init__(vendor, server)
        self.shop = vendor

    @asynccontextmanager
    async def sink(self) -> AsyncIterator[ChannelSink]:
        settings = AdobeCommerceSettings(url=self.address(BASE), access_token=SecretStr(TOKEN))
        sink = AdobeCommerceSink(settings, CallLimits(20, 60_000, call_timeout_s=self.answer_within_s))
        await sink.open()
        try:
            yield sink
        finally:
            await sink.close()

    def refuse(self, listing: str) -> None:
        self.shop.refused.add(listing)

    def secrets(self) -> list[str]:
        return [TOKEN]


@pytest.fixture
async def bench() -> AsyncIterator[AdobeCommerceBench]:
    shop = FakeAdobeCommerce(TOKEN)
    server = TestServer(shop.app(), host="127.0.0.1")
    async with server:
        yield AdobeCommerceBench(shop, server)
        shop.release()
    assert shop.malformed == []


class TestAdobeCommerceSink(SinkConformance):
    pass
