from __future__ import annotations

import asyncio

import pytest
from aiohttp.test_utils import TestServer

from schemas.topics import sink_positions_topic
from streams.demo.shops.shopify import LOCATION, FakeShopify
from streams.demo.shops.vendor import Fault
from tests.fakes.bigcommerce import FakeBigCommerce
from tests.integration.sinks.rig import SESSION_S, Channel

pytestmark = pytest.mark.integration

SECRET = "shpss_process-secret"


async def test_a_shop_on_shopify_is_told_by_a_process_that_is_killed_and_throttled(channel: Channel) -> None:
    vendor = FakeShopify(client_secrets={SECRET}, clock=asyncio.get_running_loop().time, restore_per_s=1_000.0)
    listings = [f"gid://shopify/InventoryItem/{number}" for number in range(300)]
    async with TestServer(vendor.app(), host="127.0.0.1") as server:
        settings = {
            "kind": "shopify",
            "location_id": LOCATION,
            "client_id": "atstream",
            "client_secret": SECRET,
        }
        url = str(server.make_url("/"))
        vendor.next_faults = [Fault(503), vendor.throttling(1), Fault(taken=True, closed=True)]
        channel.publish(channel.update(listing, 1, 5) for listing in listings)
        first = channel.sink(url, **settings)
        await channel.becomes(lambda: len(vendor.available) >= 250)
        first.kill()
        vendor.expire_tokens()
        channel.publish(channel.update(listing, 2, 0, "P0") for listing in listings[:50])
        second = channel.sink(url, **settings)
        await channel.settles()
        said = first.log.read_text() + second.log.read_text()
        assert await asyncio.to_thread(second.stop) == 0
    assert vendor.available == dict.fromkeys(listings[:50], 0) | dict.fromkeys(listings[50:], 5)
    assert vendor.malformed == []
    newest = {one.listing: one.publish_seq for one in channel.acknowledgements() if one.outcome == "ACCEPTED"}
    assert newest == dict.fromkeys(listings[:50], 2) | dict.fromkeys(listings[50:], 1)
    assert SECRET not in said
    assert "issued-token" not in said


@pytest.mark.parametrize("newer_first", [True, False], ids=["after the newer value", "before the newer value"])
async def test_a_call_without_answer_of_a_killed_process_does_not_win(channel: Channel, newer_first: bool) -> None:
    vendor = FakeBigCommerce({SECRET}, quota=1_000)
    vendor.clock = asyncio.get_running_loop().time
    vendor.next_faults = [Fault(504, late=True)] + [Fault(503)] * 10_000
    async with TestServer(vendor.app(), host="127.0.0.1") as server:
        url = str(server.make_url("/"))
        settings = {
            "kind": "bigcommerce",
            "api_url": url,
            "store_hash": "abc123",
            "access_token": SECRET,
            "doubt_settle_s": SESSION_S + 5,
        }
        channel.publish([channel.update("S-1", 1, 9)])
        first = channel.sink(url, **settings)
        await channel.becomes(lambda: "HTTP 503" in first.log.read_text())
        channel.publish([channel.update("S-1", 2, 4)])
        if newer_first:
            vendor.next_faults.clear()
            await channel.becomes(lambda: vendor.taken[-1:] == [("S-1", 4)])
        first.kill()
        vendor.next_faults.clear()
        if newer_first:
            await vendor.come_through()
        second = channel.sink(url, **settings)
        await channel.settles()
        if not newer_first:
            assert vendor.taken[-1] == ("S-1", 4)
            await vendor.come_through()
        assert vendor.taken[-1] == ("S-1", 9)
        await channel.becomes(lambda: vendor.taken[-1] == ("S-1", 4))
        assert await asyncio.to_thread(second.stop) == 0
    assert channel.acknowledgements()[-1].previous_quantity == 9
    assert {one.partition() for one in channel.read(sink_positions_topic(channel.name).name)} == {
        one.partition() for one in channel.read(channel.topic)
    }
