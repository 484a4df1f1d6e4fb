"""A BigCommerce store: absolute adjustments with limits of items, quantity and quota, one request at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from streams.demo.shops.vendor import FakeVendor, Fault, require

MAX_ITEMS = 2_000
MAX_QUANTITY = 2_147_483_647
WINDOW_S = 30.0
IDENTITIES = {"sku": str, "variant_id": int, "product_id": int}


class FakeBigCommerce(FakeVendor):
    """Refuses a batch as a whole when one item in it is bad, naming the item in the title.

    ``clock`` gives seconds; ``quota`` calls pass in each window of 30 s. ``concurrent`` and ``above_quota`` count
    what a good client never does.
    """

    credential_header = "X-Auth-Token"
    credential_prefix = ""

    def __init__(
        self, tokens: set[str], store: str = "abc123", quota: int = 450, clock: Callable[[], float] = lambda: 0.0
    ) -> None:
        super().__init__(tokens=tokens)
        self.store = store
        self.quota = quota
        self.clock = clock
        self.refused: set[str] = set()
        self.locations = {1}
        self.bodies: list[dict[str, Any]] = []
        self.concurrent = 0
        self.above_quota = 0
        self._window = 0.0
        self._spent = 0
        self._busy = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.put("/stores/{store}/v3/inventory/adjustments/absolute", self._adjust),
            web.get("/stores/{store}/v3/inventory/locations/{location:[0-9]+}/items", self._items),
        ]

    def throttling(self, retry_after_s: int) -> Fault:
        return Fault(429, {**self._headers(), "X-Rate-Limit-Time-Reset-Ms": str(1000 * retry_after_s)})

    async def _adjust(self, request: web.Request) -> web.Response:
        if self._busy.locked():
            self.concurrent += 1
        async with self._busy:
            if not self._pass():
                self.above_quota += 1
                return web.json_response({"status": 429}, status=429, headers=self._headers())
            problem = self._problem(request, await request.text())
            if problem is not None:
                status, title = problem
                return web.json_response(
                    {"status": status, "title": title, "type": "about:blank", "errors": {}},
                    status=status, headers=self._headers(), content_type="application/problem+json",
                )  # fmt: skip
            body = await request.json()
            self.bodies.append(body)
            for one in body["items"]:
                self.took(_listing(one), one["quantity"])
            return web.json_response({"transaction_id": f"tr-{len(self.bodies)}"}, headers=self._headers())

    async def _items(self, request: web.Request) -> web.Response:
        if not self._pass():
            self.above_quota += 1
            return web.json_response({"status": 429}, status=429, headers=self._headers())
        require(request.match_info["store"] == self.store, "the store exists")
        require(int(request.match_info["location"]) in self.locations, "the location exists")
        (filtered,) = [name.removesuffix(":in") for name in request.query if name.endswith(":in")]
        require(set(request.query) == {f"{filtered}:in", "limit"}, "a filter and a limit")
        require(filtered in IDENTITIES, "a filter by an identity")
        asked = request.query[f"{filtered}:in"].split(",")
        require(len(asked) <= int(request.query["limit"]) <= 1_000, "one page holds what is asked for")
        shown = self.shown()
        items = [_item(filtered, one, shown[one]) for one in asked if one in shown]
        return web.json_response({"data": items, "meta": {"pagination": {}}}, headers=self._headers())

    def _pass(self) -> bool:
        now = self.clock()
        if now >= self._window + WINDOW_S:
            self._window, self._spent = now, 0
        self._spent += 1
        return self._spent <= self.quota

    def _headers(self) -> dict[str, str]:
        left_ms = max(0, round(1000 * (self._window + WINDOW_S - self.clock())))
        return {
            "X-Rate-Limit-Requests-Left": str(max(0, self.quota - self._spent)),
            "X-Rate-Limit-Requests-Quota": str(self.quota),
            "X-Rate-Limit-Time-Reset-Ms": str(left_ms),
            "X-Rate-Limit-Time-Window-Ms": str(round(1000 * WINDOW_S)),
        }

    def _problem(self, request: web.Request, text: str) -> tuple[int, str] | None:
        """Status and title of what is wrong with a request, by the shapes of the OpenAPI document."""
        if request.match_info["store"] != self.store:
            return 404, "The store does not exist"
        if request.content_type != "application/json" or "application/json" not in request.headers["Accept"]:
            return 415, "Use application/json"
        body = _json(text)
        if not isinstance(body, dict) or not isinstance(body.get("items"), list) or not body["items"]:
            return 422, "items: must be a list that is not empty"
        if set(body) - {"reason", "items"} or not isinstance(body.get("reason", ""), str):
            return 422, "reason: must be a text"
        if len(body["items"]) > MAX_ITEMS:
            return 422, f"items: at most {MAX_ITEMS}"
        wrong = [word for one in body["items"] if (word := self._wrong(one)) is not None]
        return (422, f"[{', '.join(wrong)[:500]}]") if wrong else None

    def _wrong(self, one: Any) -> str | None:
        if not isinstance(one, dict):
            return "Item must be an object"
        named = set(one) & set(IDENTITIES)
        if len(named) != 1 or set(one) != named | {"location_id", "quantity"}:
            return "Item must have one identity, location_id and quantity"
        (identity,) = named
        if type(one[identity]) is not IDENTITIES[identity] or type(one["quantity"]) is not int:
            return f"Item with {identity} {one[identity]} has fields of a wrong type"
        if one["location_id"] not in self.locations:
            return f"Location {one['location_id']} does not exist"
        if not 0 <= one["quantity"] <= MAX_QUANTITY:
            return f"Item with {identity} {one[identity]} exceeds the inventory limit"
        if _listing(one) in self.refused:
            return f"Item with {identity} {one[identity]} is tracked by product, please update stock by product id"
        return None


def _item(identity: str, listing: str, quantity: int) -> dict[str, Any]:
    named = {"sku": "", "variant_id": 1, "product_id": 1, identity: IDENTITIES[identity](listing)}
    settings = {"safety_stock": 2, "is_in_stock": quantity > 0, "warning_level": 0, "bin_picking_number": ""}
    sellable = max(0, quantity - 2)
    return {
        "identity": named, "available_to_sell": sellable, "total_inventory_onhand": quantity, "settings": settings,
    }  # fmt: skip


def _listing(one: dict[str, Any]) -> str:
    return str(next(one[identity] for identity in IDENTITIES if identity in one))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
