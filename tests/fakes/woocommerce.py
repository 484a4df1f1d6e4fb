"""A WooCommerce shop: the batch routes of products and variations, with errors inside HTTP 200."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from streams.demo.shops.vendor import FakeVendor, require

MAX_OBJECTS = 100


class FakeWooCommerce(FakeVendor):
    """Knows every product; ``refused`` listings (``product`` or ``product/variation``) do not exist.

    ``manages_stock`` False: the shop has stock management switched off and answers 200 all the same.
    """

    credential_prefix = "Basic "

    def __init__(self, tokens: set[str], limit: int = MAX_OBJECTS) -> None:
        super().__init__(tokens=tokens)
        self.limit = limit
        self.refused: set[str] = set()
        self.breaking: set[str] = set()
        self.read_only = False
        self.manages_stock = True
        self.requests: list[tuple[str, list[dict[str, Any]]]] = []

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/wp-json/wc/v3/products/batch", self._batch),
            web.post("/wp-json/wc/v3/products/{product:[0-9]+}/variations/batch", self._batch),
            web.get("/wp-json/wc/v3/products", self._list),
            web.get("/wp-json/wc/v3/products/{product:[0-9]+}/variations", self._list),
        ]

    async def _batch(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
        except ValueError:
            return _error(400, "rest_invalid_json", "Invalid JSON body passed.")
        objects = body.get("update") if isinstance(body, dict) else None
        if request.content_type != "application/json" or not isinstance(objects, list) or set(body) != {"update"}:
            return _error(400, "rest_invalid_param", "Invalid parameter(s): update")
        if len(objects) > self.limit:
            return _error(
                413, "woocommerce_rest_request_entity_too_large",
                f"Unable to accept more than {self.limit} items for this request.",
            )  # fmt: skip
        self.requests.append((request.path, objects))
        product = request.match_info.get("product")
        return web.json_response({"update": [self._change(product, one) for one in objects]})

    async def _list(self, request: web.Request) -> web.Response:
        require(set(request.query) == {"include", "per_page", "_fields"}, "ids, a page and fields")
        asked = [int(one) for one in request.query["include"].split(",")]
        require(len(asked) <= int(request.query["per_page"]) <= 100, "one page holds what is asked for")
        require(request.query["_fields"] == "id,manage_stock,stock_quantity", "only the stock is asked for")
        product, shown = request.match_info.get("product"), self.shown()
        stock = {one: shown.get(str(one) if product is None else f"{product}/{one}") for one in asked}
        return web.json_response(
            [
                {"id": one, "manage_stock": self.manages_stock, "stock_quantity": quantity}
                for one, quantity in stock.items()
                if quantity is not None
            ]
        )

    def _change(self, product: str | None, one: Any) -> dict[str, Any]:
        if not isinstance(one, dict) or type(one.get("id")) is not int:
            return _inline(0, 400, "rest_invalid_param", "Invalid parameter(s): id")
        listing = str(one["id"]) if product is None else f"{product}/{one['id']}"
        kind = "product" if product is None else "product_variation"
        if self.read_only:
            return _inline(one["id"], 401, "woocommerce_rest_cannot_edit", "Sorry, you cannot edit this resource.")
        if listing in self.refused:
            return _inline(one["id"], 404, f"woocommerce_rest_{kind}_invalid_id", "Invalid ID.")
        if listing in self.breaking:
            return _inline(one["id"], 500, "woocommerce_rest_internal", "An extension failed.")
        if set(one) != {"id", "manage_stock", "stock_quantity"} or type(one["stock_quantity"]) is not int:
            return _inline(one["id"], 400, "rest_invalid_param", "Invalid parameter(s): stock_quantity")
        if not (self.manages_stock and one["manage_stock"] is True):
            return {"id": one["id"], "manage_stock": False, "stock_quantity": None}
        self.took(listing, one["stock_quantity"])
        return {"id": one["id"], "manage_stock": True, "stock_quantity": one["stock_quantity"]}


def _inline(number: int, status: int, code: str, message: str) -> dict[str, Any]:
    return {"id": number, "error": {"code": code, "message": message, "data": {"status": status}}}


def _error(status: int, code: str, message: str) -> web.Response:
    text = json.dumps({"code": code, "message": message, "data": {"status": status}})
    return web.Response(status=status, text=text, content_type="application/json")
