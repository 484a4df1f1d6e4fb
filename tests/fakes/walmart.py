"""Walmart Marketplace: inventory by SKU and by ship node, and feeds that are worked off later."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from streams.demo.shops.vendor import FakeVendor, Fault

FEED_CALLS_AN_HOUR = 10
FEED_BYTES = {"inventory": 5_000_000, "MP_INVENTORY": 1_000_000}
DETAILS_PAGE = 50


@dataclass
class Bucket:
    """A token bucket: ``burst`` calls at once, all of them back after ``period_s``."""

    burst: int
    period_s: float
    left: float = field(init=False)
    filled_at: float = 0.0

    def __post_init__(self) -> None:
        self.left = float(self.burst)

    def take(self, now: float) -> bool:
        self.left = min(self.burst, self.left + (now - self.filled_at) * self.burst / self.period_s)
        self.filled_at = now
        if self.left < 1.0:
            return False
        self.left -= 1.0
        return True

    def wait_s(self) -> float:
        return max(0.0, (1.0 - self.left) * self.period_s / self.burst)


@dataclass
class Feed:
    """A feed that was received: SKU or ``node/SKU`` -> quantity, in its order."""

    feed_id: str
    feed_type: str
    quantities: list[tuple[str, dict[str, int]]]
    status: str = "RECEIVED"
    errors: dict[str, str] = field(default_factory=dict)


class FakeWalmart(FakeVendor):
    """``clock`` gives seconds (wall clock). ``above_limit`` counts calls that a good client does not make.

    ``refused`` listings do not exist. Feeds wait until a test calls ``work_off``.
    """

    credential_header = "WM_SEC.ACCESS_TOKEN"
    credential_prefix = ""

    def __init__(
        self, client_secrets: set[str], per_minute: int = 200, clock: Callable[[], float] = lambda: 0.0
    ) -> None:
        super().__init__(client_secrets=client_secrets)
        self.clock = clock
        self.token_lifetime_s = 900
        self.refused: set[str] = set()
        self.troubled: set[str] = set()
        self.feeds: list[Feed] = []
        self.above_limit = 0
        self.correlations: list[str] = []
        self.buckets = {
            "single": Bucket(per_minute, 60.0),
            "reads": Bucket(per_minute, 60.0),
            "feeds": Bucket(FEED_CALLS_AN_HOUR, 3600.0),
        }

    def routes(self) -> list[web.RouteDef]:
        return [
            web.put("/v3/inventory", self._single),
            web.put("/v3/inventories/{sku}", self._nodes),
            web.get("/v3/inventory", self._see_single),
            web.get("/v3/inventories/{sku}", self._see_nodes),
            web.post("/v3/feeds", self._submit),
            web.get("/v3/feeds", self._list),
            web.get("/v3/feeds/{feed}", self._status),
        ]

    def throttling(self, retry_after_s: int) -> Fault:
        at_ms = round(1000 * (self.clock() + retry_after_s))
        return Fault(429, {"x-current-token-count": "0", "X-Next-Replenishment-Time": str(at_ms)})

    def work_off(self, **errors: str) -> None:
        """All feeds that wait are processed; ``errors``: SKU -> the kind of its ingestion error."""
        for feed in self.feeds:
            if feed.status in ("RECEIVED", "INPROGRESS"):
                feed.status, feed.errors = "PROCESSED", errors
                for sku, places in feed.quantities:
                    for listing, quantity in places.items():
                        if sku not in errors:
                            self.took(listing, quantity)

    # -- inventory

    async def _single(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request, "single")) is not None:
            return refusal
        sku = request.query.get("sku", "")
        body = _json(await request.text())
        if not isinstance(body, dict) or body.get("sku") != sku or not _is_quantity(body.get("quantity")):
            return self._answer("single", 400, _errors("INVALID_REQUEST_CONTENT.GMP_INVENTORY_API", "DATA"))
        if sku in self.refused:
            return self._answer("single", 404, _errors("CONTENT_NOT_FOUND.GMP_INVENTORY_API", "DATA"))
        self.took(sku, body["quantity"]["amount"])
        return self._answer("single", 200, {"sku": sku, "quantity": body["quantity"]})

    async def _nodes(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request, "single")) is not None:
            return refusal
        sku = unquote(request.match_info["sku"])
        body = _json(await request.text())
        nodes = body["inventories"]["nodes"] if isinstance(body, dict) and "inventories" in body else None
        if not isinstance(nodes, list) or not all(_is_quantity(one.get("inputQty")) for one in nodes):
            return self._answer("single", 400, _errors("INVALID_REQUEST_CONTENT.GMP_INVENTORY_API", "DATA"))
        answers = [self._node(sku, one) for one in nodes]
        return self._answer("single", 200, {"sku": sku, "nodes": answers})

    def _node(self, sku: str, one: dict[str, Any]) -> dict[str, Any]:
        listing = f"{one['shipNode']}/{sku}"
        if listing in self.refused:
            errors = _errors("INVALID_SHIP_NODE.GMP_INVENTORY_API", "DATA")["errors"]
            return {"shipNode": one["shipNode"], "status": "FAILED", "errors": errors}
        if listing in self.troubled:
            errors = _errors("SYSTEM_ERROR.GMP_INVENTORY_API", "SYSTEM")["errors"]
            return {"shipNode": one["shipNode"], "status": "FAILED", "errors": errors}
        self.took(listing, one["inputQty"]["amount"])
        return {"shipNode": one["shipNode"], "status": "Success"}

    async def _see_single(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request, "reads")) is not None:
            return refusal
        sku = request.query.get("sku", "")
        quantity = self.shown().get(sku)
        if quantity is None:
            return self._answer("reads", 404, _errors("CONTENT_NOT_FOUND.GMP_INVENTORY_API", "DATA"))
        return self._answer("reads", 200, {"sku": sku, "quantity": {"unit": "EACH", "amount": quantity}})

    async def _see_nodes(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request, "reads")) is not None:
            return refusal
        sku = unquote(request.match_info["sku"])
        nodes = [
            {
                "shipNode": listing.partition("/")[0],
                "inputQty": {"unit": "EACH", "amount": quantity},
                "availToSellQty": {"unit": "EACH", "amount": 0},
            }
            for listing, quantity in self.shown().items()
            if listing.partition("/")[2] == sku
        ]
        return self._answer("reads", 200, {"sku": sku, "nodes": nodes})

    # -- feeds

    async def _submit(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request, "feeds")) is not None:
            return refusal
        feed_type = request.query.get("feedType", "")
        if request.content_type != "multipart/form-data" or feed_type not in FEED_BYTES:
            return self._answer("feeds", 400, _errors("INVALID_REQUEST_PARAM.GMP_GATEWAY_API", "DATA"))
        text = _file_in(request.headers["Content-Type"], await request.read())
        if len(text.encode()) > FEED_BYTES[feed_type]:
            return self._answer("feeds", 413, {})
        quantities = _read_feed(feed_type, _json(text))
        if quantities is None:
            return self._answer("feeds", 400, _errors("INVALID_FEED.GMP_GATEWAY_API", "DATA"))
        self.feeds.append(Feed(f"F{len(self.feeds) + 1:031}@AU8BAQA", feed_type, quantities))
        return self._answer("feeds", 200, {"feedId": self.feeds[-1].feed_id})

    async def _list(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request, None)) is not None:
            return refusal
        offset, limit = int(request.query.get("offset", 0)), int(request.query.get("limit", 50))
        newest = [self._summary(feed) for feed in reversed(self.feeds)][offset : offset + min(limit, 50)]
        results = {"feed": newest}
        return web.json_response(
            {"totalResults": len(self.feeds), "offset": offset, "limit": limit, "results": results}
        )

    async def _status(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request, None)) is not None:
            return refusal
        feed = next((one for one in self.feeds if one.feed_id == request.match_info["feed"]), None)
        limit, offset = int(request.query.get("limit", 50)), int(request.query.get("offset", 0))
        if feed is None or not 0 < limit <= DETAILS_PAGE:
            return web.json_response(_errors("INVALID_REQUEST_PARAM.GMP_GATEWAY_API", "DATA"), status=400)
        details = [self._detail(feed, sku) for sku, _ in feed.quantities[offset : offset + limit]]
        shown = details if request.query.get("includeDetails") == "true" else []
        content = {**self._summary(feed), "itemDetails": {"itemIngestionStatus": shown}}
        return web.json_response({**content, "offset": offset, "limit": limit})

    def _summary(self, feed: Feed) -> dict[str, Any]:
        done = feed.status == "PROCESSED"
        failed = sum(sku in feed.errors for sku, _ in feed.quantities)
        return {
            "feedId": feed.feed_id, "feedType": feed.feed_type, "feedStatus": feed.status,
            "itemsReceived": len(feed.quantities),
            "itemsSucceeded": len(feed.quantities) - failed if done else 0,
            "itemsFailed": failed if done else 0,
            "itemsProcessing": 0 if done else len(feed.quantities),
        }  # fmt: skip

    def _detail(self, feed: Feed, sku: str) -> dict[str, Any]:
        status = feed.errors.get(sku, "SUCCESS") if feed.status == "PROCESSED" else "INPROGRESS"
        detail: dict[str, Any] = {"martId": 0, "sku": sku, "ingestionStatus": status}
        if sku in feed.errors:
            error = {"type": status, "code": "ERR_EXT_DATA_0101", "description": f"{sku} is no SKU of yours"}
            detail["ingestionErrors"] = {"ingestionError": [error]}
        return detail

    # -- limits

    def _refusal(self, request: web.Request, bucket: str | None) -> web.Response | None:
        correlation = request.headers.get("WM_QOS.CORRELATION_ID", "")
        if request.headers.get("WM_SVC.NAME") != "Walmart Marketplace" or len(correlation) != 36:
            return web.json_response(_errors("INVALID_REQUEST_HEADER.GMP_GATEWAY_API", "DATA"), status=400)
        self.correlations.append(correlation)
        if bucket is None or self.buckets[bucket].take(self.clock()):
            return None
        self.above_limit += 1
        return self._answer(bucket, 429, _errors("REQUEST_THRESHOLD_VIOLATED.GMP_GATEWAY_API", "DATA"))

    def _answer(self, bucket: str, status: int, content: dict[str, Any]) -> web.Response:
        held = self.buckets[bucket]
        at_ms = round(1000 * (self.clock() + held.wait_s()))
        headers = {"x-current-token-count": str(int(held.left)), "X-Next-Replenishment-Time": str(at_ms)}
        return web.json_response(content, status=status, headers=headers)


def _errors(code: str, category: str) -> dict[str, Any]:
    return {
        "errors": [{"code": code, "description": "told by Walmart", "severity": "ERROR", "category": category}]
    }


def _is_quantity(stated: Any) -> bool:
    return (
        isinstance(stated, dict)
        and stated.get("unit") == "EACH"
        and type(stated.get("amount")) is int
        and stated["amount"] >= 0
    )


def _read_feed(feed_type: str, document: Any) -> list[tuple[str, dict[str, int]]] | None:
    """SKU -> listings and quantities, by the shapes of specification 1.4 and 1.5; None when it has another."""
    if not isinstance(document, dict):
        return None
    if feed_type == "inventory":
        if document.get("InventoryHeader") != {"version": "1.4"}:
            return None
        return [(one["sku"], {one["sku"]: one["quantity"]["amount"]}) for one in document["Inventory"]]
    if document.get("inventoryHeader") != {"version": "1.5"}:
        return None
    return [
        (one["sku"], {f"{at['shipNode']}/{one['sku']}": at["quantity"]["amount"] for at in one["shipNodes"]})
        for one in document["inventory"]
    ]


def _file_in(content_type: str, body: bytes) -> str:
    """The one file of a form, by another reader of MIME than the writer's."""
    form = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    (part,) = form.get_payload()
    assert part.get_param("name", header="content-disposition") == "file"
    return part.get_payload(decode=True).decode("utf-8")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
