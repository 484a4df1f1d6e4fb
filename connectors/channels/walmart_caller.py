"""Calls to Walmart's APIs: the ``WM_`` headers, a token of 15 minutes, and what they say of the calls left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from pydantic import SecretStr

from connectors.channels.authorized import AuthorizedCaller
from connectors.channels.base import Result, Update
from connectors.channels.http import Answered, CallFailed, HttpCaller
from connectors.channels.kind import CallLimits
from connectors.channels.reading import Unread
from connectors.channels.routes import OwnMeters, RoutedCaller, RouteMeters
from connectors.channels.stated_quota import StatedQuota
from connectors.channels.tokens import OAuthToken
from connectors.channels.walmart_wire import correlation_id, replenished_s, spent
from domain.facts import SECOND
from domain.limits import BytesPerWindow, CallLimit, CallsPerWindow

SERVICE = "Walmart Marketplace"
SUBMIT, LOOK = "feeds", "feed status"
HOUR = 3_600 * SECOND
FEEDS_AN_HOUR, AT_ONCE = 10, 2
LOOKS: tuple[CallLimit, ...] = (CallsPerWindow(5_000, 60 * SECOND, 500),)
"""All feed statuses and Feed item status share 5,000 calls a minute ("Item management API requests")."""


def feed_limits(largest: int) -> Mapping[str, tuple[CallLimit, ...]]:
    """10 inventory feeds an hour, none of more than ``largest`` bytes ("Update inventory in bulk")."""
    size = BytesPerWindow(FEEDS_AN_HOUR * largest, HOUR, largest, AT_ONCE)
    return {SUBMIT: (CallsPerWindow(FEEDS_AN_HOUR, HOUR, AT_ONCE), size), LOOK: LOOKS}


class WalmartCaller:
    """One account. ``wall_clock`` gives seconds since the epoch, ``monotonic`` seconds.

    Calls of the routes ``SUBMIT`` and ``LOOK`` take a token of ``meters`` each.
    """

    def __init__(
        self,
        api_url: str,
        token_url: str,
        client_id: str,
        client_secret: SecretStr,
        calls: CallLimits,
        wall_clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = api_url.rstrip("/")
        self._calls = calls
        self._wall_clock = wall_clock
        self._monotonic = monotonic
        self._http = HttpCaller(calls, wall_clock)
        token = OAuthToken(
            self._http,
            token_url,
            {"grant_type": "client_credentials"},
            {},
            basic=(client_id, client_secret),
            headers={"WM_SVC.NAME": SERVICE, "WM_QOS.CORRELATION_ID": correlation_id(["token", client_id])},
            monotonic=monotonic,
        )
        self._caller = AuthorizedCaller(self._http, token, header="WM_SEC.ACCESS_TOKEN", prefix="")
        own = OwnMeters(feed_limits(calls.max_request_bytes), monotonic)
        self._routed = RoutedCaller(self._caller, own, self._wait_s)
        self._quotas: dict[str, StatedQuota] = {}

    @property
    def meters(self) -> RouteMeters:
        """Where the tokens of feeds come from."""
        return self._routed.meters

    def metered_by(self, meters: RouteMeters) -> None:
        """Take the tokens of feeds from these from now on."""
        self._routed.meters = meters

    async def open(self) -> None:
        """Prepare the connection pool."""
        await self._http.open()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def refusal(self, quota: str, batch: Sequence[Update]) -> list[Result] | None:
        """The answer to an attempt that this quota does not allow now; None when it does."""
        held = self._quotas.get(quota)
        return None if held is None else held.refusal(batch)

    def is_spent(self, quota: str) -> bool:
        """Whether this quota allows no call now."""
        held = self._quotas.get(quota)
        return held is not None and held.is_spent

    def unread(self, quota: str) -> Unread | None:
        """The answer to a read that this quota does not allow now; None when it does."""
        held = self._quotas.get(quota)
        return None if held is None else held.unread()

    async def call(
        self,
        method: str,
        path: str,
        keys: Sequence[str],
        *,
        quota: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answered | CallFailed:
        """One request. ``keys`` make its correlation id, ``quota`` names the rate limit that it counts against."""
        own = {
            "accept": "application/json",
            "WM_SVC.NAME": SERVICE,
            "WM_QOS.CORRELATION_ID": correlation_id(keys),
        }
        own |= headers or {}
        url = self._url + path
        if quota in (SUBMIT, LOOK):
            answer = await self._routed.call(quota, method, url, headers=own, body=body)
        else:
            answer = await self._caller.call(method, url, headers=own, body=body)
        if isinstance(answer, Answered):
            wait_s = self._wait_s(answer)
            if answer.status != 429:
                self._quotas.setdefault(quota, StatedQuota(self._monotonic)).heard(spent(answer.headers), wait_s)
            elif answer.retry_after_s is None:
                answer = answer._replace(retry_after_s=wait_s)
        return answer

    def _wait_s(self, answer: Answered) -> float | None:
        return replenished_s(answer.headers, self._wall_clock(), self._calls.longest_retry_after_s)
