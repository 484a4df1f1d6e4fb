"""Feeds of an Amazon-shaped shop: documents, a queue, and work that goes on message by message.

A feed is worked on only when told. Until then it can be cancelled, and it can still overwrite anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streams.demo.shops.amazon_shapes import Report

SELLER, MARKETPLACE = "A1SELLER", "ATVPDKIKX0DER"
FEED_TYPE = "JSON_LISTINGS_FEED"
IN_QUEUE, IN_PROGRESS, DONE, CANCELLED, FATAL = "IN_QUEUE", "IN_PROGRESS", "DONE", "CANCELLED", "FATAL"
MOST_SUBMISSIONS, SUBMISSIONS_WITHIN_S = 5, 300.0
"""Feeds of listings that may be created in any five minutes."""


@dataclass
class Feed:
    """A feed as Amazon keeps it. ``done`` messages of it were worked on."""

    feed_id: str
    messages: list[dict[str, Any]]
    status: str = IN_QUEUE
    done: int = 0
    issues: list[dict[str, Any]] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        """The feed as getFeed shows it."""
        report = {"resultFeedDocumentId": f"report-{self.feed_id}"} if self.status == DONE else {}
        kind = {"feedType": FEED_TYPE, "marketplaceIds": [MARKETPLACE]}
        created = {"createdTime": "2026-01-01T00:00:10Z"}
        return {"feedId": self.feed_id, "processingStatus": self.status, **created, **kind, **report}


class FeedQueue:
    """``apply`` is told each SKU with its patches; SKUs in ``refused`` become issues instead."""

    def __init__(
        self, apply: Callable[[str, Sequence[Mapping[str, Any]]], None], refused: Callable[[], Collection[str]]
    ) -> None:
        self.feeds: dict[str, Feed] = {}
        self.documents: dict[str, bytes | None] = {}
        self._apply = apply
        self._refused = refused
        self._submissions: list[float] = []

    def room(self, now: float) -> bool:
        """Whether one more feed may be created."""
        recent = sum(now - at < SUBMISSIONS_WITHIN_S for at in self._submissions)
        return recent < MOST_SUBMISSIONS

    def new_document(self) -> str:
        """The id of a document without content yet."""
        document = f"document-{len(self.documents)}"
        self.documents[document] = None
        return document

    def add(self, messages: Sequence[dict[str, Any]] | None, now: float) -> Feed:
        """A new feed; None are messages that cannot be read, and that is fatal, as is a number given twice."""
        self._submissions.append(now)
        feed = Feed(f"{50_000 + len(self.feeds)}", list(messages or ()))
        numbers = {message["messageId"] for message in feed.messages}
        if messages is None or len(numbers) < len(feed.messages):
            feed.status = FATAL
        self.feeds[feed.feed_id] = feed
        return feed

    def begin(self, feed: Feed) -> None:
        """Work on a queued feed begins: it can no longer be cancelled."""
        assert feed.status == IN_QUEUE
        feed.status = IN_PROGRESS

    def work(self, feed: Feed, messages: int) -> None:
        """Work on the next messages of a feed; after the last one it is done."""
        if feed.status == IN_QUEUE:
            self.begin(feed)
        if feed.status != IN_PROGRESS:
            return
        for message in feed.messages[feed.done : feed.done + messages]:
            feed.done += 1
            number, sku = message["messageId"], message["sku"]
            if sku in self._refused():
                problem = {"code": "8541", "severity": "ERROR", "message": f"{sku} is not sold here."}
                feed.issues.append({"messageId": number, "sku": sku, **problem})
            else:
                self._apply(sku, message["patches"])
        if feed.done == len(feed.messages):
            feed.status = DONE
            self.documents[f"report-{feed.feed_id}"] = json.dumps(_report(feed)).encode()


def _report(feed: Feed) -> dict[str, Any]:
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
    Report.model_validate(report)
    return report
