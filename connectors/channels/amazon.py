"""Amazon as a channel: the Selling Partner API, one listing at a time, and feeds of many if switched on.

Urgent values go by ``patchListingsItem``: one call for one listing (usage plan in the Listings Items API model
2021-08-01), several at the same time so that the round trip does not bound the rate. The rest may go by feeds; see
``amazon_feeds``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr

from connectors.channels.amazon_calls import FEED_LIMITS, FeedCalls
from connectors.channels.amazon_feeds import MOST_MESSAGES, AmazonFeeds, FeedPlan
from connectors.channels.amazon_reads import read_item, read_path
from connectors.channels.amazon_wire import Offer, item_path, patch_body, read_patch
from connectors.channels.authorized import AuthorizedCaller
from connectors.channels.base import Limits, Outcome, Result, Update, same_answer, too_large
from connectors.channels.http import HttpCaller
from connectors.channels.kind import CALLS, CallLimits, ChannelKind, HttpAddress, KindSettings
from connectors.channels.reading import Shown, Unread
from connectors.channels.routes import OwnMeters, RouteMeters
from connectors.channels.tokens import OAuthToken
from domain.facts import SECOND
from domain.limits import CallLimit, RateAndBurst

LWA_URL = "https://api.amazon.com/auth/o2/token"
HEADERS = {"content-type": "application/json", "accept": "application/json", "user-agent": "atstream"}
_READ = {"accept": "application/json", "user-agent": "atstream"}
_TOKEN_REFUSED = (401, 403)  # an expired token is a 403 (SP-API, "Troubleshooting errors")
MAX_REPORT_BYTES = 64_000_000
DOCUMENT_TIMEOUT_S = 60.0

PATCHES: tuple[CallLimit, ...] = (RateAndBurst(5, SECOND, 5),)
"""patchListingsItem: 5 calls a second, burst 5."""

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Ids = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,32}(,[A-Za-z0-9]{1,32}){0,24}$")]


class AmazonSettings(KindSettings):
    """The seller, the application (Login with Amazon) and what may go by feeds.

    ``feeds``: the application must be used for nothing else that submits listings feeds, because after a restart
    unfinished ones are withdrawn.
    """

    usual_updates: ClassVar[int] = 5
    most_updates: ClassVar[int] = 5
    usual_settle_s: ClassVar[float] = 300.0  # what was accepted is applied later

    endpoint: HttpAddress
    token_url: HttpAddress = LWA_URL
    seller_id: Id
    marketplace_ids: Ids
    client_id: Annotated[str, Field(min_length=1, max_length=256)]
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    refresh_token: SecretStr | None = None
    refresh_token_file: Path | None = None
    product_type: Id = "PRODUCT"
    fulfillment_channel: Id = "DEFAULT"

    feeds: bool = False
    feed_from: Annotated[int, Field(ge=1)] = 1_500
    feed_messages: Annotated[int, Field(ge=1, le=MOST_MESSAGES)] = MOST_MESSAGES
    feeds_unfinished: Annotated[int, Field(ge=1, le=5)] = 5
    feed_poll_s: Annotated[float, Field(ge=1, le=600)] = 15.0
    feed_patience_s: Annotated[float, Field(ge=60, le=172_800)] = 28_800.0

    def attempt_s(self, calls: CallLimits) -> float:
        """A PATCH with a renewed token, or one step of a feed: two such calls, or one and a document."""
        return 3 * calls.call_timeout_s + (3 * calls.call_timeout_s + DOCUMENT_TIMEOUT_S if self.feeds else 0.0)

    def call_limits(self, calls: CallLimits) -> Mapping[str, tuple[CallLimit, ...]]:
        """Amazon's usage plans, one for each operation."""
        return {CALLS: PATCHES, **(FEED_LIMITS if self.feeds else {})}


class AmazonSink:
    """Patches listings one by one. Calls go to ``settings.endpoint``; ``monotonic`` gives seconds."""

    def __init__(
        self,
        settings: AmazonSettings,
        calls: CallLimits | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        calls = calls or CallLimits(max_updates=settings.usual_updates)
        self._limits = Limits(calls.max_updates, calls.max_request_bytes, each=True)
        self._endpoint = settings.endpoint.rstrip("/")
        self._offer = Offer(
            settings.seller_id, settings.marketplace_ids, settings.product_type, settings.fulfillment_channel
        )
        self._http = HttpCaller(calls)
        secrets = {name: settings.secret(name) for name in ("client_secret", "refresh_token")}
        form = {"grant_type": "refresh_token", "client_id": settings.client_id}
        token = OAuthToken(self._http, settings.token_url, form, secrets, monotonic=monotonic)
        self._caller = AuthorizedCaller(
            self._http, token, header="x-amz-access-token", prefix="", refused=_TOKEN_REFUSED
        )
        longer = calls._replace(max_answer_bytes=MAX_REPORT_BYTES, call_timeout_s=DOCUMENT_TIMEOUT_S)
        self._documents = HttpCaller(longer)
        own = OwnMeters(FEED_LIMITS, monotonic)
        self._feed_calls = FeedCalls(self._endpoint, self._offer, self._caller, self._documents, own)
        self._bulk: AmazonFeeds | None = None
        if settings.feeds:
            plan = FeedPlan(
                settings.feed_from,
                settings.feed_messages,
                settings.feeds_unfinished,
                settings.feed_poll_s,
                settings.feed_patience_s,
            )
            self._bulk = AmazonFeeds(self._feed_calls, plan, monotonic)

    @property
    def limits(self) -> Limits:
        """What one attempt may carry."""
        return self._limits

    @property
    def bulk(self) -> AmazonFeeds | None:
        """The way by feeds; None when it is switched off."""
        return self._bulk

    def metered_by(self, meters: RouteMeters) -> None:
        """Take the tokens for feeds from these."""
        self._feed_calls.metered_by(meters)

    async def open(self) -> None:
        """Prepare the connection pools. Connects with the first call: Amazon being down is an outage."""
        await self._http.open()
        await self._documents.open()

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        """One PATCH for each update; when the first, most urgent one was answered, the others at the same time."""
        bodies = [patch_body(self._offer, update) for update in batch]
        if sum(len(update.listing) + len(body) for update, body in zip(batch, bodies, strict=True)) > (
            self._limits.max_bytes
        ):
            return too_large(batch)
        first = await self._patch(batch[0], bodies[0])
        if first.outcome not in (Outcome.ACCEPTED, Outcome.REJECTED):
            return [first, *same_answer(batch[1:], Outcome.RETRY, "NOT_SENT", first.retry_after_s)]
        return [first, *await asyncio.gather(*map(self._patch, batch[1:], bodies[1:]))]

    @property
    def most_read(self) -> int:
        """One listing a read."""
        return 1

    async def shown(self, listings: Sequence[str]) -> Shown | Unread:
        """Read the first listing."""
        address = self._endpoint + read_path(self._offer, listings[0])
        return read_item(self._offer, listings[0], await self._caller.call("GET", address, headers=_READ))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()
        await self._documents.close()

    async def _patch(self, update: Update, body: bytes) -> Result:
        address = self._endpoint + item_path(self._offer, update.listing)
        return read_patch(update, await self._caller.call("PATCH", address, headers=HEADERS, body=body))


def _make(channel: str, settings: AmazonSettings, calls: CallLimits) -> AmazonSink:
    return AmazonSink(settings, calls)


KIND = ChannelKind(AmazonSettings, _make)
