"""The admin port of a process: ``/metrics``, ``/healthz``, ``/readyz``, and answers of its own in JSON. On the
loopback unless told otherwise.

It runs on the event loop that does the work: a loop that hangs does not answer, which is what a liveness probe is
to see.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from aiohttp import web

from connectors.metrics import Collecting, Exposition
from streams.data_plane.failures import Misconfigured

log = logging.getLogger(__name__)

_SHUTDOWN_S = 1.0


Answer = Callable[[], Awaitable[Mapping[str, Any]]]
"""What is answered when somebody asks; plain values."""

_NO_ANSWERS: Mapping[str, Answer] = {}


class Health(Protocol):
    """How a process is; each method names what is wrong, or None."""

    def ailment(self) -> str | None:
        """Why the process should be started anew."""
        ...

    def unreadiness(self) -> str | None:
        """What is still to be done before it does its work."""
        ...


def open_socket(host: str, port: int, setting: str) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises ``Misconfigured`` when the address cannot be had; ``setting`` is the name of what to change then.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise Misconfigured(
            f"the admin port cannot listen on {host}:{port} ({error.strerror or error}); choose another "
            f"{setting} (0 takes a free one), or leave it out"
        ) from error


class AdminSite:
    """Answers on a listening socket from ``start`` to ``stop``. ``answers``: those of this process, by path."""

    def __init__(
        self,
        source: Collecting,
        health: Health,
        listening: socket.socket,
        answers: Mapping[str, Answer] = _NO_ANSWERS,
    ) -> None:
        self._exposition = Exposition(source)
        self._health = health
        self._listening = listening
        self._answers = answers
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Begin to answer; logs where."""
        site = web.Application()
        site.router.add_get("/metrics", self._metrics)
        site.router.add_get("/healthz", self._healthz)
        site.router.add_get("/readyz", self._readyz)
        for path, answer in self._answers.items():
            site.router.add_get(path, _page(answer))
        self._runner = web.AppRunner(site, access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_S)
        await self._runner.setup()
        await web.SockSite(self._runner, self._listening).start()
        host, port = self._listening.getsockname()[:2]
        log.info("admin port: http://%s:%s/metrics", host, port)

    async def stop(self) -> None:
        """Answer no more. Safe without ``start``."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.Response:
        text, content_type = self._exposition.text(request.headers.get("Accept", ""))
        return web.Response(body=text, headers={"Content-Type": content_type})

    async def _healthz(self, request: web.Request) -> web.Response:
        return _answer(self._health.ailment())

    async def _readyz(self, request: web.Request) -> web.Response:
        return _answer(self._health.unreadiness())


def _page(answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def page(request: web.Request) -> web.Response:
        return web.json_response(await answer())

    return page


def _answer(reason: str | None) -> web.Response:
    return web.json_response({"ok": reason is None, "reason": reason}, status=200 if reason is None else 503)
