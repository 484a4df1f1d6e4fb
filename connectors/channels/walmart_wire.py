"""What Walmart is asked and what it answers, for one SKU and by ship node; ``walmart`` names the sources."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from connectors.channels.base import Outcome, Result, Update, in_one_line, same_answer
from connectors.channels.http import Answered, CallFailed, UnreadableAnswer
from connectors.channels.http_status import not_taken, succeeded

TOKENS_LEFT = "x-current-token-count"
REPLENISHED_AT = "x-next-replenishment-time"

_CORRELATIONS = uuid.UUID("9b1f5a62-7a0e-5a43-9c44-6f0a7c1d2e35")
_YEAR_3000_S = 32_503_680_000


class Place(NamedTuple):
    """A seller's SKU, and the ship node whose stock is meant; None for the default node."""

    sku: str
    node: str | None


def place(listing: str, by_node: bool) -> Place | None:
    """What a listing id names: ``SKU``, or ``node/SKU`` with ``by_node``; None when a part is missing.

    The node comes first because a SKU may contain anything, a slash too.
    """
    if not by_node:
        return Place(listing, None) if listing else None
    node, _, sku = listing.partition("/")
    return Place(sku, node) if node and sku else None


def single_path(sku: str) -> str:
    """Path and query of a single update at the seller's default node."""
    return "/v3/inventory?" + urlencode({"sku": sku}, quote_via=quote, safe="")


def nodes_path(sku: str) -> str:
    """Path of an update by node."""
    return "/v3/inventories/" + quote(sku, safe="")


def single_body(sku: str, quantity: int) -> bytes:
    """The body of a single update."""
    return encoded({"sku": sku, "quantity": each(quantity)})


def nodes_body(quantities: Sequence[tuple[str, int]]) -> bytes:
    """The body of an update of one SKU at several nodes."""
    nodes = [{"shipNode": node, "inputQty": each(quantity)} for node, quantity in quantities]
    return encoded({"inventories": {"nodes": nodes}})


def each(quantity: int) -> dict[str, Any]:
    """A quantity as Walmart writes it."""
    return {"unit": "EACH", "amount": quantity}


def encoded(document: dict[str, Any]) -> bytes:
    """JSON without blanks."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def correlation_id(keys: Sequence[str]) -> str:
    """A GUID for ``WM_QOS.CORRELATION_ID``: the same for the same keys, as Walmart asks of retries."""
    return str(uuid.uuid5(_CORRELATIONS, json.dumps(list(keys))))


def replenished_s(headers: Mapping[str, str], now_s: float, longest_s: float) -> float | None:
    """Seconds until Walmart gives tokens again, within 0 and ``longest_s``; None when it does not say.

    The documents call it a time and no more: it is read as ISO 8601, or as seconds or milliseconds since the
    epoch. ``now_s`` is the wall clock in seconds since the epoch.
    """
    stated = headers.get(REPLENISHED_AT, "").strip()[:40]
    if stated.isascii() and stated.isdigit():
        number = float(stated)
        at_s = number / 1000 if number > _YEAR_3000_S else number
    else:
        try:
            at = datetime.fromisoformat(stated)
        except ValueError:
            return None
        at_s = (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    return min(max(at_s - now_s, 0.0), longest_s)


def spent(headers: Mapping[str, str]) -> bool:
    """Whether Walmart said that no token is left in this window."""
    return headers.get(TOKENS_LEFT, "").strip() == "0"


def read_single(update: Update, answer: Answered | CallFailed) -> list[Result]:
    """What became of a single update: accepted when the answer repeats the quantity."""
    if isinstance(answer, CallFailed) or not succeeded(answer):
        return refused([update], answer)
    try:
        quantity = answer.json_object().get("quantity")
    except UnreadableAnswer as error:
        return same_answer([update], Outcome.UNKNOWN, str(error))
    if not isinstance(quantity, dict) or quantity.get("amount") != update.quantity:
        return same_answer([update], Outcome.UNKNOWN, "ANSWER_UNREADABLE")
    return same_answer([update], Outcome.ACCEPTED)


def read_nodes(batch: Sequence[tuple[Update, str]], answer: Answered | CallFailed) -> list[Result]:
    """What became of updates of one SKU by node: HTTP 200 says it for each node."""
    updates = [update for update, _ in batch]
    if isinstance(answer, CallFailed) or not succeeded(answer):
        return refused(updates, answer)
    try:
        stated = answer.json_object().get("nodes")
    except UnreadableAnswer as error:
        return same_answer(updates, Outcome.UNKNOWN, str(error))
    if not isinstance(stated, list):
        return same_answer(updates, Outcome.UNKNOWN, "ANSWER_UNREADABLE")
    by_node = {str(one.get("shipNode")): one for one in stated if isinstance(one, dict)}
    return [_of_node(update, by_node.get(node)) for update, node in batch]


def refused(batch: Sequence[Update], answer: Answered | CallFailed) -> list[Result]:
    """An answer that is no success, for the updates it was about.

    An unknown SKU is 404 with an error that names it; without one, 404 is a wrong address, which waits.
    """
    if isinstance(answer, CallFailed):
        return not_taken(batch, answer)
    errors = errors_in(answer)
    if not errors:
        return not_taken(batch, answer)
    if answer.status == 404:
        named = Outcome.SPLIT if len(batch) > 1 else Outcome.REJECTED
        return same_answer(batch, named, f"HTTP 404: {errors[0]}")
    return not_taken(batch, answer._replace(body=errors[0].encode()))


def errors_in(answer: Answered) -> list[str]:
    """Code and description of each error in an answer; none when it has none that can be read."""
    try:
        return errors_of(answer.json_object())
    except UnreadableAnswer:
        return []


def errors_of(document: Mapping[str, Any]) -> list[str]:
    """Code and description of each error, in the shapes that Walmart has for a list of them."""
    stated = document.get("errors", document.get("error"))
    if isinstance(stated, dict):
        stated = stated.get("error", stated.get("ingestionError"))
    errors = [one for one in stated if isinstance(one, dict)] if isinstance(stated, list) else []
    return [in_one_line(f"{one.get('code') or 'NO_CODE'}: {one.get('description') or ''}") for one in errors]


def _of_node(update: Update, stated: dict[str, Any] | None) -> Result:
    if stated is None:
        outcome, reason = Outcome.UNKNOWN, "NOT_IN_ANSWER"
    elif errors := errors_of(stated):
        outcome, reason = (Outcome.SPLIT if _is_walmarts(stated) else Outcome.REJECTED), errors[0]
    elif str(stated.get("status")).upper() == "SUCCESS":
        return Result(update.listing, update.publish_seq, Outcome.ACCEPTED)
    else:
        outcome, reason = Outcome.UNKNOWN, f"NODE_STATUS {stated.get('status')}"
    return Result(update.listing, update.publish_seq, outcome, in_one_line(reason))


def _is_walmarts(stated: Mapping[str, Any]) -> bool:
    """Whether an error is of category SYSTEM or APPLICATION: others are the update's."""
    errors = stated.get("errors")
    listed = [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    return any(one.get("category") in ("SYSTEM", "APPLICATION") for one in listed)
