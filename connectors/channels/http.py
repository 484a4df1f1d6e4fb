"""One HTTP call to a channel: bounded in time and size, and honest about whether it may have arrived."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import aiohttp
from pydantic import SecretStr

from connectors.channels.base import Outcome
from connectors.channels.kind import CallLimits
from connectors.channels.retry_after import retry_after_s

MAX_HIDDEN = 16
"""How many secrets are blinded in answers: those in use and a few that were just replaced."""
BLIND = b"**********"


class CallFailed(NamedTuple):
    """No answer. RETRY: it certainly did not arrive. UNKNOWN: it may have."""

    outcome: Outcome
    reason: str


class UnreadableAnswer(ValueError):
    """The body of an answer is not what it should be. The message is a code without the channel's words."""


class Answered(NamedTuple):
    """An answer. ``body`` None: longer than allowed, so not read. ``headers`` are found whatever their case."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None
    retry_after_s: float | None

    def json(self) -> Any:
        """The body as JSON. Raises ``UnreadableAnswer``."""
        if self.body is None:
            raise UnreadableAnswer("ANSWER_TOO_LARGE")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise UnreadableAnswer("ANSWER_UNREADABLE") from None

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ``UnreadableAnswer``."""
        content = self.json()
        if not isinstance(content, dict):
            raise UnreadableAnswer("ANSWER_UNREADABLE")
        return content


class Caller(Protocol):
    """Makes one call and never raises for what the network or the channel does."""

    async def call(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answered | CallFailed:
        """One request and its answer."""
        ...


class HttpCaller:
    """Calls over one connection pool. Redirects are refused, proxies and cookies not used.

    ``wall_clock`` gives seconds since the epoch, against which a ``Retry-After`` date is read. Secrets that were
    told to ``hide`` are blinded in every answer, so that a channel that quotes them back cannot bring them into
    a reason or a log.
    """

    def __init__(self, limits: CallLimits, wall_clock: Callable[[], float] = time.time) -> None:
        self._limits = limits
        self._wall_clock = wall_clock
        self._hidden: list[SecretStr] = []
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Prepare the pool. Connects with the first call: a channel that is down is an outage."""
        timeout = aiohttp.ClientTimeout(
            total=self._limits.call_timeout_s,
            connect=self._limits.connect_timeout_s,
            sock_connect=self._limits.connect_timeout_s,
        )
        self._session = aiohttp.ClientSession(
            timeout=timeout, auto_decompress=True, cookie_jar=aiohttp.DummyCookieJar()
        )
        # aiohttp repeats GET and PUT by itself when a connection breaks, and has no public switch for that: such a
        # second request would be counted by nobody.
        self._session._retry_connection = False

    async def close(self) -> None:
        """Close the connections. Safe to call twice, and without ``open``."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def hide(self, secret: SecretStr) -> None:
        """Blind this secret in answers from now on."""
        if secret.get_secret_value() and secret not in self._hidden:
            self._hidden = [*self._hidden, secret][-MAX_HIDDEN:]

    async def call(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answered | CallFailed:
        """One request and its answer; what became of the connection otherwise."""
        if self._session is None:
            raise RuntimeError("the sink is not open")
        try:
            async with self._session.request(
                method, url, data=body or None, headers=headers, allow_redirects=False
            ) as answer:
                wait_s = retry_after_s(
                    answer.headers.get("Retry-After"), self._wall_clock(), self._limits.longest_retry_after_s
                )
                return Answered(answer.status, answer.headers, await self._read(answer), wait_s)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return CallFailed(Outcome.RETRY, f"cannot connect: {type(error).__name__}")
        except TimeoutError:
            return CallFailed(Outcome.UNKNOWN, "TIME_OUT")
        except aiohttp.InvalidURL:
            return CallFailed(Outcome.RETRY, "the address is invalid")
        except (aiohttp.ClientError, OSError) as error:
            # The connection broke after it stood: the receiver may have read the request.
            return CallFailed(Outcome.UNKNOWN, f"connection lost: {type(error).__name__}")

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes | None:
        """The body after decompression, or None when it is longer than allowed."""
        parts = bytearray()
        async for part in answer.content.iter_chunked(16_384):
            parts += part
            if len(parts) > self._limits.max_answer_bytes:
                answer.close()
                return None
        body = bytes(parts)
        for secret in self._hidden:
            body = body.replace(secret.get_secret_value().encode(), BLIND)
        return body
