"""Calls to Shopify that cost points: each pays before it is made, and tells all sinks what is left.

A token of the account's meter is ``POINTS_OF_TOKEN`` points. The one that delivery took pays for the first call of
an attempt; every further call takes its own, all in one lease.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from connectors.channels.base import COST_BUCKET, Outcome
from connectors.channels.http import Caller
from connectors.channels.http_status import NotTaken
from connectors.channels.kind import CALLS
from connectors.channels.routes import RouteMeters
from connectors.channels.shopify_answer import THROTTLED, content_of, request_error
from connectors.channels.shopify_cost import FIRST_MUTATION_COST, CostBucket

READ_COST_PER_ITEM = 3.0
"""An item, its level and one quantity: an object is a point each ("Shopify API limits")."""
POINTS_OF_TOKEN = round(FIRST_MUTATION_COST)


class PricedCalls:
    """``monotonic`` gives seconds. A wait is never longer than ``longest_wait_s``.

    A call for which there are not enough points soon is not made: RETRY, ``COST_BUCKET``, and a wait. What the
    attempt found out before is not lost (``Drifted``), and the first call of the next one is paid for: so every
    attempt gets on, however little there is, and a wait need not be for all that was spent.
    """

    def __init__(
        self,
        calls: Caller,
        endpoint: str,
        longest_wait_s: float,
        monotonic: Callable[[], float],
        meters: RouteMeters,
    ) -> None:
        self.meters = meters
        self._calls = calls
        self._endpoint = endpoint
        self._longest_wait_s = longest_wait_s
        self._monotonic = monotonic
        self._bucket = CostBucket()
        self._prepaid = False

    def begin(self) -> None:
        """A new attempt, for which delivery took a token just now."""
        self._prepaid = True

    async def mutate(self, body: bytes, entries: int) -> dict[str, Any] | NotTaken:
        """A request that changes something."""
        cost = self._bucket.mutation_cost
        if self._bucket.wait_s(cost, self._monotonic()) > 0 or not await self._pay(cost):
            return self._unpaid(cost)
        content, requested = await self._ask(body, cost, entries)
        if requested:
            self._bucket.mutation_cost = requested
        return content

    async def read(self, items: int, request: Callable[[int], bytes]) -> tuple[int, dict[str, Any] | NotTaken]:
        """Read the first of ``items`` inventory items, with the ``request`` for so many.

        Returns how many were asked for: what the points are enough for, and as the bucket was told last, a
        mutation after it.
        """
        spare = self._bucket.left(self._monotonic()) - self._bucket.mutation_cost
        items = int(max(1, min(items, spare // READ_COST_PER_ITEM)))
        of_one_token = min(items, POINTS_OF_TOKEN // READ_COST_PER_ITEM) * READ_COST_PER_ITEM
        if self._bucket.wait_s(READ_COST_PER_ITEM, self._monotonic()) > 0:
            return items, self._unpaid(of_one_token + self._bucket.mutation_cost)
        paid = await self._pay(items * READ_COST_PER_ITEM, or_less=True)
        if not paid:
            return items, self._unpaid(of_one_token)
        items = min(items, int(paid * POINTS_OF_TOKEN // READ_COST_PER_ITEM))
        content, _ = await self._ask(request(items), items * READ_COST_PER_ITEM, items)
        return items, content

    async def _pay(self, cost: float, *, or_less: bool = False) -> int:
        """Take the tokens for a call that is made at once; returns how many, 0 when there are not enough soon."""
        tokens, prepaid = math.ceil(cost / POINTS_OF_TOKEN), self._prepaid
        self._prepaid = False
        # It would grow too old while others are waited for.
        if prepaid and (or_less or tokens <= 1):
            return 1
        return await self.meters.take(CALLS, tokens, 1 if or_less else tokens)

    def _unpaid(self, cost: float) -> NotTaken:
        wait_s = max(self._wait_s(cost), min(self.meters.wait_s(CALLS), self._longest_wait_s))
        return NotTaken(Outcome.RETRY, COST_BUCKET, wait_s)

    async def _ask(self, body: bytes, cost: float, entries: int) -> tuple[dict[str, Any] | NotTaken, float | None]:
        """What is answered, and the cost that the shop states."""
        headers = {"content-type": "application/json"}
        answer = await self._calls.call("POST", self._endpoint, headers=headers, body=body)
        content = content_of(answer, entries)
        if isinstance(content, NotTaken):
            return content, None
        told = self._bucket.learn(content, self._monotonic())
        if told is not None:
            self.meters.lower(CALLS, int(told.available // POINTS_OF_TOKEN))
        requested = None if told is None else told.requested
        error = request_error(content)
        if error is not None and error.reason == THROTTLED:
            return error._replace(retry_after_s=self._wait_s(requested or cost)), requested
        return content if error is None else error, requested

    def _wait_s(self, cost: float) -> float:
        return min(self._bucket.wait_s(cost, self._monotonic()), self._longest_wait_s)
