"""What is said to and by Amazon's Selling Partner API about quantities: bodies and their meaning, no calls.

Listings Items API 2021-08-01 (``patchListingsItem``), JSON listings feeds version 2, and their processing report.
Quantities are set, not adjusted, so saying the same again is harmless. ``merge`` changes the quantity alone: a
``replace`` would take away the lead time and the restock date of the offer (Amazon, "Merge a listing").
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from connectors.channels.base import Outcome, Result, Update, in_one_line
from connectors.channels.http import Answered, CallFailed, UnreadableAnswer
from connectors.channels.http_status import not_taken, succeeded

RATE_HEADER = "x-amzn-RateLimit-Limit"
_REJECTIONS = (400, 404, 413, 415)


class Offer(NamedTuple):
    """What all listings of a seller have in common.

    ``product_type`` PRODUCT fits patches of an offer whatever the product is. ``fulfillment_channel`` DEFAULT is
    stock that the seller ships.
    """

    seller_id: str
    marketplace_ids: str
    product_type: str = "PRODUCT"
    fulfillment_channel: str = "DEFAULT"

    def patches(self, update: Update) -> list[dict[str, Any]]:
        """The change of the quantity as a patch."""
        value = {"fulfillment_channel_code": self.fulfillment_channel, "quantity": update.quantity}
        return [{"op": "merge", "path": "/attributes/fulfillment_availability", "value": [value]}]


def item_path(offer: Offer, listing: str) -> str:
    """Path and query of a listing. The listing's id is the seller's SKU at Amazon, whatever characters it has."""
    seller, sku = quote(offer.seller_id, safe=""), quote(listing, safe="")
    return f"/listings/2021-08-01/items/{seller}/{sku}?marketplaceIds={quote(offer.marketplace_ids, safe=',')}"


def patch_body(offer: Offer, update: Update) -> bytes:
    """The body of the PATCH."""
    return _json({"productType": offer.product_type, "patches": offer.patches(update)})


def feed_body(offer: Offer, batch: Sequence[Update]) -> bytes:
    """A feed document; ``messageId`` is the place in the batch, from 1."""
    messages = [
        {
            "messageId": number,
            "sku": update.listing,
            "operationType": "PATCH",
            "productType": offer.product_type,
            "patches": offer.patches(update),
        }
        for number, update in enumerate(batch, start=1)
    ]
    return _json({"header": {"sellerId": offer.seller_id, "version": "2.0"}, "messages": messages})


def read_patch(update: Update, answer: Answered | CallFailed) -> Result:
    """What became of one PATCH. Amazon says with status 200 that a submission is INVALID."""
    if isinstance(answer, CallFailed) or not succeeded(answer):
        return _not_patched(update, answer)
    try:
        content = answer.json_object()
    except UnreadableAnswer as error:
        return _result(update, Outcome.UNKNOWN, str(error))
    match content.get("status"):
        case "ACCEPTED" if content.get("sku") == update.listing:
            return _result(update, Outcome.ACCEPTED)
        case "INVALID":
            return _result(update, Outcome.REJECTED, _errors(content.get("issues")) or "INVALID")
        case _:
            return _result(update, Outcome.UNKNOWN, "ANSWER_UNREADABLE")


def rate_wait_s(answer: Answered) -> float | None:
    """Seconds until the next call after a 429: what it asks for, or the pace that Amazon states in its header."""
    if answer.retry_after_s is not None:
        return answer.retry_after_s
    try:
        rate = float(answer.headers.get(RATE_HEADER, ""))
    except ValueError:
        return None
    return min(1 / rate, 300.0) if rate > 0 else None


def read_report(batch: Sequence[Update], report: Mapping[str, Any]) -> list[Result]:
    """What the processing report of a feed says of each message: an issue of severity ERROR refuses it.

    The others are accepted if the summary counts as many accepted messages; otherwise nobody knows which.

    Raises ``UnreadableAnswer``: it is no processing report.
    """
    issues, summary = report.get("issues"), report.get("summary")
    if not isinstance(issues, list) or not isinstance(summary, dict):
        raise UnreadableAnswer("REPORT_UNREADABLE")
    refused: dict[int, list[Any]] = {}
    for issue in issues:
        number = issue.get("messageId") if isinstance(issue, dict) else None
        if type(number) is int and issue.get("severity") == "ERROR":
            refused.setdefault(number, []).append(issue)
    accepted = summary.get("messagesAccepted")
    known = type(accepted) is int and accepted >= len(batch) - len(refused)
    rest = (Outcome.ACCEPTED, None) if known else (Outcome.UNKNOWN, "NOT_IN_REPORT")
    return [
        _result(update, Outcome.REJECTED, _errors(refused[number]) or "INVALID")
        if number in refused
        else _result(update, *rest)
        for number, update in enumerate(batch, start=1)
    ]


def _not_patched(update: Update, answer: Answered | CallFailed) -> Result:
    if not isinstance(answer, CallFailed):
        stated = _stated_errors(answer)
        if answer.status in _REJECTIONS and stated:
            return _result(update, Outcome.REJECTED, f"HTTP {answer.status}: {stated}")
        if answer.status == 429:
            return _result(update, Outcome.RETRY, f"HTTP 429: {stated}"[:200], rate_wait_s(answer))
    (result,) = not_taken([update], answer)
    return result


def _stated_errors(answer: Answered) -> str:
    """The codes and messages of an ``ErrorList``; empty when the body is none."""
    try:
        errors = answer.json_object().get("errors")
    except UnreadableAnswer:
        return ""
    return _told(errors) if isinstance(errors, list) else ""


def _errors(issues: Any) -> str:
    errors = [one for one in issues if isinstance(one, dict) and one.get("severity") == "ERROR"] if issues else []
    return _told(errors)


def _told(problems: Sequence[Any]) -> str:
    """``code: message`` of the first problems."""
    told = [f"{one.get('code')}: {one.get('message')}" for one in problems[:3] if isinstance(one, dict)]
    return in_one_line("; ".join(told))


def _result(update: Update, outcome: Outcome, reason: str | None = None, wait_s: float | None = None) -> Result:
    return Result(
        update.listing, update.publish_seq, outcome, None if reason is None else in_one_line(reason), wait_s
    )


def _json(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
