"""A shop on Adobe Commerce (or Magento Open Source) 2.4: the quantities of one source.

Urgent values go at once, up to 20 source items in a call that succeeds as a whole or not at all. What is not
urgent goes by bulks that the shop works on from its queue (``adobe_commerce_bulks``), when enough listings wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr

from connectors.channels.adobe_commerce_bulks import AdobeCommerceBulks, BulkPlan
from connectors.channels.adobe_commerce_reads import MOST_READ, read_source_items, search_path
from connectors.channels.adobe_commerce_wire import PATH, encode_now, read_now
from connectors.channels.authorized import AuthorizedCaller
from connectors.channels.base import ChannelUnusable, Limits, Outcome, Result, Update, same_answer, too_large
from connectors.channels.bulk import BulkRoute
from connectors.channels.http import CallFailed, HttpCaller, UnreadableAnswer
from connectors.channels.http_status import not_taken, succeeded
from connectors.channels.kind import CALLS, USUAL, CallLimits, ChannelKind, HttpAddress, KindSettings
from connectors.channels.reading import Shown, Unread
from connectors.channels.routes import BULK, USUAL_BULK, OwnMeters, RoutedCaller, RouteMeters
from connectors.channels.tokens import StaticToken
from domain.limits import CallLimit

STATUS_BYTES = 1_000
"""Enough for what the status of a bulk holds for each operation: its request, JSON within JSON, and a message."""


class AdobeCommerceSettings(KindSettings):
    """``url`` with the store code: ``https://shop.example/rest/default``. ``access_token`` is an integration's.

    A shop whose input limit is on takes 20 source items at once and 5,000 requests in a bulk, unless it says
    otherwise (Adobe, "Input limiting"). ``bulk_worth``: how many waiting listings are worth a bulk; 0: none ever.
    """

    usual_updates: ClassVar[int] = 20
    most_updates: ClassVar[int] = 20

    url: HttpAddress
    source_code: Annotated[str, Field(min_length=1, max_length=255)] = "default"
    access_token: SecretStr | None = None
    access_token_file: Path | None = None
    bulk_worth: Annotated[int, Field(ge=0, le=1_000_000)] = BulkPlan().worth
    bulk_requests: Annotated[int, Field(ge=1, le=5_000)] = BulkPlan().requests
    bulks_open: Annotated[int, Field(ge=1, le=100)] = BulkPlan().most_open
    bulk_poll_s: Annotated[float, Field(ge=0.5, le=600)] = BulkPlan().poll_s
    bulk_patience_s: Annotated[float, Field(gt=0, le=86_400)] = BulkPlan().patience_s

    def call_limits(self, calls: CallLimits) -> Mapping[str, tuple[CallLimit, ...]]:
        """The shop's host sets them; Adobe documents none for a shop of one's own."""
        return {CALLS: USUAL} | ({BULK: USUAL_BULK} if self.bulk_worth else {})


class AdobeCommerceSink:
    """Sets the quantity of one source. ``monotonic`` gives seconds.

    Raises ``ChannelUnusable``: the status of a bulk would be longer than an answer may be.
    """

    def __init__(
        self,
        settings: AdobeCommerceSettings,
        calls: CallLimits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        calls = calls or CallLimits(max_updates=settings.usual_updates)
        if settings.bulk_worth and settings.bulk_requests * STATUS_BYTES > calls.max_answer_bytes:
            raise ChannelUnusable(
                f"the status of a bulk takes {STATUS_BYTES} bytes for each of {settings.bulk_requests} requests: "
                "raise sink.max_answer_bytes or lower sink.bulk_requests"
            )
        url = settings.url.rstrip("/")
        self._shop = url
        self._url = url + PATH
        self._source_code = settings.source_code
        self._limits = Limits(calls.max_updates, calls.max_request_bytes)
        self._http = HttpCaller(calls)
        self._caller = AuthorizedCaller(self._http, StaticToken(settings.secret("access_token")))
        plan = BulkPlan(
            settings.bulk_worth,
            settings.bulk_requests,
            settings.bulks_open,
            settings.bulk_poll_s,
            settings.bulk_patience_s,
        )
        self._routed = RoutedCaller(self._caller, OwnMeters({BULK: USUAL_BULK}, monotonic))
        bulks = AdobeCommerceBulks(self._routed, url, settings.source_code, plan, monotonic)
        self._bulk = bulks if settings.bulk_worth else None

    @property
    def limits(self) -> Limits:
        """What one call may carry."""
        return self._limits

    @property
    def bulk(self) -> BulkRoute | None:
        """Bulks; None when they are switched off."""
        return self._bulk

    def metered_by(self, meters: RouteMeters) -> None:
        """Take the tokens for bulks from these."""
        self._routed.meters = meters

    async def open(self) -> None:
        """Prepare the connection pool. Connects with the first call: a shop that is down is an outage."""
        await self._http.open()

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        """One call, which the shop carries out before it answers."""
        body = encode_now(batch, self._source_code)
        if len(body) > self._limits.max_bytes:
            return too_large(batch)
        headers = {"content-type": "application/json", "accept": "application/json"}
        answer = await self._caller.call("POST", self._url, headers=headers, body=body)
        if isinstance(answer, CallFailed) or not succeeded(answer):
            return not_taken(batch, answer)
        try:
            read_now(answer)
        except UnreadableAnswer as error:
            return same_answer(batch, Outcome.UNKNOWN, str(error))
        return same_answer(batch, Outcome.ACCEPTED)

    @property
    def most_read(self) -> int:
        """How many SKUs one read can ask for."""
        return MOST_READ

    async def shown(self, listings: Sequence[str]) -> Shown | Unread:
        """Search for the source items of these SKUs."""
        url = self._shop + search_path(listings, self._source_code)
        answer = await self._caller.call("GET", url, headers={"accept": "application/json"})
        return read_source_items(listings, self._source_code, answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def _make(channel: str, settings: AdobeCommerceSettings, calls: CallLimits) -> AdobeCommerceSink:
    return AdobeCommerceSink(settings, calls)


KIND = ChannelKind(AdobeCommerceSettings, _make)
