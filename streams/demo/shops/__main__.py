"""Shops as processes of their own: ``python -m streams.demo.shops shopify`` and ``... amazon``.

Both listen on 127.0.0.1, enforce their limits by the real clock, and tell at ``GET /state`` what they show, how
often they were asked, and what they had to object to. They remember all they took: start them anew for a long run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import click
from aiohttp import web

from streams.demo.shops.amazon import FakeAmazon
from streams.demo.shops.amazon_feeds import IN_PROGRESS, IN_QUEUE, SELLER
from streams.demo.shops.shopify import LOCATION, FakeShopify
from streams.demo.shops.usage_plan import UsagePlan

HOST = "127.0.0.1"
SECRET_VARIABLE = "ATSTREAM_SHOP_SECRET"
WORK_EVERY_S = 0.1

_above_0 = click.FloatRange(min=0, min_open=True)
_port = click.option("--port", type=click.IntRange(0, 65_535), required=True, help="Port on 127.0.0.1.")
_secret = click.option(
    "--secret", required=True, envvar=SECRET_VARIABLE, help="The access token, or the client secret for one."
)


@click.group()
def main() -> None:
    """A shop to be told quantities, until SIGTERM or SIGINT."""


@main.command(help=f"Admin GraphQL, for what is available at {LOCATION}.")
@_port
@_secret
@click.option("--points", type=_above_0, default=2_000.0, show_default=True, help="What the bucket holds.")
@click.option("--restore", type=_above_0, default=100.0, show_default=True, help="Points that come back a second.")
def shopify(port: int, secret: str, points: float, restore: float) -> None:
    """Serve until told to stop."""
    _serve(FakeShopify({secret}, clock=time.monotonic, maximum=points, restore_per_s=restore).app(), port)


@main.command(help=f"Selling Partner API, for the seller {SELLER}.")
@_port
@_secret
@click.option("--rate", type=_above_0, default=5.0, show_default=True, help="Patches a second.")
@click.option("--burst", type=click.IntRange(min=1), default=5, show_default=True, help="Patches at once.")
@click.option("--queued", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Wait of a feed, s.")
@click.option("--work", type=_above_0, default=50.0, show_default=True, help="Messages of a feed done a second.")
def amazon(port: int, secret: str, rate: float, burst: int, queued: float, work: float) -> None:
    """Serve until told to stop."""
    shop = FakeAmazon(time.monotonic, {secret})
    shop.plans["patchListingsItem"] = UsagePlan(rate, burst, time.monotonic())
    app = shop.app()

    async def working(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(work_on_feeds(shop, queued, work))
        yield
        task.cancel()

    app.cleanup_ctx.append(working)
    _serve(app, port)


async def work_on_feeds(shop: FakeAmazon, queued_s: float, messages_per_s: float) -> None:
    """Work on one feed after the other: each waits in the queue first, then goes on message by message."""
    while True:
        feed = next((one for one in shop.feeds.values() if one.status in (IN_QUEUE, IN_PROGRESS)), None)
        if feed is None:
            await asyncio.sleep(WORK_EVERY_S)
            continue
        await asyncio.sleep(queued_s)
        while feed.status in (IN_QUEUE, IN_PROGRESS):
            shop.work(feed, max(1, round(messages_per_s * WORK_EVERY_S)))
            await asyncio.sleep(WORK_EVERY_S)


def _serve(app: web.Application, port: int) -> None:
    web.run_app(app, host=HOST, port=port, print=None, access_log=None)


if __name__ == "__main__":
    main()
