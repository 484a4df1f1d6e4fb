"""WooCommerce: stock of products and variations through the batch routes of the store's REST API v3.

Sources: WooCommerce REST API documentation (woocommerce.github.io/woocommerce-rest-api-docs), "Authentication over
HTTPS" (Basic, consumer key and secret), "Batch update products", "Batch update product variations" (100 objects a
call by default), "Product properties" (``manage_stock``, ``stock_quantity``); and the store's source,
``WC_REST_Controller::batch_items`` (413 above ``woocommerce_rest_batch_items_limit``; an object that fails is
``{"id", "error": {"code", "message", "data": {"status"}}}`` inside HTTP 200). No rate limit is documented: hosts
have them.

A listing id is ``product`` or ``product/variation``. Variations have a route for each product, so an attempt
carries the listings that share the route of the most urgent one; the others are handed back at once.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from connectors.channels.authorized import AuthorizedCaller
from connectors.channels.base import ChannelUnusable, Limits, Outcome, Result, Update, too_large
from connectors.channels.http import HttpCaller
from connectors.channels.kind import CallLimits, ChannelKind, HttpAddress, KindSettings
from connectors.channels.partly import answer_the_rest
from connectors.channels.reading import Shown, Unread
from connectors.channels.tokens import StaticToken
from connectors.channels.woocommerce_reads import MOST_READ, read_objects, read_path, readable
from connectors.channels.woocommerce_wire import MAX_OBJECTS, Target, encode, read_answer, target

OTHER_ROUTE = "OTHER_ROUTE"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class WooCommerceSettings(KindSettings):
    """The shop (the address of its WordPress) and a REST key of it that may write."""

    usual_updates: ClassVar[int] = MAX_OBJECTS
    most_updates: ClassVar[int] = 10_000  # a store may raise its own limit

    shop_url: HttpAddress
    consumer_key: SecretStr | None = None
    consumer_key_file: Path | None = None
    consumer_secret: SecretStr | None = None
    consumer_secret_file: Path | None = None


class WooCommerceSink:
    """Sets stock quantities in one shop. ``wall_clock`` gives seconds since the epoch.

    Raises ``ChannelUnusable``: a key cannot be read, or would travel in the clear.
    """

    def __init__(
        self, settings: WooCommerceSettings, calls: CallLimits, *, wall_clock: Callable[[], float] = time.time
    ) -> None:
        where = urlsplit(settings.shop_url)
        if where.scheme != "https" and where.hostname not in _LOOPBACK:
            # Over plain HTTP a shop asks for OAuth 1.0a, and Basic would show the key to everybody in between.
            raise ChannelUnusable(f"sink.shop_url must start with https:// for {where.hostname}")
        key, secret = settings.secret("consumer_key"), settings.secret("consumer_secret")
        self._url = settings.shop_url.rstrip("/")
        self._calls = calls
        self._http = HttpCaller(calls, wall_clock)
        for part in (key, secret):
            self._http.hide(part)
        self._caller = AuthorizedCaller(self._http, StaticToken(_basic(key, secret)), prefix="Basic ")

    @property
    def limits(self) -> Limits:
        """What one call may carry."""
        return Limits(self._calls.max_updates, self._calls.max_request_bytes)

    async def open(self) -> None:
        """Prepare the connection pool."""
        await self._http.open()

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        """One batch, to the route of the most urgent listing."""
        known: dict[str, Result] = {}
        carried: list[tuple[Update, Target]] = []
        for update in batch:
            named = target(update.listing)
            if named is None:
                known[update.listing] = Result(
                    update.listing, update.publish_seq, Outcome.REJECTED,
                    "LISTING_INVALID: it must be a product id, or product/variation",
                )  # fmt: skip
            elif carried and named.route != carried[0][1].route:
                known[update.listing] = Result(update.listing, update.publish_seq, Outcome.LATER, OTHER_ROUTE)
            else:
                carried.append((update, named))
        return answer_the_rest(batch, known, await self._change(carried) if carried else [])

    @property
    def most_read(self) -> int:
        """How many listings of a route one read can ask for."""
        return MOST_READ

    async def shown(self, listings: Sequence[str]) -> Shown | Unread:
        """Read the listings that share the route of the first one."""
        targets = readable(listings)
        if not targets:
            return {listings[0]: None}
        url = self._url + read_path([*targets.values()])
        answer = await self._caller.call("GET", url, headers={"accept": "application/json"})
        return read_objects(targets, answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _change(self, batch: Sequence[tuple[Update, Target]]) -> list[Result]:
        body = encode(batch)
        if len(body) > self._calls.max_request_bytes:
            return too_large([update for update, _ in batch])
        url = self._url + batch[0][1].route
        headers = {"content-type": "application/json", "accept": "application/json"}
        return read_answer(batch, await self._caller.call("POST", url, headers=headers, body=body))


def _basic(key: SecretStr, secret: SecretStr) -> SecretStr:
    """What HTTP Basic shows of them (RFC 7617)."""
    return SecretStr(b64encode(f"{key.get_secret_value()}:{secret.get_secret_value()}".encode()).decode("ascii"))


def _make(channel: str, settings: WooCommerceSettings, calls: CallLimits) -> WooCommerceSink:
    return WooCommerceSink(settings, calls)


KIND = ChannelKind(WooCommerceSettings, _make)
