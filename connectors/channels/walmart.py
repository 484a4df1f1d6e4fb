"""Walmart Marketplace: inventory of a seller's SKUs, one by one or by ship node, and by feed when much waits.

Sources (developer.walmart.com/us-marketplace): "Update inventory" (``PUT /v3/inventory?sku=``), "Update single
item inventory by ship node" (``PUT /v3/inventories/{sku}``; errors stand by node inside HTTP 200), "Rate limiting"
(a token bucket for each API; 429, ``x-current-token-count``, ``X-Next-Replenishment-Time``), "Token API" (client
credentials in HTTP Basic; 900 seconds), headers ``WM_SVC.NAME``, ``WM_SEC.ACCESS_TOKEN`` and
``WM_QOS.CORRELATION_ID`` (the same for retries of a call); shapes from Walmart's OpenAPI documents for Inventory,
Feeds and Authentication. The feed is in ``walmart_feed``.

There is no idempotency key: quantities are absolute, and repeating one changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from connectors.channels.base import Limits, Outcome, Result, Update, too_large
from connectors.channels.bulk import BulkRoute
from connectors.channels.kind import CALLS, CallLimits, ChannelKind, HttpAddress, KindSettings
from connectors.channels.partly import answer_the_rest
from connectors.channels.reading import Shown, Unread
from connectors.channels.routes import RouteMeters
from connectors.channels.walmart_caller import WalmartCaller, feed_limits
from connectors.channels.walmart_feed import WalmartFeeds
from connectors.channels.walmart_feed_reading import PAGES_A_STEP
from connectors.channels.walmart_reads import READ_BY_NODE, READ_SINGLE, read_quantities, readable
from connectors.channels.walmart_wire import (
    Place,
    nodes_body,
    nodes_path,
    place,
    read_nodes,
    read_single,
    single_body,
    single_path,
)
from domain.facts import SECOND
from domain.limits import CallLimit, CallsPerWindow

OTHER_ROUTE = "OTHER_ROUTE"
SINGLE = "inventory"
BY_NODE = "inventories"
UPDATES: tuple[CallLimit, ...] = (CallsPerWindow(200, 60 * SECOND, 20),)
"""Walmart tells what is left instead of documenting it; 200 calls a minute is what it documents of most others."""
_JSON = {"content-type": "application/json"}


class WalmartSettings(KindSettings):
    """The seller's account. With ``by_node`` a listing id is ``node/SKU``, else the SKU at the default node."""

    api_url: HttpAddress = "https://marketplace.walmartapis.com"
    token_url: HttpAddress = "https://marketplace.walmartapis.com/v3/token"
    client_id: Annotated[str, Field(min_length=1, max_length=200)]
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    by_node: bool = False
    feed_from: Annotated[int, Field(ge=2)] | None = None
    feed_poll_s: Annotated[float, Field(ge=1, le=3_600)] = 60.0
    feed_within_s: Annotated[float, Field(ge=60, le=86_400)] = 14_400.0

    def attempt_s(self, calls: CallLimits) -> float:
        """A step with feeds takes several calls: those of a look, and a renewal of the token."""
        return calls.call_timeout_s * (1 if self.feed_from is None else PAGES_A_STEP + 3)

    def call_limits(self, calls: CallLimits) -> Mapping[str, tuple[CallLimit, ...]]:
        """Single updates by the minute, feeds by the hour, looks at feeds by the minute."""
        return {CALLS: UPDATES, **({} if self.feed_from is None else feed_limits(calls.max_request_bytes))}


class WalmartSink:
    """Sets quantities of one seller. ``wall_clock`` gives seconds since the epoch, ``monotonic`` seconds.

    Raises ``ChannelUnusable``: the client secret's file cannot be read, or is empty.
    """

    def __init__(
        self,
        settings: WalmartSettings,
        calls: CallLimits,
        *,
        wall_clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._by_node = settings.by_node
        self._calls = calls
        self._caller = WalmartCaller(
            settings.api_url, settings.token_url, settings.client_id, settings.secret("client_secret"),
            calls, wall_clock, monotonic,
        )  # fmt: skip
        self._feeds = None if settings.feed_from is None else WalmartFeeds(
            self._caller, by_node=settings.by_node, worth=settings.feed_from, poll_s=settings.feed_poll_s,
            within_s=settings.feed_within_s, max_bytes=calls.max_request_bytes, monotonic=monotonic,
        )  # fmt: skip

    @property
    def limits(self) -> Limits:
        """What one call may carry: one SKU, or the nodes of one."""
        return Limits(self._calls.max_updates if self._by_node else 1, self._calls.max_request_bytes)

    @property
    def bulk(self) -> BulkRoute | None:
        """Inventory feeds; None when they are switched off."""
        return self._feeds

    def metered_by(self, meters: RouteMeters) -> None:
        """Take the tokens for feeds from these."""
        self._caller.metered_by(meters)

    async def open(self) -> None:
        """Prepare the connection pool. The first token is fetched with the first call."""
        await self._caller.open()

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        """One call for the SKU of the most urgent listing, with all its nodes that are in the batch."""
        known: dict[str, Result] = {}
        carried: list[tuple[Update, Place]] = []
        for update in batch:
            where = place(update.listing, self._by_node)
            if where is None:
                known[update.listing] = Result(
                    update.listing, update.publish_seq, Outcome.REJECTED,
                    f"LISTING_INVALID: it must be {'node/SKU' if self._by_node else 'a SKU'}",
                )  # fmt: skip
            elif carried and (where.node is None or where.sku != carried[0][1].sku):
                known[update.listing] = Result(update.listing, update.publish_seq, Outcome.LATER, OTHER_ROUTE)
            else:
                carried.append((update, where))
        return answer_the_rest(batch, known, await self._set(carried) if carried else [])

    @property
    def most_read(self) -> int:
        """How many listings one read can ask for: one SKU, or the nodes of one."""
        return self.limits.max_updates

    async def shown(self, listings: Sequence[str]) -> Shown | Unread:
        """Read the SKU of the first listing, with all its nodes that are asked for."""
        places = readable(listings, self._by_node)
        if not places:
            return {listings[0]: None}
        sku, quota = places[listings[0]].sku, READ_BY_NODE if self._by_node else READ_SINGLE
        if (not_now := self._caller.unread(quota)) is not None:
            return not_now
        path = nodes_path(sku) if self._by_node else single_path(sku)
        return read_quantities(places, await self._caller.call("GET", path, ["read", sku], quota=quota))

    async def close(self) -> None:
        """Close the connections."""
        await self._caller.close()

    async def _set(self, carried: Sequence[tuple[Update, Place]]) -> list[Result]:
        updates = [update for update, _ in carried]
        first, where = carried[0]
        nodes = [(update, place.node) for update, place in carried if place.node is not None]
        if nodes:
            path, quota = nodes_path(where.sku), BY_NODE
            body = nodes_body([(node, update.quantity) for update, node in nodes])
        else:
            path, quota, body = single_path(where.sku), SINGLE, single_body(where.sku, first.quantity)
        if len(path) + len(body) > self._calls.max_request_bytes:
            return too_large(updates)
        if (not_now := self._caller.refusal(quota, updates)) is not None:
            return not_now
        keys = [update.idempotency_key for update in updates]
        answer = await self._caller.call("PUT", path, keys, quota=quota, body=body, headers=_JSON)
        return read_nodes(nodes, answer) if nodes else read_single(first, answer)


def _make(channel: str, settings: WalmartSettings, calls: CallLimits) -> WalmartSink:
    return WalmartSink(settings, calls)


KIND = ChannelKind(WalmartSettings, _make)
