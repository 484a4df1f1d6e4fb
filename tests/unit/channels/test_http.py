from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from connectors.channels.base import Outcome
from connectors.channels.http import Answered, CallFailed, HttpCaller, UnreadableAnswer
from connectors.channels.http_status import not_taken, verdict
from connectors.channels.kind import CallLimits
from streams.local.ports import free_port
from tests.conformance.rig import update

LIMITS = CallLimits(max_answer_bytes=1_000, connect_timeout_s=1.0, call_timeout_s=0.2, longest_retry_after_s=60.0)


class Receiver:
    """Counts requests and misbehaves as its path says."""

    def __init__(self) -> None:
        self.requests = 0
        self.released = asyncio.Event()

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{how}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        match request.match_info["how"]:
            case "silent":
                await self.released.wait()
            case "close":
                assert request.transport is not None
                request.transport.abort()
            case "half":
                answer = web.StreamResponse(headers={"Content-Length": "500"})
                await answer.prepare(request)
                await answer.write(b"{")
                assert request.transport is not None
                request.transport.abort()
                return answer
            case "bomb":
                packed = gzip.compress(b" " * 1_000_000)
                return web.Response(body=packed, headers={"Content-Encoding": "gzip"})
            case "moved":
                return web.Response(status=307, headers={"Location": "/ok", "Retry-After": "9999"})
            case "cookie":
                return web.Response(text=str(dict(request.cookies)), headers={"Set-Cookie": "a=b"})
        return web.Response(text='{"secret": "hush hush"}')


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def address(receiver: Receiver) -> AsyncIterator[str]:
    async with TestServer(receiver.app(), host="127.0.0.1") as server:
        yield str(server.make_url("/"))
        receiver.released.set()


@pytest.fixture
async def http() -> AsyncIterator[HttpCaller]:
    caller = HttpCaller(LIMITS)
    await caller.open()
    yield caller
    await caller.close()


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "PATCH"])
async def test_a_call_is_made_once_whatever_breaks(
    http: HttpCaller, address: str, receiver: Receiver, method: str
) -> None:
    await http.call(method, address + "ok")
    assert receiver.requests == 1
    # Over the connection that is open already: aiohttp would repeat some methods by itself.
    failed = await http.call(method, address + "close", body=b"{}" if method != "GET" else b"")
    assert isinstance(failed, CallFailed)
    assert failed.outcome is Outcome.UNKNOWN
    assert receiver.requests == 2


@pytest.mark.parametrize(
    ("how", "reason"), [("silent", "TIME_OUT"), ("half", "connection lost: ClientPayloadError")]
)
async def test_what_may_have_arrived_is_unknown(http: HttpCaller, address: str, how: str, reason: str) -> None:
    assert await http.call("POST", address + how) == CallFailed(Outcome.UNKNOWN, reason)


async def test_what_certainly_did_not_arrive_is_to_be_tried_again(http: HttpCaller) -> None:
    failed = await http.call("POST", f"http://127.0.0.1:{free_port()}/")
    assert failed == CallFailed(Outcome.RETRY, "cannot connect: ClientConnectorError")
    assert await http.call("POST", "http://[nowhere/") == CallFailed(Outcome.RETRY, "the address is invalid")


async def test_an_answer_is_not_unpacked_beyond_its_bound(http: HttpCaller, address: str) -> None:
    answer = await http.call("GET", address + "bomb")
    assert isinstance(answer, Answered)
    assert answer.body is None
    with pytest.raises(UnreadableAnswer, match="ANSWER_TOO_LARGE"):
        answer.json()


async def test_redirects_are_not_followed_and_waits_are_bounded(
    http: HttpCaller, address: str, receiver: Receiver
) -> None:
    answer = await http.call("POST", address + "moved")
    assert isinstance(answer, Answered)
    assert (answer.status, answer.retry_after_s, receiver.requests) == (307, 60.0, 1)


async def test_cookies_are_not_kept(http: HttpCaller, address: str) -> None:
    for _ in range(2):
        answer = await http.call("GET", address + "cookie")
        assert isinstance(answer, Answered)
        assert answer.body == b"{}"


async def test_a_secret_that_the_channel_quotes_is_blinded(http: HttpCaller, address: str) -> None:
    http.hide(SecretStr("hush"))
    http.hide(SecretStr(""))
    answer = await http.call("GET", address + "ok")
    assert isinstance(answer, Answered)
    assert answer.json() == {"secret": "********** **********"}


async def test_a_caller_that_was_not_opened_is_a_fault_of_the_program() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        await HttpCaller(LIMITS).call("GET", "http://127.0.0.1/")


def test_a_verdict_depends_on_how_many_updates_the_call_carried() -> None:
    refused = Answered(422, {}, b"no\nsuch listing", None)
    assert verdict(refused, 2)[:2] == (Outcome.SPLIT, "HTTP 422")
    assert verdict(refused, 1)[:2] == (Outcome.REJECTED, "HTTP 422: no such listing")
    (throttled,) = not_taken([update()], Answered(429, {}, b"", 7.0))
    assert (throttled.outcome, throttled.retry_after_s) == (Outcome.RETRY, 7.0)
