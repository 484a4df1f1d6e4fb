"""Fake channels that remember every update they accepted, in order, each on a loopback port."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from pydantic import SecretStr

from streams.demo.fake_channel import HOST, UPDATES_PATH, FakeChannel, _Told
from streams.local.ports import free_port
from tests.chaos.evidence import AcceptedUpdate, ChannelEvidence
from tests.integration.sinks.rig import SECRET

JITTER_S = 1.0
"""Calls may arrive closer together than they were sent, by at most this: two cores serve everybody."""


class RememberingChannel(FakeChannel):
    """A fake channel with a memory of all that it accepted."""

    def __init__(self, rate_per_s: float, burst: int) -> None:
        super().__init__([SecretStr(SECRET)], rate_per_s, burst)
        self.history: list[AcceptedUpdate] = []

    def _take(self, update: _Told) -> dict[str, Any]:
        answer = super()._take(update)
        if answer["status"] == "accepted":
            self.history.append(AcceptedUpdate(update.listing, update.publish_seq, update.quantity))
        return answer


class Shop:
    """One channel and the server in front of it.

    ``rate_per_s`` and ``burst`` are those of one sink process, of which ``at_once`` run at a time.
    """

    def __init__(self, name: str, rate_per_s: float, burst: int, at_once: int) -> None:
        self.name = name
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}{UPDATES_PATH}"
        self._allowed_per_s = rate_per_s * at_once
        self._burst = burst
        self._granted = round(self._allowed_per_s * JITTER_S)
        self.channel = RememberingChannel(self._allowed_per_s, max(1, self._granted))
        self._runner: web.AppRunner | None = None

    def sink_started(self) -> None:
        """One more process tells the channel, and begins with a full bucket of its own."""
        self._granted += self._burst
        self.channel.limit(self._allowed_per_s, self._granted)

    async def open(self) -> None:
        """Begin to answer."""
        self._runner = web.AppRunner(self.channel.app(), access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self.port).start()

    async def close(self) -> None:
        """Answer no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    def evidence(self) -> ChannelEvidence:
        """Everything the channel saw."""
        ledger = self.channel.ledger
        return ChannelEvidence(
            channel=self.name,
            requests=ledger.requests,
            above_limit=ledger.above_limit,
            accepted_older=ledger.accepted_older,
            repeated=ledger.repeated,
            unsigned=ledger.unsigned,
            malformed=ledger.malformed,
            accepted=tuple(self.channel.history),
        )
