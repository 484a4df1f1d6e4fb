"""Two sink processes of one eBay account, one of them killed: the cap of a day is that of the account."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiohttp.test_utils import TestServer

from connectors.channels.capped import USED_UP
from streams.demo.shops.vendor import TOKEN_PATH
from tests.fakes.ebay import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, FakeEbay
from tests.integration.sinks.rig import Channel

pytestmark = pytest.mark.integration

MOST, KEPT = 5, 2


async def test_a_sink_that_takes_over_counts_on_from_what_the_one_before_used(
    channel: Channel, redis_server: str, unique: Callable[[str], str]
) -> None:
    ebay = FakeEbay(most_revisions=MOST)
    listings = [f"SKU-{number}" for number in range(12)]
    async with TestServer(ebay.app(), host="127.0.0.1") as server:
        url = str(server.make_url("/")).rstrip("/")
        settings = {
            "kind": "ebay",
            "token_url": url + TOKEN_PATH,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": REFRESH_TOKEN,
            "revisions_per_day": MOST,
            "kept_for_stop_sells": KEPT,
            "budget_url": redis_server,
            "budget_account": unique("ebay"),
        }
        sinks = [channel.sink(url, **settings), channel.sink(url, **settings)]
        said = ""
        for seq in range(1, MOST - KEPT + 2):
            if seq == MOST - KEPT:
                sinks[0].kill()
                said = sinks[0].log.read_text()
                sinks[0] = channel.sink(url, **settings)
            # A listing that moves between a reservation and its call leaves a revision unused.
            await channel.becomes(lambda: all("is ours" in sink.log.read_text() for sink in sinks))
            channel.publish(channel.update(listing, seq, 10 + seq) for listing in listings)
            await channel.settles()
        assert ebay.revisions == dict.fromkeys(listings, MOST - KEPT)
        channel.publish(channel.update(listing, MOST, 0, "P0") for listing in listings)
        await channel.settles()
        said += "".join(sink.log.read_text() for sink in sinks)
        for sink in sinks:
            assert await asyncio.to_thread(sink.stop) == 0
    assert ebay.revisions == dict.fromkeys(listings, MOST - KEPT + 1)
    assert set(ebay.shown().values()) == {0}
    refused = [one for one in channel.acknowledgements() if one.outcome == "REJECTED"]
    assert {(one.publish_seq, one.reason) for one in refused} == {(MOST - KEPT + 1, USED_UP)}
    assert said.count("are counted together with the other sinks") == 3
    assert redis_server not in said
