"""Where the credential of a call comes from: a fixed token, or OAuth 2 with expiry and renewal."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import urlencode

from pydantic import SecretStr

from connectors.channels.base import Outcome, in_one_line
from connectors.channels.http import Answered, CallFailed, HttpCaller, UnreadableAnswer

MARGIN_S = 60.0
"""A token is renewed so long before it expires: longer than any call that may still use it."""
MAX_ERROR_CHARS = 40


class TokenSource(Protocol):
    """Gives the token to call with. ``CallFailed`` is always RETRY: without a token nothing was sent."""

    async def token(self) -> SecretStr | CallFailed:
        """The token to use now."""
        ...

    async def renew(self, refused: SecretStr) -> SecretStr | CallFailed | None:
        """Another token after the channel refused this one; None when there is no other to be had."""
        ...


class StaticToken:
    """A token that an operator was given. It cannot be renewed."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    async def token(self) -> SecretStr:
        """The token."""
        return self._token

    async def renew(self, refused: SecretStr) -> None:
        """None: only the operator can give another one."""
        return None


class OAuthToken:
    """Access tokens from a token endpoint (RFC 6749 sections 4.4 and 6), fetched by one task at a time.

    ``form`` holds what is not secret (``grant_type``, ``scope``), ``secrets`` the secret fields of the form
    (``client_secret``, ``refresh_token``); with ``basic`` the client id and secret travel in an HTTP Basic header
    instead. A rotated ``refresh_token`` replaces the former one. ``monotonic`` gives seconds.
    """

    def __init__(
        self,
        http: HttpCaller,
        url: str,
        form: Mapping[str, str],
        secrets: Mapping[str, SecretStr],
        *,
        basic: tuple[str, SecretStr] | None = None,
        headers: Mapping[str, str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._url = url
        self._form = dict(form)
        self._secrets = dict(secrets)
        self._basic = basic
        self._headers = dict(headers or {})
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._held: SecretStr | None = None
        self._expires_at = float("inf")

    async def token(self) -> SecretStr | CallFailed:
        """The held token, or a new one when it is about to expire."""
        async with self._lock:
            if self._held is not None and self._monotonic() < self._expires_at - MARGIN_S:
                return self._held
            return await self._fetch()

    async def renew(self, refused: SecretStr) -> SecretStr | CallFailed | None:
        """A new token, unless another task fetched one meanwhile."""
        async with self._lock:
            if self._held is not None and self._held.get_secret_value() != refused.get_secret_value():
                return self._held
            return await self._fetch()

    async def _fetch(self) -> SecretStr | CallFailed:
        self._held = None
        for secret in self._all_secrets():
            self._http.hide(secret)
        form = self._form | {name: secret.get_secret_value() for name, secret in self._secrets.items()}
        headers = self._headers | {
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
        }
        if self._basic is not None:
            pair = f"{self._basic[0]}:{self._basic[1].get_secret_value()}".encode()
            headers["authorization"] = "Basic " + base64.b64encode(pair).decode("ascii")
        answer = await self._http.call("POST", self._url, headers=headers, body=urlencode(form).encode())
        if isinstance(answer, CallFailed):
            return CallFailed(Outcome.RETRY, f"no token: {answer.reason}")
        try:
            return self._taken(answer)
        except UnreadableAnswer as error:
            return CallFailed(Outcome.RETRY, f"no token: {error}")

    def _taken(self, answer: Answered) -> SecretStr:
        if answer.status != 200:
            raise UnreadableAnswer(f"HTTP {answer.status}{_error_code(answer)}")
        content = answer.json_object()
        token, lifetime = content.get("access_token"), content.get("expires_in")
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise UnreadableAnswer("ANSWER_UNREADABLE")
        self._held = SecretStr(token)
        # Without a lifetime the token is used until it is refused.
        until_refused = isinstance(lifetime, bool) or not isinstance(lifetime, int | float)
        self._expires_at = float("inf") if until_refused else self._monotonic() + float(lifetime or 0)
        rotated = content.get("refresh_token")
        if "refresh_token" in self._secrets and isinstance(rotated, str) and rotated:
            self._secrets["refresh_token"] = SecretStr(rotated)
        return self._held

    def _all_secrets(self) -> list[SecretStr]:
        return [*self._secrets.values(), *((self._basic[1],) if self._basic is not None else ())]


def _error_code(answer: Answered) -> str:
    """The ``error`` code of RFC 6749 section 5.2, with a blank before it; nothing else of the answer."""
    try:
        code = answer.json_object().get("error")
    except UnreadableAnswer:
        return ""
    return f" {in_one_line(code)[:MAX_ERROR_CHARS]}" if isinstance(code, str) else ""
