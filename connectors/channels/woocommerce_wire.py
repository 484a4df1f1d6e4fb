"""What a WooCommerce store is sent and what it answers; the sources are named in ``woocommerce``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from connectors.channels.base import Outcome, Result, Update, in_one_line, same_answer
from connectors.channels.http import Answered, CallFailed, UnreadableAnswer
from connectors.channels.http_status import not_taken, succeeded
from connectors.channels.numeric_id import is_numeric_id

MAX_OBJECTS = 100


class Target(NamedTuple):
    """A product, or a variation of it."""

    product: int
    variation: int | None

    @property
    def route(self) -> str:
        """The path of the batch that can change it."""
        inner = "" if self.variation is None else f"/{self.product}/variations"
        return f"/wp-json/wc/v3/products{inner}/batch"

    @property
    def id(self) -> int:
        """Its id within that batch."""
        return self.product if self.variation is None else self.variation


def target(listing: str) -> Target | None:
    """What ``123`` (a product) or ``123/456`` (a variation of it) names; None when it is neither."""
    product, slash, variation = listing.partition("/")
    if not is_numeric_id(product) or (slash and not is_numeric_id(variation)):
        return None
    return Target(int(product), int(variation) if slash else None)


def encode(batch: Sequence[tuple[Update, Target]]) -> bytes:
    """The body of a batch of one route: the same bytes for the same batch."""
    objects = [{"id": one.id, "manage_stock": True, "stock_quantity": update.quantity} for update, one in batch]
    return json.dumps({"update": objects}, separators=(",", ":")).encode()


def read_answer(batch: Sequence[tuple[Update, Target]], answer: Answered | CallFailed) -> list[Result]:
    """One result for each update: HTTP 200 says of each object what became of it."""
    updates = [update for update, _ in batch]
    if isinstance(answer, CallFailed) or not succeeded(answer):
        return not_taken(updates, _in_its_own_words(answer))
    try:
        changed = answer.json_object().get("update")
    except UnreadableAnswer as error:
        return same_answer(updates, Outcome.UNKNOWN, str(error))
    if not isinstance(changed, list):
        return same_answer(updates, Outcome.UNKNOWN, "ANSWER_UNREADABLE")
    by_id = {one["id"]: one for one in changed if isinstance(one, dict) and type(one.get("id")) is int}
    return [_result(update, by_id.get(one.id)) for update, one in batch]


def _result(update: Update, stated: dict[str, Any] | None) -> Result:
    if stated is None:
        outcome, reason = Outcome.UNKNOWN, "NOT_IN_ANSWER"
    elif isinstance(stated.get("error"), dict):
        outcome, reason = _failed(stated["error"])
    elif "stock_quantity" not in stated:
        outcome, reason = Outcome.UNKNOWN, "ANSWER_UNREADABLE"
    elif stated["stock_quantity"] == update.quantity:
        return Result(update.listing, update.publish_seq, Outcome.ACCEPTED)
    else:
        # With stock management switched off for the store, or an extension that overrules it, the store answers
        # 200 and keeps its own number: the listing does not show what it should.
        outcome, reason = Outcome.REJECTED, f"STOCK_NOT_TAKEN: it shows {stated['stock_quantity']}"
    return Result(update.listing, update.publish_seq, outcome, in_one_line(reason))


def _failed(error: dict[str, Any]) -> tuple[Outcome, str]:
    """What became of one object: refused for good, or for a reason outside it."""
    data = error.get("data")
    status = data.get("status") if isinstance(data, dict) else None
    reason = f"{error.get('code') or 'NO_CODE'}: {error.get('message') or 'no message'}"
    if status in (401, 403):
        return Outcome.RETRY, reason  # the key may read but not write
    if isinstance(status, int) and status >= 500:
        return Outcome.SPLIT, reason
    return Outcome.REJECTED, reason


def _in_its_own_words(answer: Answered | CallFailed) -> Answered | CallFailed:
    """The answer with code and message of its WordPress error for a body."""
    if isinstance(answer, CallFailed):
        return answer
    try:
        error = answer.json_object()
    except UnreadableAnswer:
        return answer
    code, message = error.get("code"), error.get("message")
    return answer._replace(body=f"{code}: {message}".encode()) if isinstance(code, str) else answer
