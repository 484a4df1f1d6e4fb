from __future__ import annotations

import asyncio
import time

import pytest
from aiohttp.test_utils import TestServer

from streams.demo.shops.amazon import FakeAmazon
from streams.demo.shops.amazon_feeds import CANCELLED, IN_QUEUE, MARKETPLACE, SELLER
from streams.demo.shops.vendor import TOKEN_PATH
from tests.integration.sinks.rig import Channel

pytestmark = pytest.mark.integration

CLIENT_SECRET, REFRESH_TOKEN = "lwa-process-s3cret", "Atzr|process-t0ken"


async def test_a_feed_of_a_process_that_was_killed_does_not_overwrite_what_the_next_one_patches(
    channel: Channel,
) -> None:
    amazon = FakeAmazon(time.monotonic, {CLIENT_SECRET})
    listings = [f"SKU {number}" for number in range(60)]
    async with TestServer(amazon.app(), host="127.0.0.1") as server:
        address = str(server.make_url("/")).rstrip("/")
        settings = {
            "kind": "amazon",
            "endpoint": address,
            "token_url": address + TOKEN_PATH,
            "seller_id": SELLER,
            "marketplace_ids": MARKETPLACE,
            "client_id": "atstream",
            "client_secret": CLIENT_SECRET,
            "refresh_token": REFRESH_TOKEN,
            "rate_per_s": 5,
            "burst": 4,
            "feeds": True,
            "feed_from": 50,
            "feed_poll_s": 1,
        }
        channel.publish(channel.update(listing, 1, 5) for listing in listings)
        first = channel.sink("", **settings)
        await channel.becomes(lambda: len(amazon.feeds) > 0)
        (left_behind,) = amazon.feeds.values()
        assert left_behind.status == IN_QUEUE
        in_feed = [message["sku"] for message in left_behind.messages]
        first.kill()
        channel.publish(channel.update(listing, 2, 0, "P0") for listing in in_feed[:3])
        second = channel.sink("", **settings)
        await channel.becomes(lambda: sum(quantity == 0 for _, quantity in amazon.taken) == 3)
        assert left_behind.status == CANCELLED
        await channel.becomes(lambda: len(amazon.feeds) == 2)
        amazon.work_on_all()
        await channel.settles()
        said = first.log.read_text() + second.log.read_text()
        assert await asyncio.to_thread(second.stop) == 0
    assert dict(amazon.taken) == dict.fromkeys(listings, 5) | dict.fromkeys(in_feed[:3], 0)
    assert amazon.malformed == []
    assert amazon.throttled == []
    newest = {one.listing: one.publish_seq for one in channel.acknowledgements() if one.outcome == "ACCEPTED"}
    assert newest == dict.fromkeys(listings, 1) | dict.fromkeys(in_feed[:3], 2)
    assert CLIENT_SECRET not in said
    assert REFRESH_TOKEN not in said
    assert "issued-token" not in said
    assert "Signature" not in said
