"""Amazon's Selling Partner API for one seller: listings that can be patched, feeds that are worked on later.

It keeps the usage plans by a clock that tests move, checks every body against Amazon's own schemas (its answers as
well), and works on a feed only when told, message by message: until then a queued feed can overwrite anything.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from jsonschema import Draft4Validator, Draft7Validator, ValidationError

from tests.fakes.vendor import FakeVendor, Fault

SELLER, MARKETPLACE = "A1SELLER", "ATVPDKIKX0DER"
CONTENT_TYPE = "application/json; charset=UTF-8"
IN_QUEUE, IN_PROGRESS, DONE, CANCELLED, FATAL = "IN_QUEUE", "IN_PROGRESS", "DONE", "CANCELLED", "FATAL"
_SPECS = Path(__file__).parents[1] / "specs" / "amazon"


def _spec(name: str) -> Any:
    return json.loads((_SPECS / name).read_text())


def _model(file: str, definition: str) -> Draft4Validator:
    return Draft4Validator({**_spec(f"{file}.extract.json"), "$ref": f"#/definitions/{definition}"})


PATCH_REQUEST = _model("listingsItems_2021-08-01", "ListingsItemPatchRequest")
PATCH_ANSWER = _model("listingsItems_2021-08-01", "ListingsItemSubmissionResponse")
ERRORS = _model("feeds_2021-06-30", "ErrorList")
DOCUMENT_REQUEST = _model("feeds_2021-06-30", "CreateFeedDocumentSpecification")
DOCUMENT_ANSWER = _model("feeds_2021-06-30", "CreateFeedDocumentResponse")
FEED_REQUEST = _model("feeds_2021-06-30", "CreateFeedSpecification")
FEED_ANSWER = _model("feeds_2021-06-30", "CreateFeedResponse")
FEED = _model("feeds_2021-06-30", "Feed")
FEEDS = _model("feeds_2021-06-30", "GetFeedsResponse")
REPORT_DOCUMENT = _model("feeds_2021-06-30", "FeedDocument")
FEED_CONTENT = Draft7Validator(_spec("listings-feed-schema-v2.json"))
REPORT_CONTENT = Draft7Validator(_spec("listings-feed-processing-report-schema-v2.json"))


@dataclass
class Plan:
    """A usage plan: ``rate`` calls a second, at most ``burst`` at once."""

    rate: float
    burst: float
    tokens: float = field(init=False)
    filled_at: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = self.burst

    def allows(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + (now - self.filled_at) * self.rate)
        self.filled_at = now
        # Tokens come in fractions: what is a whole one but for rounding is a whole one.
        if self.tokens < 1 - 1e-6:
            return False
        self.tokens -= 1
        return True


@dataclass
class Feed:
    """A feed as Amazon keeps it. ``done`` messages of it were worked on."""

    feed_id: str
    messages: list[dict[str, Any]]
    status: str = IN_QUEUE
    done: int = 0
    issues: list[dict[str, Any]] = field(default_factory=list)


class FakeAmazon(FakeVendor):
    """``clock`` gives seconds. ``refused`` SKUs are invalid; ``broken`` ones make the server fail.

    ``violations``: what was against the schemas. ``throttled``: calls above a usage plan, by operation.
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
        self.violations: list[str] = []
        self.throttled: list[str] = []
        self.operations: list[str] = []
        self.feeds: dict[str, Feed] = {}
        self._documents: dict[str, bytes | None] = {}
        self._submissions: list[float] = []
        self._plans = {
            "patchListingsItem": Plan(5, 5),
            "createFeedDocument": Plan(0.5, 15),
            "getFeed": Plan(2, 15),
            "cancelFeed": Plan(2, 15),
            "getFeeds": Plan(0.0222, 10),
            "getFeedDocument": Plan(0.0222, 10),
        }

    def throttling(self, retry_after_s: int) -> Fault:
        """Amazon states its pace instead of a wait."""
        return Fault(429, {"x-amzn-RateLimit-Limit": str(1 / retry_after_s)}, json.dumps(_error("QuotaExceeded")))

    def routes(self) -> list[web.RouteDef]:
        return [
            web.patch("/listings/2021-08-01/items/{seller}/{sku}", self._patch),
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

    def begin(self, feed: Feed) -> None:
        """Work on a queued feed begins: it can no longer be cancelled."""
        assert feed.status == IN_QUEUE
        feed.status = IN_PROGRESS

    def work(self, feed: Feed, messages: int = 1_000_000) -> None:
        """Work on the next messages of a feed; after the last one it is done."""
        if feed.status == IN_QUEUE:
            self.begin(feed)
        if feed.status != IN_PROGRESS:
            return
        for message in feed.messages[feed.done : feed.done + messages]:
            feed.done += 1
            if message["sku"] in self.refused:
                number, sku = message["messageId"], message["sku"]
                problem = {"code": "8541", "severity": "ERROR", "message": f"{sku} is not sold here."}
                feed.issues.append({"messageId": number, "sku": sku, **problem})
            else:
                self._apply(message["sku"], message["patches"])
        if feed.done == len(feed.messages):
            feed.status = DONE
            self._documents[f"report-{feed.feed_id}"] = json.dumps(self._report(feed)).encode()

    def work_on_all(self) -> None:
        """The queue moves to its end."""
        for feed in self.feeds.values():
            self.work(feed)

    def _apply(self, sku: str, patches: list[dict[str, Any]]) -> None:
        (patch,) = patches
        assert (patch["op"], patch["path"]) == ("merge", "/attributes/fulfillment_availability")
        (value,) = patch["value"]
        assert value["fulfillment_channel_code"] == "DEFAULT"
        self.took(sku, value["quantity"])

    def _report(self, feed: Feed) -> dict[str, Any]:
        invalid = len({issue["messageId"] for issue in feed.issues})
        warning = {"messageId": 1, "code": "18027", "severity": "WARNING", "message": "The image has a logo."}
        report = {
            "header": {"sellerId": SELLER, "version": "2.0", "feedId": feed.feed_id},
            "issues": [warning, *feed.issues],
            "summary": {
                "errors": invalid,
                "warnings": 1,
                "messagesProcessed": len(feed.messages),
                "messagesAccepted": len(feed.messages) - invalid,
                "messagesInvalid": invalid,
            },
        }
        REPORT_CONTENT.validate(report)
        return report

    # -- routes

    async def _patch(self, request: web.Request) -> web.Response:
        sku = request.match_info["sku"]
        if sku in self.broken:
            return self._answer(ERRORS, _error("InternalFailure"), 500)
        refusal = self._over("patchListingsItem")
        if refusal is not None:
            return refusal
        if request.match_info["seller"] != SELLER or request.query["marketplaceIds"] != MARKETPLACE:
            return self._answer(ERRORS, _error("NotFound"), 404)
        content = self._checked(PATCH_REQUEST, await request.text())
        if content is None or content["productType"] != "PRODUCT":
            return self._answer(ERRORS, _error("InvalidInput"), 400)
        told: dict[str, Any] = {"sku": sku, "status": "ACCEPTED", "submissionId": f"s-{self.calls}", "issues": []}
        if sku in self.refused:
            issue = {"code": "8541", "message": "Not sold here.", "severity": "ERROR", "categories": []}
            told |= {"status": "INVALID", "issues": [issue]}
        else:
            self._apply(sku, content["patches"])
        return self._answer(PATCH_ANSWER, told)

    async def _create_document(self, request: web.Request) -> web.Response:
        refusal = self._over("createFeedDocument")
        if refusal is not None:
            return refusal
        content = self._checked(DOCUMENT_REQUEST, await request.text())
        if content is None or content["contentType"] != CONTENT_TYPE:
            return self._answer(ERRORS, _error("InvalidInput"), 400)
        document = f"document-{len(self._documents)}"
        self._documents[document] = None
        url = f"{request.url.origin()}/upload/{document}?X-Amz-Signature=s1gned%2Fput"
        return self._answer(DOCUMENT_ANSWER, {"feedDocumentId": document, "url": url}, 201)

    async def _upload(self, request: web.Request) -> web.Response:
        # The signature covers the content type; a store that is sent the token may keep it.
        assert request.query["X-Amz-Signature"] == "s1gned/put"
        assert request.headers["content-type"] == CONTENT_TYPE
        assert self.credential_header not in request.headers
        self._documents[request.match_info["document"]] = await request.read()
        return web.Response()

    async def _create_feed(self, request: web.Request) -> web.Response:
        now = self.clock()
        self.operations.append("createFeed")
        if sum(now - at < 300 for at in self._submissions) >= 5:
            self.throttled.append("createFeed")
            return self._answer(ERRORS, _error("QuotaExceeded"), 429)
        content = self._checked(FEED_REQUEST, await request.text())
        document = None if content is None else self._documents.get(content["inputFeedDocumentId"])
        if content is None or document is None or content["feedType"] != "JSON_LISTINGS_FEED":
            return self._answer(ERRORS, _error("InvalidInput"), 400)
        self._submissions.append(now)
        feed_content = self._checked(FEED_CONTENT, document.decode())
        feed = Feed(f"{50_000 + len(self.feeds)}", [] if feed_content is None else feed_content["messages"])
        numbers = {message["messageId"] for message in feed.messages}
        if feed_content is None or len(numbers) < len(feed.messages):
            feed.status = FATAL
        self.feeds[feed.feed_id] = feed
        return self._answer(FEED_ANSWER, {"feedId": feed.feed_id}, 202)

    async def _get_feed(self, request: web.Request) -> web.Response:
        refusal = self._over("getFeed")
        feed = self.feeds.get(request.match_info["feed"])
        if refusal is not None or feed is None:
            return refusal or self._answer(ERRORS, _error("NotFound"), 404)
        return self._answer(FEED, _shown(feed))

    async def _get_feeds(self, request: web.Request) -> web.Response:
        refusal = self._over("getFeeds")
        if refusal is not None:
            return refusal
        assert request.query["feedTypes"] == "JSON_LISTINGS_FEED"
        statuses = request.query["processingStatuses"].split(",")
        found = [_shown(feed) for feed in self.feeds.values() if feed.status in statuses]
        return self._answer(FEEDS, {"feeds": found[: int(request.query["pageSize"])]})

    async def _cancel_feed(self, request: web.Request) -> web.Response:
        refusal = self._over("cancelFeed")
        if refusal is not None:
            return refusal
        feed = self.feeds[request.match_info["feed"]]
        if feed.status != IN_QUEUE:
            return self._answer(ERRORS, _error("InvalidInput"), 400)
        feed.status = CANCELLED
        return web.Response()

    async def _get_document(self, request: web.Request) -> web.Response:
        refusal = self._over("getFeedDocument")
        document = request.match_info["document"]
        if refusal is not None:
            return refusal
        url = f"{request.url.origin()}/download/{document}?X-Amz-Signature=s1gned%2Fget"
        compression = {"compressionAlgorithm": "GZIP"} if self.zipped else {}
        return self._answer(REPORT_DOCUMENT, {"feedDocumentId": document, "url": url, **compression})

    async def _download(self, request: web.Request) -> web.Response:
        assert self.credential_header not in request.headers
        content = self._documents[request.match_info["document"]]
        assert content is not None
        return web.Response(body=gzip.compress(content) if self.zipped else content)

    # -- parts

    def _over(self, operation: str) -> web.Response | None:
        """The answer to a call above the usage plan."""
        self.operations.append(operation)
        plan = self._plans[operation]
        if plan.allows(self.clock()):
            return None
        self.throttled.append(operation)
        answer = self._answer(ERRORS, _error("QuotaExceeded"), 429)
        answer.headers["x-amzn-RateLimit-Limit"] = str(plan.rate)
        return answer

    def _checked(self, schema: Draft4Validator | Draft7Validator, text: str) -> dict[str, Any] | None:
        try:
            content: dict[str, Any] = json.loads(text)
            schema.validate(content)
        except (ValueError, ValidationError) as error:
            self.violations.append(str(error))
            return None
        return content

    def _answer(self, schema: Draft4Validator, content: object, status: int = 200) -> web.Response:
        schema.validate(content)
        return web.json_response(content, status=status)


def _shown(feed: Feed) -> dict[str, Any]:
    report = {"resultFeedDocumentId": f"report-{feed.feed_id}"} if feed.status == DONE else {}
    kind = {"feedType": "JSON_LISTINGS_FEED", "marketplaceIds": [MARKETPLACE]}
    shown = {"feedId": feed.feed_id, "createdTime": "2026-01-01T00:00:10Z", "processingStatus": feed.status}
    return {**shown, **kind, **report}


def _error(code: str) -> dict[str, Any]:
    return {"errors": [{"code": code, "message": f"{code} it is.", "details": ""}]}
