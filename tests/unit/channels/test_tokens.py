from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from connectors.channels.authorized import AuthorizedCaller
from connectors.channels.base import Outcome
from connectors.channels.http import Answered, CallFailed, HttpCaller
from connectors.channels.kind import CallLimits
from connectors.channels.tokens import MARGIN_S, OAuthToken, StaticToken
from tests.conformance.rig import Clock

CLIENT = SecretStr("client-secret-1")


class Issuer:
    """A token endpoint that answers as it is told, and a resource that wants the newest token."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.authorizations: list[str | None] = []
        self.answers: list[web.Response] = []
        self.resource_calls = 0
        self.accepted = ""

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.post("/token", self._token), web.post("/resource", self._resource)])
        return app

    async def _token(self, request: web.Request) -> web.Response:
        self.forms.append({name: values[0] for name, values in parse_qs(await request.text()).items()})
        self.authorizations.append(request.headers.get("authorization"))
        if self.answers:
            return self.answers.pop(0)
        self.accepted = f"token-{len(self.forms)}"
        return web.json_response({"access_token": self.accepted, "expires_in": 600})

    async def _resource(self, request: web.Request) -> web.Response:
        self.resource_calls += 1
        given = request.headers["authorization"]
        return web.Response(status=200 if given == f"Bearer {self.accepted}" else 401, text=f"you sent {given}")


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
async def address(issuer: Issuer) -> AsyncIterator[str]:
    async with TestServer(issuer.app(), host="127.0.0.1") as server:
        yield str(server.make_url("/")).rstrip("/")


@pytest.fixture
async def http() -> AsyncIterator[HttpCaller]:
    caller = HttpCaller(CallLimits(max_answer_bytes=1_000, call_timeout_s=5.0))
    await caller.open()
    yield caller
    await caller.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(http: HttpCaller, address: str, clock: Clock) -> OAuthToken:
    form = {"grant_type": "refresh_token", "client_id": "me"}
    secrets = {"client_secret": CLIENT, "refresh_token": SecretStr("refresh-1")}
    return OAuthToken(http, f"{address}/token", form, secrets, monotonic=clock.monotonic)


async def text_of(source: OAuthToken) -> str:
    token = await source.token()
    assert isinstance(token, SecretStr)
    return token.get_secret_value()


async def test_a_token_is_kept_until_shortly_before_it_expires(
    source: OAuthToken, issuer: Issuer, clock: Clock
) -> None:
    assert await text_of(source) == await text_of(source) == "token-1"
    clock.advance(600 - MARGIN_S - 1)
    assert await text_of(source) == "token-1"
    clock.advance(1)
    assert await text_of(source) == "token-2"
    assert issuer.forms[0] == {
        "grant_type": "refresh_token",
        "client_id": "me",
        "client_secret": "client-secret-1",
        "refresh_token": "refresh-1",
    }


async def test_a_token_without_a_lifetime_is_used_until_it_is_refused(
    source: OAuthToken, issuer: Issuer, clock: Clock
) -> None:
    issuer.answers.append(web.json_response({"access_token": "endless"}))
    assert await text_of(source) == "endless"
    clock.advance(10**9)
    assert await text_of(source) == "endless"


async def test_many_tasks_at_once_fetch_one_token(source: OAuthToken, issuer: Issuer) -> None:
    assert set(await asyncio.gather(*(text_of(source) for _ in range(20)))) == {"token-1"}
    first = SecretStr("token-1")
    renewed = await asyncio.gather(*(source.renew(first) for _ in range(20)))
    assert {one.get_secret_value() for one in renewed if isinstance(one, SecretStr)} == {"token-2"}
    assert len(issuer.forms) == 2


async def test_a_rotated_refresh_token_replaces_the_former_one(source: OAuthToken, issuer: Issuer) -> None:
    issuer.answers.append(web.json_response({"access_token": "a", "refresh_token": "refresh-2", "expires_in": 1}))
    await source.token()
    await source.token()
    assert [form["refresh_token"] for form in issuer.forms] == ["refresh-1", "refresh-2"]


async def test_the_client_may_travel_in_a_basic_header(http: HttpCaller, address: str, issuer: Issuer) -> None:
    form = {"grant_type": "client_credentials"}
    await OAuthToken(http, f"{address}/token", form, {}, basic=("me", CLIENT)).token()
    assert issuer.authorizations == ["Basic bWU6Y2xpZW50LXNlY3JldC0x"]
    assert issuer.forms == [form]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"status": 400, "text": '{"error": "invalid_grant"}'}, "no token: HTTP 400 invalid_grant"),
        ({"status": 401, "text": '{"error": "client-secret-1"}'}, "no token: HTTP 401 **********"),
        ({"status": 503, "text": "client-secret-1"}, "no token: HTTP 503"),
        ({"text": "[]"}, "no token: ANSWER_UNREADABLE"),
        ({"text": '{"access_token": ""}'}, "no token: ANSWER_UNREADABLE"),
        ({"text": '{"access_token": "two\\r\\nlines"}'}, "no token: ANSWER_UNREADABLE"),
        ({"text": "x" * 2_000}, "no token: ANSWER_TOO_LARGE"),
    ],
)
async def test_without_a_token_nothing_was_sent_and_no_secret_is_told(
    source: OAuthToken, issuer: Issuer, answer: dict[str, object], reason: str
) -> None:
    issuer.answers.append(web.Response(**answer))  # type: ignore[arg-type]
    assert await source.token() == CallFailed(Outcome.RETRY, reason)
    assert CLIENT.get_secret_value() not in repr(vars(source))


async def test_a_refused_token_is_renewed_once_and_the_second_answer_stands(
    source: OAuthToken, http: HttpCaller, address: str, issuer: Issuer
) -> None:
    caller = AuthorizedCaller(http, source)
    await source.token()
    issuer.accepted = "nothing we know"
    issuer.answers.append(web.json_response({"access_token": "token-bad"}))
    answer = await caller.call("POST", f"{address}/resource")
    assert isinstance(answer, Answered)
    assert (answer.status, issuer.resource_calls, len(issuer.forms)) == (401, 2, 2)
    assert answer.body == b"you sent Bearer **********"


async def test_a_token_of_an_operator_is_not_renewed(http: HttpCaller, address: str, issuer: Issuer) -> None:
    caller = AuthorizedCaller(http, StaticToken(SecretStr("fixed-token")))
    answer = await caller.call("POST", f"{address}/resource")
    assert isinstance(answer, Answered)
    assert (answer.status, issuer.resource_calls) == (401, 1)
    assert b"fixed-token" not in (answer.body or b"")
