"""Calls to Shopify that cost points: none is made while the bucket is known to hold too few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.channels.base import Outcome
from connectors.channels.http import Caller
from connectors.channels.http_status import NotTaken
from connectors.channels.shopify_answer import THROTTLED, content_of, request_error
from connectors.channels.shopify_cost import CostBucket

READ_COST_PER_ITEM = 3.0
"""An item, its level and one quantity: an object is a point each ("Shopify API limits")."""


class PricedCalls:
    """``monotonic`` gives seconds. A wait is never longer than ``longest_wait_s``.

    A wait is for everything that the attempt has spent so far besides what it needs next, because an attempt that
    is broken off begins anew: otherwise one that always spends what it waited for would never end.
    """

    def __init__(
        self, calls: Caller, endpoint: str, longest_wait_s: float, monotonic: Callable[[], float]
    ) -> None:
        self._calls = calls
        self._endpoint = endpoint
        self._longest_wait_s = longest_wait_s
        self._monotonic = monotonic
        self._bucket = CostBucket()
        self._spent = 0.0

    def begin(self) -> None:
        """A new attempt."""
        self._spent = 0.0

    @property
    def readable(self) -> float:
        """How many items a full bucket lets an attempt read; at least one.

        The attempt needs mutations besides: one that was stale, the same with a new key, one with what was read.
        """
        return max(1.0, (self._bucket.maximum - 3 * self._bucket.mutation_cost) // READ_COST_PER_ITEM)

    async def mutate(self, body: bytes, entries: int) -> dict[str, Any] | NotTaken:
        """A request that changes something."""
        content, requested = await self._ask(body, self._bucket.mutation_cost, entries)
        if requested:
            self._bucket.mutation_cost = requested
        return content

    async def read(self, body: bytes, entries: int) -> dict[str, Any] | NotTaken:
        """A request that reads ``entries`` inventory items."""
        content, _ = await self._ask(body, READ_COST_PER_ITEM * entries, entries)
        return content

    async def _ask(self, body: bytes, cost: float, entries: int) -> tuple[dict[str, Any] | NotTaken, float | None]:
        """What is answered, and the cost that the shop states."""
        if self._bucket.wait_s(cost, self._monotonic()) > 0:
            return NotTaken(Outcome.RETRY, "COST_BUCKET", self._wait_s(cost)), None
        headers = {"content-type": "application/json"}
        answer = await self._calls.call("POST", self._endpoint, headers=headers, body=body)
        content = content_of(answer, entries)
        if isinstance(content, NotTaken):
            return content, None
        requested = self._bucket.learn(content, self._monotonic())
        error = request_error(content)
        if error is not None and error.reason == THROTTLED:
            return error._replace(retry_after_s=self._wait_s(requested or cost)), requested
        self._spent += requested or cost
        return content if error is None else error, requested

    def _wait_s(self, cost: float) -> float:
        return min(self._bucket.wait_s(self._spent + cost, self._monotonic()), self._longest_wait_s)
