"""What Omnichannel Inventory is asked and what it answers: batch updates through Connect REST.

Sources (developer.salesforce.com): "Availability Records, Batch Update" and "OCI Batch Update Single Input" of the
Connect REST API, version 62.0 (partial success; ``actionRequestId`` is idempotent; failed items stand in the error
section, and the ids tell which requests failed), and "Inventory IMPEX Best Practices" (100 SKUs a batch; more than
1,000 are better imported). The characters of a SKU are those of the import's field definitions.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from connectors.channels.base import Outcome, Result, Update, in_one_line
from connectors.channels.http import Answered, UnreadableAnswer
from connectors.channels.wire import iso

_REQUESTS = uuid.UUID("5f7c1f0e-6d0b-5d5e-8a54-3c1b0f3f6c9a")
_NOT_IN_A_SKU = re.compile(r"[:\\<>;%/\s]")
_RETRIED = (401, 403, 408, 425, 429)


def path(api_version: str) -> str:
    """Path of the batch update in an org."""
    return f"/services/data/v{api_version}/commerce/oci/availability-records/actions/batch-update"


def request_id(update: Update) -> str:
    """A UUID that is the same in every attempt of an update, also after a restart, and of no other update."""
    return str(uuid.uuid5(_REQUESTS, update.idempotency_key))


def unfit(update: Update) -> bool:
    """Whether the inventory cannot know such a SKU."""
    return not update.listing or _NOT_IN_A_SKU.search(update.listing) is not None


def encode(batch: Sequence[Update], location: str) -> bytes:
    """The body of a call. The quantity is what was true when it was planned."""
    records = [
        {
            "actionRequestId": request_id(update),
            "locationIdentifier": location,
            "stockKeepingUnit": update.listing,
            "onHand": update.quantity,
            "safetyStockCount": 0,
            "effectiveDate": iso(update.planned_at),
        }
        for update in batch
    ]
    return json.dumps({"records": records}, ensure_ascii=False, separators=(",", ":")).encode()


def read_answer(batch: Sequence[Update], answer: Answered) -> list[Result]:
    """One result for each update of a call that was taken. Raises ``UnreadableAnswer``.

    What stands in ``errors`` failed. Anything else is accepted only when the answer has that section and every
    error in it can be told to be another update's, or when the answer names it elsewhere.
    """
    content = answer.json_object()
    errors = content.get("errors")
    named = {
        str(one.get("actionRequestId")) for key in content if key != "errors" for one in _objects(content[key])
    }
    asked = {request_id(update) for update in batch}
    if errors is not None and not isinstance(errors, list):
        raise UnreadableAnswer("ANSWER_UNREADABLE")
    failed = {str(one.get("actionRequestId")): one for one in _objects(errors)}
    complete = errors is not None and len(failed) == len(errors) and failed.keys() <= asked
    return [_result(update, failed, complete or request_id(update) in named) for update in batch]


def _result(update: Update, failed: dict[str, dict[str, Any]], confirmed: bool) -> Result:
    error = failed.get(request_id(update))
    if error is not None:
        status = error.get("httpCode", error.get("statusCode"))
        retried = type(status) is int and (status in _RETRIED or status >= 500)
        words = in_one_line(f"{error.get('errorCode') or ''} {error.get('message') or ''}")
        outcome = Outcome.RETRY if retried else Outcome.REJECTED
        return Result(update.listing, update.publish_seq, outcome, words or "NO_REASON_GIVEN")
    if not confirmed:
        return Result(update.listing, update.publish_seq, Outcome.UNKNOWN, "NOT_IN_ANSWER")
    return Result(update.listing, update.publish_seq, Outcome.ACCEPTED)


def _objects(stated: object) -> Iterator[dict[str, Any]]:
    return (one for one in stated if isinstance(one, dict)) if isinstance(stated, list) else iter(())
