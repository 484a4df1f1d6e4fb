"""What eBay is asked and what it answers: quantities through the Inventory API.

Sources (developer.ebay.com): ``bulkUpdatePriceQuantity`` of the Inventory API (HTTP 200 or 207 with a status for
each inventory item and offer; 250 revisions of a listing in a calendar day), types ``PriceQuantity``,
``OfferPriceQuantity`` and ``PriceQuantityResponse``, and the guide "Bulk updates" (up to 25 inventory items in a
call; a quantity is set for the inventory item and for its offer, and the lower one counts).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from connectors.channels.base import Outcome, Result, Update, in_one_line
from connectors.channels.http import Answered, UnreadableAnswer

PATH = "/sell/inventory/v1/bulk_update_price_quantity"
OFFER_MARK = "|"

# No update can cause these: credentials, permissions, speed or eBay's own troubles. Waiting loses nothing.
_NOT_THE_UPDATE = (401, 403, 408, 425, 429)


class Place(NamedTuple):
    """A seller's SKU, and the offer (one marketplace) whose quantity is meant; None: the inventory item's."""

    sku: str
    offer: str | None


def place(listing: str) -> Place:
    """What a listing id names: ``SKU`` or ``SKU|offerId``. An offer id has digits only."""
    sku, mark, offer = listing.rpartition(OFFER_MARK)
    return Place(sku, offer) if mark and sku and offer.isascii() and offer.isdigit() else Place(listing, None)


def encode(batch: Sequence[Update]) -> bytes:
    """The body of a call: one request for each SKU, with its offers.

    Where several offers of a SKU are told at once, the inventory item gets the highest of their quantities: it is
    the bound of them all, and each offer has its own.
    """
    requests: dict[str, dict[str, Any]] = {}
    for update in batch:
        sku, offer = place(update.listing)
        request = requests.setdefault(sku, {"sku": sku, "shipToLocationAvailability": {"quantity": 0}})
        total = request["shipToLocationAvailability"]
        total["quantity"] = max(total["quantity"], update.quantity)
        if offer is not None:
            offers = request.setdefault("offers", [])
            offers.append({"offerId": offer, "availableQuantity": update.quantity})
    return json.dumps({"requests": list(requests.values())}, ensure_ascii=False, separators=(",", ":")).encode()


def read_answer(batch: Sequence[Update], answer: Answered) -> list[Result]:
    """One result for each update of a call that was taken. Raises ``UnreadableAnswer``."""
    stated = answer.json_object().get("responses")
    if not isinstance(stated, list):
        raise UnreadableAnswer("ANSWER_UNREADABLE")
    by_sku: dict[str, list[dict[str, Any]]] = {}
    for one in stated:
        if isinstance(one, dict) and isinstance(one.get("sku"), str):
            by_sku.setdefault(one["sku"], []).append(one)
    return [_result(update, by_sku) for update in batch]


def _result(update: Update, by_sku: dict[str, list[dict[str, Any]]]) -> Result:
    """An update is accepted when what it names is confirmed and nothing about it failed."""
    sku, offer = place(update.listing)
    mine = [one for one in by_sku.get(sku, ()) if one.get("offerId") in (None, "", offer)]
    named = [one for one in mine if offer is None or one.get("offerId") == offer]
    failed = [one for one in mine if _status(one) is not None and not 200 <= (_status(one) or 0) < 300]
    if failed:
        status, reason = _status(failed[0]) or 0, _explained(failed[0])
        retry = status in _NOT_THE_UPDATE or status >= 500
        outcome = Outcome.RETRY if retry else Outcome.REJECTED
        return Result(update.listing, update.publish_seq, outcome, reason)
    if not named or any(_status(one) is None for one in mine):
        return Result(update.listing, update.publish_seq, Outcome.UNKNOWN, "NOT_IN_ANSWER")
    return Result(update.listing, update.publish_seq, Outcome.ACCEPTED)


def _status(stated: dict[str, Any]) -> int | None:
    status = stated.get("statusCode")
    return status if type(status) is int else None


def _explained(stated: dict[str, Any]) -> str:
    """``errorId message`` of the first error."""
    errors = stated.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    words = in_one_line(f"{first.get('errorId', '')} {first.get('message', '')}")
    return words or f"HTTP {_status(stated)}"
