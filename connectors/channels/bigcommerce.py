"""BigCommerce: absolute adjustments of the V3 Inventory API, up to 2,000 listings of one location in a call.

Sources, all of developer.bigcommerce.com: "Inventory adjustments" (2,000 items a request; the next request only
after the answer to the one before; "the order of concurrent absolute adjustments is hard to predict"; at most
2,147,483,647 units), the OpenAPI document ``inventory.v3.yml`` (shapes; 422 refuses the whole batch and names the
item in its title), "API rate limits" (quota by plan, 450 or 150 calls in 30 s; 429).

``send`` is never called twice at once, so that calls are serial within a process; several processes need a shared
budget, because the store orders concurrent adjustments as it likes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr

from connectors.channels.authorized import AuthorizedCaller
from connectors.channels.base import Limits, Outcome, Result, Update, too_large
from connectors.channels.bigcommerce_reads import MOST_READ, read_items, read_path
from connectors.channels.bigcommerce_wire import MAX_ITEMS, encode, impossible, read_answer, reset_s, spent
from connectors.channels.http import Answered, CallFailed, HttpCaller
from connectors.channels.kind import CALLS, CallLimits, ChannelKind, HttpAddress, KindSettings
from connectors.channels.partly import answer_the_rest
from connectors.channels.reading import Shown, Unread
from connectors.channels.stated_quota import StatedQuota
from connectors.channels.tokens import StaticToken
from domain.facts import SECOND
from domain.limits import CallLimit, CallsPerWindow, SerialOnly

QUOTA = CallsPerWindow(150, 30 * SECOND, 10)


class BigCommerceSettings(KindSettings):
    """The store, and the location whose stock is told. ``identified_by``: what a listing id of this channel is."""

    usual_updates: ClassVar[int] = 500
    most_updates: ClassVar[int] = MAX_ITEMS

    api_url: HttpAddress = "https://api.bigcommerce.com"
    store_hash: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,40}$")]
    location_id: Annotated[int, Field(ge=1)] = 1
    identified_by: Literal["sku", "variant_id", "product_id"] = "sku"
    adjustment_reason: Annotated[str, Field(min_length=1, max_length=100)] = "available-to-sell"
    access_token: SecretStr | None = None
    access_token_file: Path | None = None

    def call_limits(self, calls: CallLimits) -> Mapping[str, tuple[CallLimit, ...]]:
        """The quota of the smallest plan, which all apps of the store share, and one adjustment at a time."""
        return {CALLS: (QUOTA, SerialOnly(round(self.attempt_s(calls) * SECOND)))}


class BigCommerceSink:
    """Sets quantities at one location of one store.

    ``wall_clock`` gives seconds since the epoch, ``monotonic`` seconds.

    Raises ``ChannelUnusable``: the token's file cannot be read, or is empty.
    """

    def __init__(
        self,
        settings: BigCommerceSettings,
        calls: CallLimits,
        *,
        wall_clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._calls = calls
        self._http = HttpCaller(calls, wall_clock)
        token = StaticToken(settings.secret("access_token"))
        self._caller = AuthorizedCaller(self._http, token, header="X-Auth-Token", prefix="")
        self._quota = StatedQuota(monotonic)

    @property
    def limits(self) -> Limits:
        """What one call may carry."""
        return Limits(min(self._calls.max_updates, MAX_ITEMS), self._calls.max_request_bytes)

    async def open(self) -> None:
        """Prepare the connection pool."""
        await self._http.open()

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        """One adjustment of all listings that the API can carry; the others are refused without a call."""
        refused = {
            update.listing: Result(update.listing, update.publish_seq, Outcome.REJECTED, reason)
            for update in batch
            if (reason := impossible(update, self._settings.identified_by)) is not None
        }
        possible = [update for update in batch if update.listing not in refused]
        return answer_the_rest(batch, refused, await self._adjust(possible) if possible else [])

    @property
    def most_read(self) -> int:
        """How many listings one read can ask for."""
        return MOST_READ

    async def shown(self, listings: Sequence[str]) -> Shown | Unread:
        """Read what is on hand at the location."""
        if (not_now := self._quota.unread()) is not None:
            return not_now
        own = self._settings
        path = read_path(listings, own.identified_by, own.location_id)
        return read_items(
            listings, own.identified_by, await self._call("GET", path, {"accept": "application/json"})
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _adjust(self, batch: Sequence[Update]) -> list[Result]:
        own = self._settings
        body = encode(batch, own.identified_by, own.location_id, own.adjustment_reason)
        if len(body) > self._calls.max_request_bytes:
            return too_large(batch)
        if (not_now := self._quota.refusal(batch)) is not None:
            return not_now
        headers = {"content-type": "application/json", "accept": "application/json"}
        return read_answer(batch, await self._call("PUT", "/v3/inventory/adjustments/absolute", headers, body))

    async def _call(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answered | CallFailed:
        """One request; what its answer says of the quota is remembered."""
        url = f"{self._settings.api_url.rstrip('/')}/stores/{self._settings.store_hash}{path}"
        answer = await self._caller.call(method, url, headers=headers, body=body)
        if isinstance(answer, Answered):
            wait_s = reset_s(answer.headers, self._calls.longest_retry_after_s)
            if answer.status != 429:
                self._quota.heard(spent(answer.headers), wait_s)
            elif wait_s is not None:
                answer = answer._replace(retry_after_s=max(wait_s, answer.retry_after_s or 0.0))
        return answer


def _make(channel: str, settings: BigCommerceSettings, calls: CallLimits) -> BigCommerceSink:
    return BigCommerceSink(settings, calls)


KIND = ChannelKind(BigCommerceSettings, _make)
