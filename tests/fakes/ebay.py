"""eBay's bulkUpdatePriceQuantity: 25 SKUs a call, a status for each, 250 revisions of a listing in a day."""

from __future__ import annotations

import base64
from collections import Counter
from typing import Any

from aiohttp import web

from streams.demo.shops.vendor import FakeVendor, require

CLIENT_ID = "seller-app"
CLIENT_SECRET = "cert-id-5d21"
REFRESH_TOKEN = "v^1.1#refresh-9c4e"
MOST_SKUS = 25
MOST_SKU_CHARS = 50


class FakeEbay(FakeVendor):
    """``offers`` knows the SKU of each offer that exists; offers named by tests are made up as they come."""

    def __init__(self, most_revisions: int = 250) -> None:
        pair = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        super().__init__(client_secrets={REFRESH_TOKEN, f"Basic {pair}"})
        self.most_revisions = most_revisions
        self.revisions: Counter[str] = Counter()
        self.refused: set[str] = set()
        self.system_error_once: set[str] = set()
        self.bodies: list[dict[str, Any]] = []

    def next_day(self) -> None:
        """Midnight at eBay."""
        self.revisions.clear()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/sell/inventory/v1/bulk_update_price_quantity", self._update),
            web.post("/sell/inventory/v1/bulk_get_inventory_item", self._items),
            web.get("/sell/inventory/v1/offer/{offer:[0-9]+}", self._offer),
        ]

    async def _items(self, request: web.Request) -> web.Response:
        body = await request.json()
        require(set(body) == {"requests"}, "a list of requests")
        require(all(set(one) == {"sku"} for one in body["requests"]), "requests that name a SKU")
        skus = [one["sku"] for one in body["requests"]]
        require(0 < len(skus) <= MOST_SKUS and len(set(skus)) == len(skus), "up to 25 different SKUs")
        shown = self.shown()
        known = [self._item(sku, shown[sku]) for sku in skus if sku in shown]
        unknown = [{"sku": sku} | _failed(404, 25710, "Not found.") for sku in skus if sku not in shown]
        return web.json_response({"responses": known + unknown}, status=207 if unknown else 200)

    def _item(self, sku: str, quantity: int) -> dict[str, Any]:
        availability = {"shipToLocationAvailability": {"quantity": quantity}}
        item = {"sku": sku, "condition": "NEW", "availability": availability}
        return {"sku": sku, "statusCode": 200, "inventoryItem": item, "warnings": [], "errors": []}

    async def _offer(self, request: web.Request) -> web.Response:
        offer = request.match_info["offer"]
        found = [(one, quantity) for one, quantity in self.shown().items() if one.endswith(f"|{offer}")]
        if not found:
            return web.json_response({"errors": [{"errorId": 25713, "message": "Not available."}]}, status=404)
        ((listing, quantity),) = found
        told = {"offerId": offer, "sku": listing.removesuffix(f"|{offer}"), "availableQuantity": quantity}
        return web.json_response(told)

    async def _update(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        skus = [one["sku"] for one in body["requests"]]
        offers = [offer["offerId"] for one in body["requests"] for offer in one.get("offers", ())]
        if len(skus) > MOST_SKUS or len(set(skus)) < len(skus) or len(set(offers)) < len(offers):
            return web.json_response({"errors": [{"errorId": 25709, "message": "Invalid value"}]}, status=400)
        responses = [one for asked in body["requests"] for one in self._answers(asked)]
        mixed = any(one["statusCode"] != 200 for one in responses)
        return web.json_response({"responses": responses}, status=207 if mixed else 200)

    def _answers(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        """One answer for each offer of a SKU, or for the SKU."""
        sku, total = asked["sku"], asked["shipToLocationAvailability"]["quantity"]
        assert type(total) is int
        assert total >= 0
        offers = asked.get("offers") or [{"offerId": None, "availableQuantity": total}]
        return [self._revise(sku, offer["offerId"], min(total, offer["availableQuantity"])) for offer in offers]

    def _revise(self, sku: str, offer: str | None, quantity: int) -> dict[str, Any]:
        listing = sku if offer is None else f"{sku}|{offer}"
        answer: dict[str, Any] = {"sku": sku} | ({} if offer is None else {"offerId": offer})
        if listing in self.system_error_once:
            self.system_error_once.discard(listing)
            return answer | _failed(500, 25001, "A system error has occurred.")
        if len(sku) > MOST_SKU_CHARS:
            return answer | _failed(400, 25707, "Invalid sku.")
        if listing in self.refused:
            return answer | _failed(404, 25713, "This Offer is not available.")
        if self.revisions[listing] >= self.most_revisions:
            return answer | _failed(400, 25002, "The listing was revised too often today.")
        self.revisions[listing] += 1
        self.took(listing, quantity)
        return answer | {"statusCode": 200, "warnings": []}


def _failed(status: int, number: int, message: str) -> dict[str, Any]:
    return {"statusCode": status, "errors": [{"errorId": number, "domain": "API_INVENTORY", "message": message}]}
