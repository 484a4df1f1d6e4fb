"""What a sink says to a fake and hears from it, word for word; and documents that differ from one in one place."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import web
from aiohttp.test_utils import TestServer

from streams.demo.shops.vendor import FakeVendor

OTHERS = (None, True, 0, -1, 7, 1.5, 2**31, 2**40, "", "x", [], ["x"], [{}], [[]], {}, {"x": "y"}, {"x": 7})
"""What is put in the place of a value, besides nothing."""


class Exchange(NamedTuple):
    """A call and its answer."""

    method: str
    path: str
    query: Mapping[str, str]
    asked: bytes
    status: int
    answered: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.asked)

    @property
    def answer(self) -> Any:
        return json.loads(self.answered)


@asynccontextmanager
async def heard(vendor: FakeVendor) -> AsyncIterator[tuple[str, list[Exchange]]]:
    """The address of a fake, and every exchange with it."""
    exchanges: list[Exchange] = []

    @web.middleware
    async def hear(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        asked = await request.read()
        response = await handler(request)
        body = response.body if isinstance(response, web.Response) else b""
        answered = body if isinstance(body, bytes) else b""
        exchanges.append(
            Exchange(request.method, request.path, dict(request.query), asked, response.status, answered)
        )
        return response

    app = vendor.app()
    app.middlewares.insert(0, hear)
    async with TestServer(app, host="127.0.0.1") as server:
        yield str(server.make_url("/")).rstrip("/"), exchanges
        vendor.release()


def changed(document: Any) -> Iterator[tuple[str, Any]]:
    """Every document that differs in one place: a value that is missing, or is another one, or one too many."""
    for path in _paths(document):
        where = "/".join(map(str, path))
        without = copy.deepcopy(document)
        del _parent(without, path)[path[-1]]
        yield f"{where} missing", without
        for other in OTHERS:
            replaced = copy.deepcopy(document)
            _parent(replaced, path)[path[-1]] = other
            yield f"{where} is {json.dumps(other)}", replaced


def _parent(document: Any, path: tuple[str | int, ...]) -> Any:
    for part in path[:-1]:
        document = document[part]
    return document


def _paths(document: Any) -> Iterator[tuple[str | int, ...]]:
    parts: Any = ()
    if isinstance(document, dict):
        parts = document.items()
    elif isinstance(document, list):
        parts = enumerate(document)
    for name, value in parts:
        yield (name,)
        for deeper in _paths(value):
            yield (name, *deeper)
