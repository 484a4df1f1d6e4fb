"""What Shopify's answers mean: errors of the whole request, and errors that name an entry of it.

Sources (shopify.dev): "Admin GraphQL status and error codes" (errors inside HTTP 200),
"InventorySetQuantitiesUserError" (the path of the field, the codes). Whether the entries that no error names were
set is not documented: we take it that they were not, and the compare-and-set of the next round shows if they were.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from connectors.channels.base import Outcome, in_one_line
from connectors.channels.http import Answered, CallFailed, UnreadableAnswer
from connectors.channels.http_status import NotTaken, succeeded, verdict

STALE = frozenset({"CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"})
NEEDS_NEW_KEY = frozenset({"IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"})
# No single update can cause these: the configured location is wrong, or the same request is still being worked on.
_WAIT = frozenset({"IDEMPOTENCY_CONCURRENT_REQUEST", "INVALID_LOCATION"})
# Of "Admin GraphQL status and error codes".
_ACCOUNT = frozenset({"ACCESS_DENIED", "SHOP_INACTIVE"})
_MAY_BE_DONE = frozenset({"INTERNAL_SERVER_ERROR", "TIMEOUT"})
THROTTLED = "THROTTLED"


class EntryErrors(NamedTuple):
    """Errors by the entry of the request they name. None of the entries was set."""

    stale: frozenset[int]
    rejected: dict[int, str]


class NewKeyNeeded(NamedTuple):
    """The idempotency key belongs to a request that failed."""

    reason: str


def content_of(answer: Answered | CallFailed, entries: int) -> dict[str, Any] | NotTaken:
    """The JSON object of an answer with a 2xx."""
    if isinstance(answer, CallFailed) or not succeeded(answer):
        return verdict(answer, entries)
    try:
        return answer.json_object()
    except UnreadableAnswer as error:
        return NotTaken(Outcome.UNKNOWN, str(error))


def request_error(content: dict[str, Any]) -> NotTaken | None:
    """The error of the whole request, if there is one."""
    errors = content.get("errors")
    if not errors:
        return None
    first = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {}
    extensions = first.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    code = in_one_line(code) if isinstance(code, str) else ""
    message = in_one_line(first["message"]) if isinstance(first.get("message"), str) else "no message"
    reason = f"{code}: {message}" if code else message
    if code == THROTTLED or code in _ACCOUNT:
        return NotTaken(Outcome.RETRY, code if code == THROTTLED else reason)
    return NotTaken(Outcome.UNKNOWN if code in _MAY_BE_DONE else Outcome.SPLIT, reason)


def set_result(content: dict[str, Any], entries: int) -> EntryErrors | NewKeyNeeded | NotTaken | None:
    """What became of ``inventorySetQuantities``; None: all entries are set."""
    data = content.get("data")
    payload = data.get("inventorySetQuantities") if isinstance(data, dict) else None
    errors = payload.get("userErrors") if isinstance(payload, dict) else None
    if not isinstance(errors, list) or not all(isinstance(one, dict) for one in errors):
        return NotTaken(Outcome.UNKNOWN, "ANSWER_UNREADABLE")
    stale: set[int] = set()
    rejected: dict[int, str] = {}
    for error in errors:
        code = str(error.get("code"))[:60]
        reason = in_one_line(f"{code}: {error.get('message')}")
        position = _position(error.get("field"), entries)
        if code in NEEDS_NEW_KEY:
            return NewKeyNeeded(reason)
        if code in _WAIT:
            return NotTaken(Outcome.RETRY, reason)
        if position is None:
            return NotTaken(Outcome.SPLIT, reason)
        if code in STALE:
            stale.add(position)
        else:
            rejected[position] = reason
    return EntryErrors(frozenset(stale - rejected.keys()), rejected) if errors else None


def quantities_read(content: dict[str, Any]) -> dict[str, int] | None:
    """Inventory item -> what the channel shows; None when the answer cannot be read."""
    data = content.get("data")
    nodes = data.get("nodes") if isinstance(data, dict) else None
    if not isinstance(nodes, list):
        return None
    shown: dict[str, int] = {}
    for node in nodes:
        try:
            name, quantity = (node["inventoryLevel"]["quantities"][0][part] for part in ("name", "quantity"))
            if name == "available" and type(quantity) is int:
                shown[str(node["id"])] = quantity
        except (TypeError, KeyError, IndexError):
            # An item that is gone, or that has no level at this location: nothing is known of it.
            continue
    return shown


def _position(path: object, entries: int) -> int | None:
    """The entry that ``["input", "quantities", "3", "changeFromQuantity"]`` names."""
    if not isinstance(path, list) or "quantities" not in path[:-1]:
        return None
    number = str(path[path.index("quantities") + 1])
    if not (number.isascii() and number.isdigit() and len(number) < 6):
        return None
    return int(number) if int(number) < entries else None
