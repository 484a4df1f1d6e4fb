"""What BigCommerce is sent and what it answers; the sources are named in ``bigcommerce``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal

from connectors.channels.base import Outcome, Result, Update, same_answer
from connectors.channels.http import Answered, CallFailed, UnreadableAnswer
from connectors.channels.http_status import not_taken, succeeded
from connectors.channels.numeric_id import is_numeric_id

MAX_ITEMS = 2_000
MAX_QUANTITY = 2_147_483_647

REQUESTS_LEFT = "X-Rate-Limit-Requests-Left"
RESET_MS = "X-Rate-Limit-Time-Reset-Ms"

Identity = Literal["sku", "variant_id", "product_id"]
"""What a listing id is. Numbers identify variants and products, texts SKUs."""


def impossible(update: Update, identity: Identity) -> str | None:
    """Why no request can carry this update; None when one can."""
    if update.quantity > MAX_QUANTITY:
        return f"QUANTITY_TOO_HIGH: above {MAX_QUANTITY}"
    if identity != "sku" and not is_numeric_id(update.listing):
        return f"LISTING_INVALID: as {identity} it must be a whole number above 0, without zeros in front"
    return None if update.listing else "LISTING_INVALID: it is empty"


def encode(batch: Sequence[Update], identity: Identity, location_id: int, reason: str) -> bytes:
    """The body of one absolute adjustment at one location: the same bytes for the same batch."""
    adjustments = [
        {
            "location_id": location_id,
            identity: update.listing if identity == "sku" else int(update.listing),
            "quantity": update.quantity,
        }
        for update in batch
    ]
    return json.dumps({"reason": reason, "items": adjustments}, ensure_ascii=False, separators=(",", ":")).encode()


def reset_s(headers: Mapping[str, str], longest_s: float) -> float | None:
    """Seconds until the quota is whole again, at most ``longest_s``; None when the store does not say."""
    stated = headers.get(RESET_MS, "").strip()[:12]
    return min(int(stated) / 1000, longest_s) if stated.isascii() and stated.isdigit() else None


def spent(headers: Mapping[str, str]) -> bool:
    """Whether the store said that no request is left in this window."""
    return headers.get(REQUESTS_LEFT, "").strip() == "0"


def read_answer(batch: Sequence[Update], answer: Answered | CallFailed) -> list[Result]:
    """One result for each update: an adjustment is taken as a whole, with a transaction id, or not at all."""
    if isinstance(answer, CallFailed) or not succeeded(answer):
        return not_taken(batch, _in_its_own_words(answer))
    try:
        transaction = answer.json_object().get("transaction_id")
    except UnreadableAnswer as error:
        return same_answer(batch, Outcome.UNKNOWN, str(error))
    if not isinstance(transaction, str) or not transaction:
        return same_answer(batch, Outcome.UNKNOWN, "ANSWER_UNREADABLE")
    return same_answer(batch, Outcome.ACCEPTED)


def _in_its_own_words(answer: Answered | CallFailed) -> Answered | CallFailed:
    """The answer with the title of its problem document, which names the item, for a body."""
    if isinstance(answer, CallFailed):
        return answer
    try:
        title = answer.json_object().get("title")
    except UnreadableAnswer:
        return answer
    return answer._replace(body=title.encode()) if isinstance(title, str) and title else answer
