from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from connectors.channels.base import ChannelSink
from connectors.channels.kind import CallLimits
from connectors.channels.woocommerce import KIND, WooCommerceSettings
from tests.conformance.bench import Ability, VendorBench
from tests.conformance.suite import SinkConformance
from tests.fakes.woocommerce import FakeWooCommerce

KEY, SECRET = "ck_0123456789abcdef", "cs_fedcba9876543210"
BASIC = b64encode(f"{KEY}:{SECRET}".encode()).decode("ascii")


class WooCommerceBench(VendorBench):
    not_applicable: ClassVar = {Ability.TOKEN: "an operator creates the key, it does not expire"}

    def listing(self, number: int) -> str:
        return str(1_000_000 + number)

    def oversized(self, sink: ChannelSink) -> list:
        # A listing is a number, so only many of them are too much.
        return [self.update(number, quantity=10**18) for number in range(1, sink.limits.max_updates + 1)]

    def refuse(self, listing: str) -> None:
        self.vendor.refused.add(listing)

    def secrets(self) -> list[str]:
        return [KEY, SECRET, BASIC]

    @asynccontextmanager
    async def sink(self) -> AsyncIterator[ChannelSink]:
        settings = WooCommerceSettings(
            shop_url=self.address(), consumer_key=SecretStr(KEY), consumer_secret=SecretStr(SECRET)
        )
        sink = KIND.make("web", settings, CallLimits(60, 4_000, 20_000, 1.0, self.answer_within_s))
        await sink.open()
        try:
            yield sink
        finally:
            await sink.close()


@pytest.fixture
async def bench() -> AsyncIterator[WooCommerceBench]:
    vendor = FakeWooCommerce({BASIC})
    async with TestServer(vendor.app(), host="127.0.0.1") as server:
        yield WooCommerceBench(vendor, server)
        vendor.release()


class TestWooCommerceSink(SinkConformance):
    """The suite speaks to products; variations are in ``tests/unit/channels``."""
