"""Calls that carry a token, with one renewal when the channel refuses it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from connectors.channels.http import Answered, CallFailed, HttpCaller
from connectors.channels.tokens import TokenSource


class AuthorizedCaller:
    """Puts ``prefix`` and the token into ``header``.

    An answer with one of the ``refused`` statuses means that the request was not looked at, so it is made once
    more with a renewed token. The second answer stands.
    """

    def __init__(
        self,
        http: HttpCaller,
        source: TokenSource,
        *,
        header: str = "authorization",
        prefix: str = "Bearer ",
        refused: Collection[int] = (401,),
    ) -> None:
        self._http = http
        self._source = source
        self._header = header
        self._prefix = prefix
        self._refused = refused

    async def call(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answered | CallFailed:
        """One request and its answer, with the token of now."""
        token = await self._source.token()
        if isinstance(token, CallFailed):
            return token
        for last in (False, True):
            self._http.hide(token)
            credential = {self._header: self._prefix + token.get_secret_value()}
            answer = await self._http.call(method, url, headers={**(headers or {}), **credential}, body=body)
            if last or isinstance(answer, CallFailed) or answer.status not in self._refused:
                break
            renewed = await self._source.renew(token)
            if renewed is None:
                break
            if isinstance(renewed, CallFailed):
                return renewed
            token = renewed
        return answer
