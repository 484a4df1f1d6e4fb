"""What every fake vendor shares: faults on demand, tokens that can be refused, and a record of what it took.

A fake of a vendor derives from ``FakeVendor``, adds its routes, and calls ``took`` for each quantity that it shows
from then on. ``GET /state`` tells what it shows and what it had to object to.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qs

from aiohttp import web

TOKEN_PATH = "/token"
STATE_PATH = "/state"
MOST_BYTES = 200_000_000
MOST_OBJECTIONS = 10

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Malformed(Exception):
    """A call that is not as the vendor documents it; the message says what is wrong."""


def require(holds: bool, otherwise: str) -> None:
    """Raise ``Malformed`` when something documented does not hold."""
    if not holds:
        raise Malformed(otherwise)


@dataclass(slots=True)
class Fault:
    """How one call is answered instead of as it should.

    ``taken``: the vendor does what is asked although its answer says otherwise. ``silent``: it never answers.
    ``closed``: it closes the connection instead of answering. ``late``: it does what is asked only when
    ``come_through`` is called.
    """

    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    taken: bool = False
    silent: bool = False
    closed: bool = False
    late: bool = False


class FakeVendor(ABC):
    """A server whose calls (every route but the token endpoint) can be made to fail.

    ``credential_header`` and ``credential_prefix`` say where calls carry their token. Access tokens are made by
    ``POST`` to ``token_path`` (OAuth 2, any grant) when ``client_secrets`` are set, else ``tokens`` are given
    beforehand.
    An unknown token is answered with ``refused_status`` and quoted back, as careless servers do.

    ``malformed`` says what was not as documented, ``throttled`` what was above a limit.
    """

    open_paths: tuple[str, ...] = ()
    """Beginnings of paths that are called without a token, such as signed addresses; no fault happens there."""
    credential_header = "Authorization"
    credential_prefix = "Bearer "
    refused_status = 401
    token_path = TOKEN_PATH

    def __init__(self, tokens: set[str] | None = None, client_secrets: set[str] | None = None) -> None:
        self.tokens = set(tokens or ())
        self.client_secrets = set(client_secrets or ())
        self.token_requests = 0
        self.token_lifetime_s: int | None = 3600
        self.next_faults: list[Fault] = []
        self.calls = 0
        self.unauthenticated = 0
        self.malformed: list[str] = []
        self.throttled: list[str] = []
        self.taken: list[tuple[str, int]] = []
        self._late: list[tuple[web.Request, Handler]] = []
        self._released = asyncio.Event()

    # -- what a vendor's own fake adds

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """The routes of the vendor."""

    def throttling(self, retry_after_s: int) -> Fault:
        """The vendor's way to say: too fast, come back after this many seconds."""
        return Fault(429, {"Retry-After": str(retry_after_s)})

    # -- what tests do

    def took(self, listing: str, quantity: int) -> None:
        """The vendor shows this quantity from now on."""
        self.taken.append((listing, quantity))

    def shown(self) -> Mapping[str, int]:
        """What the vendor shows now, of every listing that it was told or asked of."""
        return dict(self.taken)

    def expire_tokens(self) -> None:
        """Whatever was issued is refused from now on."""
        self.tokens.clear()

    async def come_through(self) -> None:
        """Do what was asked by the calls that are late."""
        late, self._late = self._late, []
        for request, handler in late:
            await self._judged(request, handler)

    def release(self) -> None:
        """Let calls go that are being kept waiting, so that the server can stop."""
        self._released.set()

    def app(self) -> web.Application:
        """The server."""
        app = web.Application(middlewares=[self._faulty], client_max_size=MOST_BYTES)
        own = [web.post(self.token_path, self._token), web.get(STATE_PATH, self._state)]
        app.add_routes([*self.routes(), *own])
        return app

    def state(self) -> dict[str, Any]:
        """What ``GET /state`` answers: the quantity of each listing, all that it was given, and counts."""
        taken: dict[str, list[int]] = {}
        for listing, quantity in self.taken:
            taken.setdefault(listing, []).append(quantity)
        listings = {
            listing: {"quantity": quantity, "taken": taken.get(listing, [])}
            for listing, quantity in self.shown().items()
        }
        ledger = {
            "requests": self.calls,
            "unauthenticated": self.unauthenticated,
            "malformed": len(self.malformed),
            "above_limit": len(self.throttled),
        }
        return {"listings": listings, "ledger": ledger, "objections": self.malformed[:MOST_OBJECTIONS]}

    async def _state(self, _request: web.Request) -> web.Response:
        return web.json_response(self.state())

    @web.middleware
    async def _faulty(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in (self.token_path, STATE_PATH):
            return await handler(request)
        if request.path.startswith(self.open_paths):
            return await self._judged(request, handler)
        self.calls += 1
        given = request.headers.get(self.credential_header, "")
        if not self.authentic(given):
            self.unauthenticated += 1
            return web.json_response({"error": f"invalid credential {given}"}, status=self.refused_status)
        fault = self.next_faults.pop(0) if self.next_faults else None
        if fault is None:
            return await self._judged(request, handler)
        await request.read()
        if fault.taken:
            await self._judged(request, handler)
        if fault.late:
            self._late.append((request, handler))
        if fault.silent:
            await self._released.wait()
        if fault.closed and request.transport is not None:
            request.transport.abort()
        return web.Response(status=fault.status, headers=fault.headers, text=fault.body)

    async def _judged(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Malformed as error:
            self.malformed.append(str(error))
            return web.json_response({"error": str(error)}, status=400)

    def authentic(self, credential: str) -> bool:
        """Whether the credential of a call is one that was issued."""
        token = credential.removeprefix(self.credential_prefix)
        return token in self.tokens

    async def _token(self, request: web.Request) -> web.Response:
        self.token_requests += 1
        text = await request.text()
        form = {name: values[0] for name, values in parse_qs(text).items()}
        offered = {form.get("client_secret"), form.get("refresh_token"), request.headers.get("Authorization")}
        if not offered & self.client_secrets:
            return web.json_response({"error": "invalid_client", "error_description": text}, status=401)
        token = f"issued-token-{self.token_requests}"
        self.tokens.add(token)
        lifetime = {} if self.token_lifetime_s is None else {"expires_in": self.token_lifetime_s}
        return web.json_response({"access_token": token, "token_type": "bearer", **lifetime})
