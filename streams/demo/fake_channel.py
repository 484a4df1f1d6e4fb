"""A sales channel to test and demonstrate against: takes signed batches, limits the rate, remembers and judges.

It takes whatever is genuine and within the limit, also an older value after a newer one: that is what it is there
to catch. ``GET /state`` tells what it holds and what went wrong. Run with ``python -m streams.demo.fake_channel``.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import click
from aiohttp import web
from pydantic import SecretStr

from connectors.channels.rate import TokenBucket
from connectors.channels.signing import SignatureRefused, SigningSecret, verify

HOST = "127.0.0.1"
UPDATES_PATH = "/updates"
MAX_REQUEST_BYTES = 4_000_000


@dataclass(slots=True)
class Shown:
    """What the channel shows for a listing. ``accepted_at`` in seconds since the epoch."""

    quantity: int
    publish_seq: int
    accepted_at: float


@dataclass(slots=True)
class Ledger:
    """Everything the channel saw. The last two are violations: a good sink leaves them at 0."""

    requests: int = 0
    unsigned: int = 0
    malformed: int = 0
    faults: int = 0
    accepted: int = 0
    rejected: int = 0
    repeated: int = 0
    accepted_older: int = 0
    above_limit: int = 0


@dataclass(slots=True)
class Fault:
    """How the channel answers one request instead of as it should.

    ``taken``: the updates count although the answer says otherwise. ``delay_s`` is waited before answering.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    taken: bool = False
    delay_s: float = 0.0


class FakeChannel:
    """A channel that allows ``rate_per_s`` requests a second with bursts of ``burst``.

    ``refused`` are listings it rejects, ``breaking`` those it answers 500 to. ``next_faults`` are served to the
    next requests, one each. ``last_batch`` are the listings in the last request, taken or not, ``webhook_ids`` the
    ids of the last 1,000. ``clock`` is monotonic seconds, ``wall_clock`` seconds since the epoch.
    """

    def __init__(
        self,
        secrets: Sequence[SecretStr],
        rate_per_s: float = 10.0,
        burst: int = 10,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._secrets = [SigningSecret(secret) for secret in secrets]
        self._bucket = TokenBucket(rate_per_s, burst)
        self._clock = clock
        self._wall_clock = wall_clock
        self.listings: dict[str, Shown] = {}
        self.ledger = Ledger()
        self.refused: set[str] = set()
        self.breaking: set[str] = set()
        self.next_faults: list[Fault] = []
        self.webhook_ids: deque[str] = deque(maxlen=1_000)
        self.last_batch: tuple[str, ...] = ()

    def limit(self, rate_per_s: float, burst: int) -> None:
        """Allow another rate from now on."""
        self._bucket = TokenBucket(rate_per_s, burst)

    def app(self) -> web.Application:
        """The HTTP application."""
        app = web.Application(client_max_size=MAX_REQUEST_BYTES)
        app.add_routes([web.post(UPDATES_PATH, self._updates), web.get("/state", self._state)])
        return app

    def state(self) -> dict[str, Any]:
        """What ``GET /state`` answers."""
        return {
            "listings": {listing: asdict(shown) for listing, shown in self.listings.items()},
            "ledger": asdict(self.ledger),
        }

    async def _state(self, _request: web.Request) -> web.Response:
        return web.json_response(self.state())

    async def _updates(self, request: web.Request) -> web.Response:
        self.ledger.requests += 1
        body = await request.read()
        try:
            webhook_id = verify(self._secrets, _lowered(request), body, int(self._wall_clock()))
        except SignatureRefused as refused:
            self.ledger.unsigned += 1
            return web.json_response({"error": str(refused)}, status=401)
        self.webhook_ids.append(webhook_id)
        now = self._clock()
        wait_s = self._bucket.wait_s(now)
        if wait_s > 0:
            self.ledger.above_limit += 1
            return web.Response(status=429, headers={"Retry-After": str(int(wait_s) + 1)})
        self._bucket.take(now)
        try:
            updates = [_Told(one) for one in json.loads(body)["updates"]]
        except (ValueError, KeyError, TypeError):
            self.ledger.malformed += 1
            return web.json_response({"error": "not a batch of channel updates"}, status=400)
        self.last_batch = tuple(update.listing for update in updates)
        return await self._answer(updates)

    async def _answer(self, updates: list[_Told]) -> web.Response:
        if self.breaking.intersection(self.last_batch):
            return web.Response(status=500)
        if not self.next_faults:
            return web.json_response({"results": [self._take(update) for update in updates]})
        fault = self.next_faults.pop(0)
        self.ledger.faults += 1
        if fault.taken:
            for update in updates:
                self._take(update)
        await asyncio.sleep(fault.delay_s)
        return web.Response(status=fault.status, headers=fault.headers, text=fault.body)

    def _take(self, update: _Told) -> dict[str, Any]:
        answer: dict[str, Any] = {"listing": update.listing, "publish_seq": update.publish_seq}
        if update.listing in self.refused:
            self.ledger.rejected += 1
            return answer | {"status": "rejected", "reason": "UNKNOWN_LISTING"}
        shown = self.listings.get(update.listing)
        if shown is not None and update.publish_seq < shown.publish_seq:
            self.ledger.accepted_older += 1
        elif shown is not None and update.publish_seq == shown.publish_seq:
            self.ledger.repeated += 1
        self.ledger.accepted += 1
        self.listings[update.listing] = Shown(update.quantity, update.publish_seq, self._wall_clock())
        return answer | {"status": "accepted"}


class _Told:
    """One update as the channel reads it."""

    __slots__ = ("listing", "publish_seq", "quantity")

    def __init__(self, fields: dict[str, Any]) -> None:
        self.listing = str(fields["listing"])
        self.quantity = int(fields["quantity"])
        self.publish_seq = int(fields["publish_seq"])


def _lowered(request: web.Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), required=True, help="Port on 127.0.0.1.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), default=10.0, help="Requests a second.")
@click.option("--burst", type=click.IntRange(min=1), default=10, help="Requests at once.")
@click.option("--secret", "secrets", multiple=True, required=True, envvar="ATSTREAM_FAKE_CHANNEL_SECRET")
def main(port: int, rate: float, burst: int, secrets: tuple[str, ...]) -> None:
    """Serve until SIGTERM or SIGINT."""
    channel = FakeChannel([SecretStr(secret) for secret in secrets], rate, burst)
    web.run_app(channel.app(), host=HOST, port=port, print=None, access_log=None)


if __name__ == "__main__":
    main()
