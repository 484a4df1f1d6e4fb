"""What every fake vendor shares: faults on demand, tokens that can be refused, and a record of what it took.

A fake of a vendor derives from ``FakeVendor``, adds its routes, and calls ``took`` for each quantity that it shows
from then on.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from aiohttp import web

TOKEN_PATH = "/token"


@dataclass(slots=True)
class Fault:
    """How one call is answered instead of as it should.

    ``taken``: the vendor does what is asked although its answer says otherwise. ``silent``: it never answers.
    ``closed``: it closes the connection instead of answering.
    """

    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    taken: bool = False
    silent: bool = False
    closed: bool = False


class FakeVendor(ABC):
    """A server whose calls (every route but the token endpoint) can be made to fail.

    ``credential_header`` and ``credential_prefix`` say where calls carry their token. Access tokens are made by
    ``POST`` to ``token_path`` (OAuth 2, any grant) when ``client_secrets`` are set, else ``tokens`` are given
    beforehand.
    An unknown token is answered with ``refused_status`` and quoted back, as careless servers do.
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
        self.taken: list[tuple[str, int]] = []
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

    def expire_tokens(self) -> None:
        """Whatever was issued is refused from now on."""
        self.tokens.clear()

    def release(self) -> None:
        """Let calls go that are being kept waiting, so that the server can stop."""
        self._released.set()

    def app(self) -> web.Application:
        """The server."""
        app = web.Application(middlewares=[self._faulty], client_max_size=200_000_000)
        app.add_routes([*self.routes(), web.post(self.token_path, self._token)])
        return app

    @web.middleware
    async def _faulty(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path == self.token_path or request.path.startswith(self.open_paths):
            return await handler(request)
        self.calls += 1
        given = request.headers.get(self.credential_header, "")
        if not self.authentic(given):
            return web.json_response({"error": f"invalid credential {given}"}, status=self.refused_status)
        fault = self.next_faults.pop(0) if self.next_faults else None
        if fault is None:
            return await handler(request)
        await request.read()
        if fault.taken:
            await handler(request)
        if fault.silent:
            await self._released.wait()
        if fault.closed and request.transport is not None:
            request.transport.abort()
        return web.Response(status=fault.status, headers=fault.headers, text=fault.body)

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
