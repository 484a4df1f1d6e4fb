"""An eBay seller: quantities of inventory items and of their offers, up to 25 in a call.

eBay refuses a listing that was revised 250 times in a calendar day, stop-sells too. The kind states that cap, and
``connectors.channels.capped`` keeps to it; eBay's own refusal stands behind it. A listing with variations is one
listing with several SKUs: its revisions add up, which nobody here can see. A quantity of 0 needs the account's
out-of-stock control, or eBay refuses it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, model_validator

from connectors.channels.authorized import AuthorizedCaller
from connectors.channels.base import Limits, Outcome, Result, Update, same_answer, too_large
from connectors.channels.ebay_reads import MOST_READ, read_back
from connectors.channels.ebay_wire import PATH, encode, read_answer
from connectors.channels.http import CallFailed, HttpCaller, UnreadableAnswer
from connectors.channels.http_status import not_taken, succeeded
from connectors.channels.kind import CallLimits, ChannelKind, HttpAddress, KindSettings
from connectors.channels.reading import Shown, Unread
from connectors.channels.tokens import OAuthToken
from domain.facts import SECOND
from domain.limits_listing import DailyRevisions

HOUR = 3_600 * SECOND


class EbaySettings(KindSettings):
    """``url`` is https://api.ebay.com; ``token_url`` its ``/identity/v1/oauth2/token``.

    The refresh token is the seller's. ``kept_for_stop_sells`` of ``revisions_per_day`` are not spent on anything
    else. ``day_starts_h``: when a calendar day of eBay begins, in hours after midnight UTC; its official time is
    that of the US Pacific coast.
    """

    usual_updates: ClassVar[int] = 25
    most_updates: ClassVar[int] = 25

    url: HttpAddress = "https://api.ebay.com"
    token_url: HttpAddress = "https://api.ebay.com/identity/v1/oauth2/token"
    client_id: Annotated[str, Field(min_length=1, max_length=200)]
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    refresh_token: SecretStr | None = None
    refresh_token_file: Path | None = None
    scope: str = "https://api.ebay.com/oauth/api_scope/sell.inventory"
    revisions_per_day: Annotated[int, Field(ge=1, le=250)] = 250
    kept_for_stop_sells: Annotated[int, Field(ge=0, le=249)] = 50
    day_starts_h: Annotated[float, Field(ge=0, lt=24)] = 8.0

    @model_validator(mode="after")
    def _something_is_left(self) -> EbaySettings:
        if self.kept_for_stop_sells >= self.revisions_per_day:
            raise ValueError("kept_for_stop_sells must be below revisions_per_day")
        return self

    def attempt_s(self, calls: CallLimits) -> float:
        """A call, with a new token and again when the token is refused."""
        return 3 * calls.call_timeout_s

    def daily_revisions(self, life: str) -> DailyRevisions:
        """What eBay allows of a listing in its day, and what of it is kept."""
        day_starts = round(self.day_starts_h * HOUR)
        return DailyRevisions(self.revisions_per_day, self.kept_for_stop_sells, day_starts, life=life)


class EbaySink:
    """``wall_clock`` gives seconds since the epoch."""

    def __init__(
        self,
        settings: EbaySettings,
        calls: CallLimits | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        calls = calls or CallLimits(max_updates=settings.usual_updates)
        self._host = settings.url.rstrip("/")
        self._url = self._host + PATH
        self._limits = Limits(calls.max_updates, calls.max_request_bytes)
        self._http = HttpCaller(calls, wall_clock)
        token = OAuthToken(
            self._http,
            settings.token_url,
            {"grant_type": "refresh_token", "scope": settings.scope},
            {"refresh_token": settings.secret("refresh_token")},
            basic=(settings.client_id, settings.secret("client_secret")),
        )
        self._caller = AuthorizedCaller(self._http, token)

    @property
    def limits(self) -> Limits:
        """What one call may carry."""
        return self._limits

    async def open(self) -> None:
        """Prepare the connection pool. Connects with the first call: a channel that is down is an outage."""
        await self._http.open()

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        """One call for all of them."""
        body = encode(batch)
        if len(body) > self._limits.max_bytes:
            return too_large(batch)
        headers = {"content-type": "application/json", "accept": "application/json"}
        answer = await self._caller.call("POST", self._url, headers=headers, body=body)
        if isinstance(answer, CallFailed) or not succeeded(answer):
            return not_taken(batch, answer)
        try:
            return read_answer(batch, answer)
        except UnreadableAnswer as error:
            return same_answer(batch, Outcome.UNKNOWN, str(error))

    @property
    def most_read(self) -> int:
        """How many SKUs one read can ask for."""
        return MOST_READ

    async def shown(self, listings: Sequence[str]) -> Shown | Unread:
        """Read inventory items, or the offer of the first listing. It revises nothing."""
        return await read_back(self._caller, self._host, listings)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def _make(channel: str, settings: EbaySettings, calls: CallLimits) -> EbaySink:
    return EbaySink(settings, calls)


KIND = ChannelKind(EbaySettings, _make)
