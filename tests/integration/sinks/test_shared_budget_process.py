"""Two sink processes, one account: together they keep to a limit that each of them alone would use up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.integration.sinks.conftest import Shop
from tests.integration.sinks.rig import Channel

pytestmark = pytest.mark.integration


async def test_two_sinks_of_an_account_keep_to_its_limit_together(
    channel: Channel, shop: Shop, redis_server: str, unique: Callable[[str], str]
) -> None:
    # A little more than what is configured: the way from a token to the channel takes now longer, now shorter.
    shop.channel.limit(rate_per_s=20.0, burst=8)
    budget = {"budget_url": redis_server, "budget_account": unique("account"), "max_updates": 2}
    channel.publish(channel.update(f"L-{number}", 1, number) for number in range(150))
    first = channel.sink(shop.url, rate_per_s=20, burst=4, **budget)
    second = channel.sink(shop.url, rate_per_s=20, burst=4, **budget)
    await channel.becomes(lambda: len(shop.shown()) == 150)
    said = (first.log.read_text(), second.log.read_text())
    assert all("leased from the shared budget" in log for log in said)
    assert not any(redis_server in log for log in said)
    for sink in (first, second):
        assert await asyncio.to_thread(sink.stop) == 0
    assert shop.channel.ledger.above_limit == 0
