"""What Adobe Commerce is asked and what it answers: source items, at once or through the asynchronous bulk API.

Sources (developer.adobe.com/commerce/webapi): "Bulk endpoints" (``POST .../async/bulk/V1/...``, an array of
request bodies, each of which becomes one operation), "Bulk operation status endpoints" (status codes 1 to 5),
"Search for the status of a bulk operation", and the Admin REST schema of Adobe Commerce 2.4.9. In a bulk one
source item makes one operation, so that each update has its own status.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from connectors.channels.base import Outcome, Result, Update, in_one_line
from connectors.channels.http import Answered, UnreadableAnswer

PATH = "/V1/inventory/source-items"
SUBMIT_PATH = "/async/bulk/V1/inventory/source-items"
TOPIC = "sourceitemssave"
"""In the name of the queue topic of what is submitted there, whatever its module and version."""

COMPLETE, RETRIABLE_FAILURE, FAILURE, OPEN, REJECTED = 1, 2, 3, 4, 5
_IN_STOCK, _OUT_OF_STOCK = 1, 0
_MAX_UUID_CHARS = 64


class Submitted(NamedTuple):
    """A bulk as the shop took it: its id, and the listings it rejected at once, with the reason."""

    bulk_uuid: str
    rejected: dict[str, str]


class Operation(NamedTuple):
    """Where one operation of a bulk stands."""

    status: int
    message: str


class BulkStatus(NamedTuple):
    """The operations of a bulk that could be recognised, by SKU, and whether the bulk still has any to go."""

    operations: dict[str, Operation]
    finished: bool


def status_path(bulk_uuid: str) -> str:
    """Path of the status of a bulk with the data of each operation."""
    return f"/V1/bulk/{quote(bulk_uuid, safe='')}/detailed-status"


def open_path() -> str:
    """Path of the search for operations with source items that are still open, in any bulk."""
    filters = {"status": ("eq", str(OPEN)), "topic_name": ("like", f"%{TOPIC}%")}
    query = {"searchCriteria[pageSize]": "1"}
    for number, (name, (condition, value)) in enumerate(filters.items()):
        part = f"searchCriteria[filter_groups][{number}][filters][0]"
        query |= {f"{part}[field]": name, f"{part}[value]": value, f"{part}[condition_type]": condition}
    return "/V1/bulk?" + urlencode(query)


def read_open(answer: Answered) -> int:
    """How many operations the search found. Raises ``UnreadableAnswer``."""
    count = answer.json_object().get("total_count")
    if type(count) is not int:
        raise UnreadableAnswer("ANSWER_UNREADABLE")
    return count


def encode_now(batch: Sequence[Update], source_code: str) -> bytes:
    """The body of a call that the shop carries out at once, as a whole or not at all."""
    content = {"sourceItems": [_source_item(update, source_code) for update in batch]}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def read_now(answer: Answered) -> None:
    """Make sure that a 2xx comes from the shop: it has nothing to say. Raises ``UnreadableAnswer``."""
    content = answer.json()
    if content not in ([], None, True):
        raise UnreadableAnswer("ANSWER_UNREADABLE")


def encode(batch: Sequence[Update], source_code: str) -> bytes:
    """The body of a bulk: one request for each update, in their order. The listing id is the SKU of the shop."""
    return json.dumps(
        [{"sourceItems": [_source_item(update, source_code)]} for update in batch],
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


def _source_item(update: Update, source_code: str) -> dict[str, Any]:
    return {
        "sku": update.listing,
        "source_code": source_code,
        "quantity": update.quantity,
        "status": _IN_STOCK if update.quantity > 0 else _OUT_OF_STOCK,
    }


def read_submitted(batch: Sequence[Update], answer: Answered) -> Submitted:
    """What the shop says about a bulk it was given. Raises ``UnreadableAnswer``: nobody knows what it took."""
    content = answer.json_object()
    uuid, stated = content.get("bulk_uuid"), content.get("request_items")
    if not isinstance(uuid, str) or not 0 < len(uuid) <= _MAX_UUID_CHARS or not isinstance(stated, list):
        raise UnreadableAnswer("ANSWER_UNREADABLE")
    rejected: dict[str, str] = {}
    for one in stated[: len(batch)]:
        if isinstance(one, dict) and one.get("status") == "rejected":
            at = one.get("id")
            if type(at) is not int or not 0 <= at < len(batch):
                raise UnreadableAnswer("ANSWER_UNREADABLE")
            rejected[batch[at].listing] = _words(one.get("error_message"))
    return Submitted(uuid, rejected)


def read_status(answer: Answered, source_code: str) -> BulkStatus:
    """Where a bulk stands. Raises ``UnreadableAnswer``.

    Operations are recognised by the request they carry and not by ``id``, which is the position in the bulk in
    some versions and a number of the database in others. One that cannot be recognised is left out.
    """
    content = answer.json_object()
    stated, count = content.get("operations_list"), content.get("operation_count")
    if not isinstance(stated, list) or type(count) is not int:
        raise UnreadableAnswer("ANSWER_UNREADABLE")
    operations: dict[str, Operation] = {}
    closed = 0
    for one in stated:
        if not isinstance(one, dict) or type(one.get("status")) is not int:
            raise UnreadableAnswer("ANSWER_UNREADABLE")
        closed += one["status"] != OPEN
        sku = _sku_of(one.get("serialized_data"), source_code)
        if sku is not None:
            operations[sku] = Operation(one["status"], _words(one.get("result_message")))
    return BulkStatus(operations, finished=closed >= count)


def result_of(update: Update, operation: Operation | None) -> Result:
    """What an operation means for its update; an operation that is open or not shown is UNKNOWN."""
    if operation is None:
        return Result(update.listing, update.publish_seq, Outcome.UNKNOWN, "NOT_IN_ANSWER")
    match operation.status:
        case 1:
            return Result(update.listing, update.publish_seq, Outcome.ACCEPTED)
        case 2:
            return Result(update.listing, update.publish_seq, Outcome.RETRY, operation.message)
        case 3 | 5:
            return Result(update.listing, update.publish_seq, Outcome.REJECTED, operation.message)
        case 4:
            return Result(update.listing, update.publish_seq, Outcome.UNKNOWN, "BULK_OPEN")
        case _:
            return Result(update.listing, update.publish_seq, Outcome.UNKNOWN, "ANSWER_UNREADABLE")


def _sku_of(serialized: object, source_code: str) -> str | None:
    """The SKU in the data of an operation: JSON, in which ``meta_information`` is the request as JSON again."""
    try:
        request = json.loads(json.loads(str(serialized))["meta_information"])
        (source_item,) = request["sourceItems"]
        sku, source = source_item["sku"], source_item["source_code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return sku if isinstance(sku, str) and source == source_code else None


def _words(stated: object) -> str:
    return (in_one_line(stated) if isinstance(stated, str) else "") or "NO_REASON_GIVEN"
