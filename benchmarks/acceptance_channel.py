"""A channel on loopback that takes everything it is sent and remembers when it said so."""

from __future__ import annotations

import asyncio
import importlib
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from benchmarks.acceptance_figures import Accepted

KINDS = ("webhook", "shopify")
SECRET = "whsec_YmVuY2htYXJrLWJlbmNobWFyay1iZW5jaG1hcms="
TOKEN = "benchmark-token"
STARTS_IN_S = 10.0

Answered = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Channel:
    """Serves from a thread of its own while it is used as a context.

    ``accepted`` are the quantities it took, each with the time (``time.perf_counter``) at which its answer was
    ready; ``calls`` the times at which calls arrived. ``sink`` are the settings of a sink of the kind.
    """

    def __init__(self, kind: str, rate_per_s: float, burst: int) -> None:
        self.accepted: list[Accepted] = []
        self.calls: list[float] = []
        self._refused = 0
        self._throttled: Callable[[], int] = lambda: 0
        self.url = ""
        self.sink: dict[str, str] = {"kind": kind}
        self._took: list[tuple[str, int]] = []
        if kind == "webhook":
            self._app = web.Application(client_max_size=100_000_000)
            self._app.add_routes([web.post("/", self._webhook)])
            self.sink |= {"secrets": SECRET}
        else:
            self._app = self._shopify(rate_per_s, burst)
        self._app.middlewares.append(self._timed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="channel", daemon=True)
        self._started = threading.Event()

    def __enter__(self) -> Channel:
        self._thread.start()
        if not self._started.wait(STARTS_IN_S):
            raise TimeoutError("the channel does not listen")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STARTS_IN_S)

    @property
    def refused(self) -> int:
        """How many calls it did not take, such as for being too fast."""
        return self._refused + self._throttled()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        runner = web.AppRunner(self._app, access_log=None)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    @web.middleware
    async def _timed(self, request: web.Request, handler: Answered) -> web.StreamResponse:
        self.calls.append(time.perf_counter())
        response = await handler(request)
        now = time.perf_counter()
        self._refused += response.status >= 300
        self.accepted += [
            # An inventory item of Shopify is told by its global id.
            Accepted(now, listing.rpartition("/")[2], quantity)
            for listing, quantity in self._took
        ]
        self._took.clear()
        return response

    async def _webhook(self, request: web.Request) -> web.Response:
        updates: list[Mapping[str, Any]] = (await request.json())["updates"]
        self._took += [(one["listing"], one["quantity"]) for one in updates]
        return web.Response()

    def _shopify(self, rate_per_s: float, burst: int) -> web.Application:
        """The shop of the demo: it validates requests, and its cost bucket is the budget."""
        fake = importlib.import_module("streams.demo.shops.shopify")  # only then is the extra `demo` needed
        shop = fake.FakeShopify(
            {TOKEN},
            clock=time.monotonic,
            maximum=fake.MUTATION_COST * (burst + rate_per_s),
            restore_per_s=fake.MUTATION_COST * rate_per_s,
        )
        self._took = shop.taken
        self._throttled = lambda: len(shop.throttled)
        self.sink |= {"location_id": fake.LOCATION, "access_token": TOKEN}
        app: web.Application = shop.app()
        return app
