"""The calls of Amazon's Feeds API 2021-06-30 that a listings feed needs, each with its answer checked.

Each operation is a route with the limits of its usage plan in the model. Addresses of documents are signed and
therefore secret: they are never told in a reason or a log.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from connectors.channels.amazon_wire import Offer, rate_wait_s
from connectors.channels.base import Outcome
from connectors.channels.http import Answered, Caller, CallFailed, UnreadableAnswer
from connectors.channels.http_status import succeeded
from connectors.channels.routes import NO_TOKEN, RoutedCaller, RouteMeters
from domain.facts import SECOND
from domain.limits import CallLimit, CallsPerWindow, RateAndBurst

BASE = "/feeds/2021-06-30"
FEED_TYPE = "JSON_LISTINGS_FEED"
CONTENT_TYPE = "application/json; charset=UTF-8"
MAX_DOCUMENT_BYTES = 64_000_000
IN_QUEUE, IN_PROGRESS, DONE, CANCELLED, FATAL = "IN_QUEUE", "IN_PROGRESS", "DONE", "CANCELLED", "FATAL"
STATUSES = (IN_QUEUE, IN_PROGRESS, DONE, CANCELLED, FATAL)
_UNFINISHED = f"feedTypes={FEED_TYPE}&processingStatuses={IN_QUEUE},{IN_PROGRESS}&pageSize=100"


CREATE_DOCUMENT, CREATE_FEED = "createFeedDocument", "createFeed"
GET_FEED, CANCEL_FEED = "getFeed", "cancelFeed"
GET_FEEDS, GET_DOCUMENT = "getFeeds", "getFeedDocument"
_SELDOM = RateAndBurst.per_second(Fraction("0.0222"), 10)
FEED_LIMITS: Mapping[str, tuple[CallLimit, ...]] = {
    CREATE_DOCUMENT: (RateAndBurst(1, 2 * SECOND, 15),),
    # JSON_LISTINGS_FEED: 5 submissions in 5 minutes (Amazon, "Building Listings Management Workflows Guide").
    CREATE_FEED: (CallsPerWindow(5, 300 * SECOND, 2),),
    GET_FEED: (RateAndBurst(2, SECOND, 15),),
    CANCEL_FEED: (RateAndBurst(2, SECOND, 15),),
    GET_FEEDS: (_SELDOM,),
    GET_DOCUMENT: (_SELDOM,),
}


class Failed(NamedTuple):
    """A step that did not succeed. ``may_have_happened``: it is not known whether Amazon did it.

    ``wait_s`` is the wait that Amazon asked for. ``held``: there was no token, so Amazon was not asked.
    """

    reason: str
    may_have_happened: bool = False
    wait_s: float | None = None
    held: bool = False


class Seen(NamedTuple):
    """A feed as Amazon shows it."""

    status: str
    report_id: str | None


class FeedCalls:
    """Makes the calls with ``caller``, for a token of ``meters`` each.

    Documents are uploaded and downloaded by ``documents``, without credentials and tokens.
    """

    def __init__(
        self, endpoint: str, offer: Offer, caller: Caller, documents: Caller, meters: RouteMeters
    ) -> None:
        self.offer = offer
        self._base = endpoint + BASE
        self._secure = urlsplit(endpoint).scheme == "https"
        self._caller = RoutedCaller(caller, meters, rate_wait_s)
        self._documents = documents

    @property
    def meters(self) -> RouteMeters:
        """Where tokens come from."""
        return self._caller.meters

    def metered_by(self, meters: RouteMeters) -> None:
        """Take tokens from these from now on."""
        self._caller.meters = meters

    async def upload(self, content: bytes) -> str | Failed:
        """Create a document and put the content there; its id."""
        told = await self._call(CREATE_DOCUMENT, "POST", "/documents", {"contentType": CONTENT_TYPE})
        if isinstance(told, Failed):
            return told
        document, address = told.get("feedDocumentId"), self._address(told)
        if not isinstance(document, str) or address is None:
            return Failed("no document: ANSWER_UNREADABLE")
        put = await self._documents.call("PUT", address, headers={"content-type": CONTENT_TYPE}, body=content)
        failed = _failure("no upload", put)
        return document if failed is None else failed

    async def create(self, document: str) -> str | Failed:
        """Create the feed of an uploaded document; its id."""
        told = await self._call(
            CREATE_FEED,
            "POST",
            "/feeds",
            {
                "feedType": FEED_TYPE,
                "marketplaceIds": self.offer.marketplace_ids.split(","),
                "inputFeedDocumentId": document,
            },
        )
        if isinstance(told, Failed):
            return told
        feed = told.get("feedId")
        # It was created, but which one it is was not told.
        return feed if isinstance(feed, str) else Failed("no feed: ANSWER_UNREADABLE", may_have_happened=True)

    async def see(self, feed: str) -> Seen | Failed:
        """How far a feed is."""
        told = await self._call(GET_FEED, "GET", f"/feeds/{quote(feed, safe='')}")
        if isinstance(told, Failed):
            return told
        status, report = told.get("processingStatus"), told.get("resultFeedDocumentId")
        if status not in STATUSES:
            return Failed("feed: ANSWER_UNREADABLE")
        return Seen(status, report if isinstance(report, str) else None)

    async def cancel(self, feed: str) -> Failed | None:
        """Withdraw a feed; only one that is still in the queue can be."""
        told = await self._call(CANCEL_FEED, "DELETE", f"/feeds/{quote(feed, safe='')}")
        return told if isinstance(told, Failed) else None

    async def unfinished(self) -> list[str] | Failed:
        """The ids of the listings feeds of this seller that are queued or being worked on, at most 100."""
        told = await self._call(GET_FEEDS, "GET", f"/feeds?{_UNFINISHED}")
        if isinstance(told, Failed):
            return told
        feeds = told.get("feeds")
        ids = [one.get("feedId") for one in feeds if isinstance(one, dict)] if isinstance(feeds, list) else [None]
        if not all(isinstance(one, str) for one in ids):
            return Failed("feeds: ANSWER_UNREADABLE")
        return [str(one) for one in ids]

    async def report(self, document: str) -> dict[str, Any] | Failed:
        """The processing report in a document."""
        told = await self._call(GET_DOCUMENT, "GET", f"/documents/{quote(document, safe='')}")
        if isinstance(told, Failed):
            return told
        address, compression = self._address(told), told.get("compressionAlgorithm")
        if address is None or compression not in (None, "GZIP"):
            return Failed("no report: ANSWER_UNREADABLE")
        answer = await self._documents.call("GET", address)
        failed = _failure("no report", answer)
        if failed is not None or isinstance(answer, CallFailed):
            return failed or Failed("no report")
        try:
            content = answer._replace(body=_unzipped(answer.body)) if compression else answer
            return content.json_object()
        except UnreadableAnswer:
            return Failed("no report: REPORT_UNREADABLE")

    async def _call(self, route: str, method: str, path: str, content: object = None) -> dict[str, Any] | Failed:
        body = b"" if content is None else json.dumps(content).encode()
        headers = {"content-type": "application/json", "accept": "application/json", "user-agent": "atstream"}
        answer = await self._caller.call(route, method, self._base + path, headers=headers, body=body)
        if isinstance(answer, CallFailed) and answer.reason == NO_TOKEN:
            return Failed(f"{route}: {NO_TOKEN}", wait_s=max(1.0, self.meters.wait_s(route)), held=True)
        failed = _failure(method, answer)
        if failed is not None or isinstance(answer, CallFailed):
            return failed or Failed(method)
        try:
            return answer.json_object() if answer.body else {}
        except UnreadableAnswer as error:
            return Failed(f"{method}: {error}", may_have_happened=True)

    def _address(self, told: dict[str, Any]) -> str | None:
        """Where a document is: never without encryption, unless the endpoint itself has none."""
        address = told.get("url")
        if not isinstance(address, str):
            return None
        return address if address.startswith("https://" if self._secure else ("https://", "http://")) else None


def _failure(what: str, answer: Answered | CallFailed) -> Failed | None:
    if isinstance(answer, CallFailed):
        return Failed(f"{what}: {answer.reason}", answer.outcome is Outcome.UNKNOWN)
    if succeeded(answer):
        return None
    wait_s = rate_wait_s(answer) if answer.status == 429 else answer.retry_after_s
    return Failed(f"{what}: HTTP {answer.status}", answer.status >= 500 and answer.status != 503, wait_s)


def _unzipped(body: bytes | None) -> bytes:
    """The content of a gzip file of a bounded size. Raises ``UnreadableAnswer``: it is none, or longer."""
    if body is None:
        raise UnreadableAnswer("REPORT_TOO_LARGE")
    reader = zlib.decompressobj(wbits=31)
    try:
        content = reader.decompress(body, MAX_DOCUMENT_BYTES)
    except zlib.error:
        raise UnreadableAnswer("REPORT_UNREADABLE") from None
    if not reader.eof:
        raise UnreadableAnswer("REPORT_TOO_LARGE")
    return content
