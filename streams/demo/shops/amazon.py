"""A shop that answers as Amazon's Selling Partner API does for one seller: listings to patch, feeds for later.

It keeps the usage plans by a clock that tests move, checks every body by its shape (its answers as well), and
works on a feed only when told, message by message: until then a queued feed can overwrite anything.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from streams.demo.shops import amazon_shapes as shapes
from streams.demo.shops.amazon_feeds import (
    CANCELLED,
    FEED_TYPE,
    IN_QUEUE,
    MARKETPLACE,
    SELLER,
    Feed,
    FeedQueue,
)
from streams.demo.shops.usage_plan import UsagePlan
from streams.demo.shops.vendor import FakeVendor, Fault, require

CONTENT_TYPE = "application/json; charset=UTF-8"
QUANTITY_PATH = "/attributes/fulfillment_availability"
HIGHEST_QUANTITY = 2_147_483_647


class FakeAmazon(FakeVendor):
    """``clock`` gives seconds. ``refused`` SKUs are invalid; ``broken`` ones make the server fail.

    ``operations``: all calls, by their operation, and ``throttled`` those above a usage plan.
    """

    credential_header = "x-amz-access-token"
    credential_prefix = ""
    refused_status = 403
    open_paths = ("/upload/", "/download/")

    def __init__(self, clock: Callable[[], float], client_secrets: set[str]) -> None:
        super().__init__(client_secrets=client_secrets)
        self.clock = clock
        self.refused: set[str] = set()
        self.broken: set[str] = set()
        self.zipped = True
        self.operations: list[str] = []
        self._queue = FeedQueue(self._apply, lambda: self.refused)
        self.feeds = self._queue.feeds
        self.plans = {
            "patchListingsItem": UsagePlan(5, 5),
            "getListingsItem": UsagePlan(5, 10),
            "createFeedDocument": UsagePlan(0.5, 15),
            "getFeed": UsagePlan(2, 15),
            "cancelFeed": UsagePlan(2, 15),
            "getFeeds": UsagePlan(0.0222, 10),
            "getFeedDocument": UsagePlan(0.0222, 10),
        }

    def throttling(self, retry_after_s: int) -> Fault:
        """Amazon states its pace instead of a wait."""
        return Fault(429, {"x-amzn-RateLimit-Limit": str(1 / retry_after_s)}, json.dumps(_error("QuotaExceeded")))

    def routes(self) -> list[web.RouteDef]:
        """Listings Items, Feeds, and the store of documents."""
        return [
            web.patch("/listings/2021-08-01/items/{seller}/{sku}", self._patch),
            web.get("/listings/2021-08-01/items/{seller}/{sku}", self._get_item),
            web.post("/feeds/2021-06-30/documents", self._create_document),
            web.get("/feeds/2021-06-30/documents/{document}", self._get_document),
            web.put("/upload/{document}", self._upload),
            web.get("/download/{document}", self._download),
            web.post("/feeds/2021-06-30/feeds", self._create_feed),
            web.get("/feeds/2021-06-30/feeds", self._get_feeds),
            web.get("/feeds/2021-06-30/feeds/{feed}", self._get_feed),
            web.delete("/feeds/2021-06-30/feeds/{feed}", self._cancel_feed),
        ]

    # -- working on feeds

    def submit(self, messages: Sequence[dict[str, Any]] | None) -> Feed:
        """A feed of these messages is in the queue; None are messages that cannot be read."""
        return self._queue.add(messages, self.clock())

    def begin(self, feed: Feed) -> None:
        """Work on a queued feed begins: it can no longer be cancelled."""
        self._queue.begin(feed)

    def work(self, feed: Feed, messages: int = 1_000_000) -> None:
        """Work on the next messages of a feed; after the last one it is done."""
        self._queue.work(feed, messages)

    def work_on_all(self) -> None:
        """The queue moves to its end."""
        for feed in self.feeds.values():
            self.work(feed)

    def _apply(self, sku: str, patches: Sequence[Mapping[str, Any]]) -> None:
        self.took(sku, _quantity(patches))

    # -- listings

    async def _patch(self, request: web.Request) -> web.Response:
        sku = request.match_info["sku"]
        if sku in self.broken:
            return self._answer(shapes.ErrorList, _error("InternalFailure"), 500)
        refusal = self._over("patchListingsItem")
        if refusal is not None:
            return refusal
        if request.match_info["seller"] != SELLER or request.query.get("marketplaceIds") != MARKETPLACE:
            return self._answer(shapes.ErrorList, _error("NotFound"), 404)
        content = self._checked(shapes.PatchRequest, await request.text())
        if content is None or content["productType"] != "PRODUCT":
            return self._answer(shapes.ErrorList, _error("InvalidInput"), 400)
        told: dict[str, Any] = {"sku": sku, "status": "ACCEPTED", "submissionId": f"s-{self.calls}", "issues": []}
        if sku in self.refused:
            issue = {"code": "8541", "message": "Not sold here.", "severity": "ERROR", "categories": []}
            told |= {"status": "INVALID", "issues": [issue]}
        else:
            self._apply(sku, content["patches"])
        return self._answer(shapes.PatchAnswer, told)

    async def _get_item(self, request: web.Request) -> web.Response:
        sku = request.match_info["sku"]
        refusal = self._over("getListingsItem")
        if refusal is not None:
            return refusal
        require(request.query.get("includedData") == "fulfillmentAvailability", "only quantities are asked for")
        quantity = self.shown().get(sku)
        known = request.match_info["seller"] == SELLER and request.query.get("marketplaceIds") == MARKETPLACE
        if not known or quantity is None:
            return self._answer(shapes.ErrorList, _error("NotFound"), 404)
        other = {"fulfillmentChannelCode": "AMAZON_NA", "quantity": 1_000}
        own = {"fulfillmentChannelCode": "DEFAULT", "quantity": quantity}
        return self._answer(shapes.ItemShown, {"sku": sku, "fulfillmentAvailability": [other, own]})

    # -- feeds

    async def _create_document(self, request: web.Request) -> web.Response:
        refusal = self._over("createFeedDocument")
        if refusal is not None:
            return refusal
        content = self._checked(shapes.DocumentRequest, await request.text())
        if content is None or content["contentType"] != CONTENT_TYPE:
            return self._answer(shapes.ErrorList, _error("InvalidInput"), 400)
        document = self._queue.new_document()
        url = f"{request.url.origin()}/upload/{document}?X-Amz-Signature=s1gned%2Fput"
        return self._answer(shapes.DocumentAnswer, {"feedDocumentId": document, "url": url}, 201)

    async def _upload(self, request: web.Request) -> web.Response:
        # The signature covers the content type; a store that is sent the token may keep it.
        require(request.query.get("X-Amz-Signature") == "s1gned/put", "an upload carries its signature")
        require(request.headers.get("content-type") == CONTENT_TYPE, "an upload has the signed content type")
        require(self.credential_header not in request.headers, "an upload does not carry the token")
        self._queue.documents[request.match_info["document"]] = await request.read()
        return web.Response()

    async def _create_feed(self, request: web.Request) -> web.Response:
        now = self.clock()
        self.operations.append("createFeed")
        if not self._queue.room(now):
            self.throttled.append("createFeed")
            return self._answer(shapes.ErrorList, _error("QuotaExceeded"), 429)
        content = self._checked(shapes.FeedRequest, await request.text())
        document = None if content is None else self._queue.documents.get(content["inputFeedDocumentId"])
        if content is None or document is None or content["feedType"] != FEED_TYPE:
            return self._answer(shapes.ErrorList, _error("InvalidInput"), 400)
        listed = self._checked(shapes.FeedContent, document.decode(errors="replace"))
        if listed is not None:
            for message in listed["messages"]:
                _quantity(message["patches"])
        feed = self.submit(None if listed is None else listed["messages"])
        return self._answer(shapes.FeedAnswer, {"feedId": feed.feed_id}, 202)

    async def _get_feed(self, request: web.Request) -> web.Response:
        refusal = self._over("getFeed")
        feed = self.feeds.get(request.match_info["feed"])
        if refusal is not None or feed is None:
            return refusal or self._answer(shapes.ErrorList, _error("NotFound"), 404)
        return self._answer(shapes.FeedShown, feed.shown())

    async def _get_feeds(self, request: web.Request) -> web.Response:
        refusal = self._over("getFeeds")
        if refusal is not None:
            return refusal
        asked = request.query
        require(asked.get("feedTypes") == FEED_TYPE, "getFeeds is asked for listings feeds")
        require(asked.get("pageSize", "").isdigit() and 1 <= int(asked["pageSize"]) <= 100, "pageSize is 1 to 100")
        statuses = asked.get("processingStatuses", "").split(",")
        found = [feed.shown() for feed in self.feeds.values() if feed.status in statuses]
        return self._answer(shapes.FeedsShown, {"feeds": found[: int(asked["pageSize"])]})

    async def _cancel_feed(self, request: web.Request) -> web.Response:
        refusal = self._over("cancelFeed")
        feed = self.feeds.get(request.match_info["feed"])
        if refusal is not None or feed is None:
            return refusal or self._answer(shapes.ErrorList, _error("NotFound"), 404)
        if feed.status != IN_QUEUE:
            return self._answer(shapes.ErrorList, _error("InvalidInput"), 400)
        feed.status = CANCELLED
        return web.Response()

    async def _get_document(self, request: web.Request) -> web.Response:
        refusal = self._over("getFeedDocument")
        if refusal is not None:
            return refusal
        document = request.match_info["document"]
        url = f"{request.url.origin()}/download/{document}?X-Amz-Signature=s1gned%2Fget"
        compression = {"compressionAlgorithm": "GZIP"} if self.zipped else {}
        return self._answer(shapes.ReportDocument, {"feedDocumentId": document, "url": url, **compression})

    async def _download(self, request: web.Request) -> web.Response:
        require(self.credential_header not in request.headers, "a download does not carry the token")
        content = self._queue.documents.get(request.match_info["document"])
        if content is None:
            return web.Response(status=404)
        return web.Response(body=gzip.compress(content) if self.zipped else content)

    # -- parts

    def _over(self, operation: str) -> web.Response | None:
        """The answer to a call above the usage plan."""
        self.operations.append(operation)
        plan = self.plans[operation]
        if plan.allows(self.clock()):
            return None
        self.throttled.append(operation)
        answer = self._answer(shapes.ErrorList, _error("QuotaExceeded"), 429)
        answer.headers["x-amzn-RateLimit-Limit"] = str(plan.rate)
        return answer

    def _checked(self, shape: type[shapes.Shape], text: str) -> dict[str, Any] | None:
        """The content of a body; None, with the reason in ``malformed``, when it has another shape."""
        try:
            content: dict[str, Any] = json.loads(text)
            shape.model_validate(content)
        except (ValueError, ValidationError) as error:
            self.malformed.append(str(error))
            return None
        return content

    def _answer(self, shape: type[shapes.Shape], content: object, status: int = 200) -> web.Response:
        shape.model_validate(content)
        return web.json_response(content, status=status)


def _quantity(patches: Sequence[Mapping[str, Any]]) -> int:
    """The quantity that a listing is given. Raises ``Malformed``: the patches are about something else."""
    require(len(patches) == 1, "one patch, of the quantity")
    (patch,) = patches
    require((patch["op"], patch["path"]) == ("merge", QUANTITY_PATH), "a merge of the quantity and nothing else")
    require(len(patch.get("value", ())) == 1, "one value")
    (value,) = patch["value"]
    quantity = value.get("quantity")
    require(value.keys() == {"fulfillment_channel_code", "quantity"}, "a channel code and a quantity")
    require(value["fulfillment_channel_code"] == "DEFAULT", "stock that the seller ships")
    require(type(quantity) is int and 0 <= quantity <= HIGHEST_QUANTITY, "a quantity is a number from 0 on")
    return int(quantity)


def _error(code: str) -> dict[str, Any]:
    return {"errors": [{"code": code, "message": f"{code} it is.", "details": ""}]}
