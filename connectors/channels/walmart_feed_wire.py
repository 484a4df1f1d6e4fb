"""What an inventory feed of Walmart is made of and what its status says; ``walmart_feed`` names the sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from connectors.channels.base import Outcome, Result, Update, in_one_line
from connectors.channels.http import Answered, UnreadableAnswer
from connectors.channels.walmart_wire import Place, each, encoded, errors_of

PAGE = 50
"""Entries of a list or of a feed's details in one answer; the OpenAPI document allows no more."""
UNFINISHED = ("RECEIVED", "INPROGRESS")
_OUTCOMES = {
    "SUCCESS": Outcome.ACCEPTED,
    "DATA_ERROR": Outcome.REJECTED,
    "SYSTEM_ERROR": Outcome.RETRY,
    "TIMEOUT_ERROR": Outcome.RETRY,
}


class FeedType(NamedTuple):
    """A type of feed, and the bytes that one may have."""

    name: str
    max_bytes: int


SINGLE_NODE = FeedType("inventory", 5_000_000)
MULTI_NODE = FeedType("MP_INVENTORY", 1_000_000)


class FeedStatus(NamedTuple):
    """How far a feed is. Counts are of SKUs."""

    status: str
    succeeded: int
    failed: int
    errors: Sequence[str]


class Ingested(NamedTuple):
    """What became of one SKU of a feed."""

    sku: str
    position: int | None
    outcome: Outcome
    reason: str


def by_sku(carried: Sequence[tuple[Update, Place]]) -> dict[str, list[tuple[Update, Place]]]:
    """The updates of each SKU, in the order in which they are named first: the entries of a feed."""
    entries: dict[str, list[tuple[Update, Place]]] = {}
    for update, where in carried:
        entries.setdefault(where.sku, []).append((update, where))
    return entries


def feed_body(carried: Sequence[tuple[Update, Place]], kind: FeedType) -> bytes:
    """The feed: specification 1.4 for the default node, 1.5 by ship node."""
    if kind == SINGLE_NODE:
        entries = [{"sku": where.sku, "quantity": each(update.quantity)} for update, where in carried]
        return encoded({"InventoryHeader": {"version": "1.4"}, "Inventory": entries})
    by_node = [
        {
            "sku": sku,
            "shipNodes": [{"shipNode": where.node, "quantity": each(update.quantity)} for update, where in places],
        }
        for sku, places in by_sku(carried).items()
    ]
    return encoded({"inventoryHeader": {"version": "1.5"}, "inventory": by_node})


def multipart(feed: bytes, boundary: str) -> tuple[bytes, str]:
    """The feed as the one file of a form (RFC 7578), and the content type of that."""
    head = (
        f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="inventory.json"\r\n'
        "content-type: application/json\r\n\r\n"
    )
    body = head.encode() + feed + f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def submit_path(kind: FeedType) -> str:
    """Where a feed is submitted."""
    return f"/v3/feeds?feedType={kind.name}"


def status_path(feed_id: str, offset: int | None = None) -> str:
    """Where the status of a feed is, with the details of ``PAGE`` SKUs from ``offset`` on unless that is None."""
    shown = "includeDetails=false" if offset is None else f"includeDetails=true&offset={offset}&limit={PAGE}"
    return f"/v3/feeds/{quote(feed_id, safe='')}?{shown}"


def list_path(offset: int) -> str:
    """Where the list of the seller's feeds is."""
    return f"/v3/feeds?offset={offset}&limit={PAGE}"


def feed_id(answer: Answered) -> str:
    """The id of a feed that was submitted. Raises ``UnreadableAnswer``."""
    stated = answer.json_object().get("feedId")
    if not isinstance(stated, str) or not stated:
        raise UnreadableAnswer("ANSWER_UNREADABLE")
    return stated


def feed_status(answer: Answered) -> FeedStatus:
    """How far a feed is. Raises ``UnreadableAnswer``."""
    content = answer.json_object()
    status = content.get("feedStatus")
    if not isinstance(status, str):
        raise UnreadableAnswer("ANSWER_UNREADABLE")
    stated = content.get("ingestionErrors")
    errors = errors_of({"errors": stated}) if isinstance(stated, dict) else []
    succeeded, failed = _count(content.get("itemsSucceeded")), _count(content.get("itemsFailed"))
    return FeedStatus(status.upper(), succeeded, failed, errors)


def details(answer: Answered) -> list[Ingested]:
    """What became of the SKUs on a page of details. Raises ``UnreadableAnswer``."""
    stated = answer.json_object().get("itemDetails")
    listed = stated.get("itemIngestionStatus") if isinstance(stated, dict) else None
    if not isinstance(listed, list):
        raise UnreadableAnswer("ANSWER_UNREADABLE")
    return [_ingested(one) for one in listed if isinstance(one, dict)]


def unfinished_feeds(answer: Answered) -> tuple[set[str], bool]:
    """Ids of the inventory feeds on a page of the list that are not worked off, and whether it is the last page.

    Raises ``UnreadableAnswer``.
    """
    stated = answer.json_object().get("results")
    feeds = stated.get("feed") if isinstance(stated, dict) else None
    if not isinstance(feeds, list):
        raise UnreadableAnswer("ANSWER_UNREADABLE")
    ours = {SINGLE_NODE.name.upper(), MULTI_NODE.name.upper()}
    waiting = {
        str(one.get("feedId"))
        for one in feeds
        if isinstance(one, dict)
        and str(one.get("feedType")).upper() in ours
        and str(one.get("feedStatus")).upper() in UNFINISHED
    }
    return waiting, len(feeds) < PAGE


def results_of(carried: Sequence[tuple[Update, Place]], ingested: Sequence[Ingested]) -> list[Result]:
    """One result for each update: what became of its SKU, found by name, else by its place in the feed."""
    named = {one.sku: one for one in ingested}
    placed = {one.position: one for one in ingested if one.position is not None}
    results = []
    for index, (sku, updates) in enumerate(by_sku(carried).items()):
        one = named.get(sku) or placed.get(index)
        outcome, reason = (Outcome.UNKNOWN, "NOT_IN_ANSWER") if one is None else (one.outcome, one.reason)
        stated = None if outcome is Outcome.ACCEPTED else in_one_line(reason)
        results += [Result(update.listing, update.publish_seq, outcome, stated) for update, _ in updates]
    return results


def _ingested(stated: Mapping[str, Any]) -> Ingested:
    status, index = str(stated.get("ingestionStatus") or "").strip().upper() or "NO_STATUS", stated.get("index")
    errors = errors_of({"errors": stated.get("ingestionErrors")})
    reason = f"{status} {errors[0]}" if errors else status
    outcome = _OUTCOMES.get(status, Outcome.UNKNOWN)
    return Ingested(str(stated.get("sku")), index if type(index) is int else None, outcome, reason)


def _count(stated: object) -> int:
    return stated if type(stated) is int and stated >= 0 else 0
