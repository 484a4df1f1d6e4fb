"""What an import of Omnichannel Inventory is asked and answers: a file of JSON lines, uploaded, then polled.

Source: "Inventory Impex" of the Salesforce B2C Commerce API: ``POST .../availability-records/imports`` gives an
upload link and a status link; the file is in the high-performance layout (one record a line, SKUs together); the
status runs from STAGING to COMPLETED; the result file starts with a line of status and names what failed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from connectors.channels.base import Outcome, Result, Update, in_one_line, same_answer
from connectors.channels.http import Answered, UnreadableAnswer
from connectors.channels.salesforce_wire import request_id
from connectors.channels.wire import iso

PATH = "/availability-records/imports"
MOST_FILE_BYTES = 100_000_000
"""A file above 100 MB must be compressed (Impex, "Availability Inventory Imports and Exports"); ours never is."""
COMPLETED, WAITING = "COMPLETED", "WAITING"
FAILED = ("FAILED", "STOPPED", "EXPIRED")
_UNFINISHED = ("STAGING", WAITING, "SUBMITTED", "PENDING", "RUNNING")
_LINK_MINUTES = 15
_BOUNDARY = "atstream-inventory-import"


class Links(NamedTuple):
    """Where the file of an import goes, and where its status is told."""

    upload: str
    status: str


class Progress(NamedTuple):
    """``status``: COMPLETED, one of ``FAILED``, or unfinished; ``results``: where the result file is."""

    status: str
    results: str | None

    @property
    def unfinished(self) -> bool:
        """Whether the import may still change something."""
        return self.status in _UNFINISHED


def initiation(name: str) -> bytes:
    """The body that asks for an import."""
    content = {"fileName": name, "linkDuration": _LINK_MINUTES, "fileFormat": "JSON"}
    return json.dumps(content, separators=(",", ":")).encode()


def encode(batch: Sequence[Update], location: str) -> bytes:
    """The file: one record a line."""
    return b"".join(_record(update, location) for update in batch)


def _record(update: Update, location: str) -> bytes:
    content = {
        "recordId": request_id(update),
        "onHand": update.quantity,
        "sku": update.listing,
        "effectiveDate": iso(update.planned_at),
        "safetyStockCount": 0,
        "locationId": location,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def form(name: str, file: bytes) -> tuple[dict[str, str], bytes]:
    """Headers and body of the upload: the file as ``fileUpload`` of a multipart form."""
    head = (
        f"--{_BOUNDARY}\r\n"
        f'Content-Disposition: form-data; name="fileUpload"; filename="{name}"\r\n'
        "Content-Type: application/json\r\n\r\n"
    )
    headers = {"content-type": f"multipart/form-data; boundary={_BOUNDARY}"}
    return headers, head.encode() + file + f"\r\n--{_BOUNDARY}--\r\n".encode()


def read_links(answer: Answered, base: str) -> Links:
    """The links of a new import. Raises ``UnreadableAnswer``: there are none, or they lead to another host."""
    content = answer.json_object()
    return Links(_link(content.get("uploadLink"), base), _link(content.get("importStatusLink"), base))


def read_progress(answer: Answered, base: str) -> Progress:
    """Where an import stands. Raises ``UnreadableAnswer``."""
    content = answer.json_object()
    status = content.get("status")
    if not isinstance(status, str) or status not in (*_UNFINISHED, *FAILED, COMPLETED):
        raise UnreadableAnswer("ANSWER_UNREADABLE")
    results = _at(content, "import", "fullResults", "href")
    return Progress(status, None if results is None else _link(results, base))


def read_results(batch: Sequence[Update], answer: Answered) -> list[Result]:
    """One result for each update of a completed import. Raises ``UnreadableAnswer``."""
    if answer.body is None:
        raise UnreadableAnswer("ANSWER_TOO_LARGE")
    try:
        first, *rest = (json.loads(line) for line in answer.body.splitlines() if line.strip())
        status, failures = first["status"], {str(one["recordId"]): one for one in rest}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UnreadableAnswer("ANSWER_UNREADABLE") from None
    if status not in ("COMPLETED_WITHOUT_ERRORS", "COMPLETED_WITH_PARTIAL_FAILURES", "FAILED"):
        raise UnreadableAnswer("ANSWER_UNREADABLE")
    # "Failed to load any records": one without a line of its own failed for a reason that is not told.
    others = Outcome.UNKNOWN if status == "FAILED" else Outcome.ACCEPTED
    if not failures.keys() <= {request_id(update) for update in batch}:
        raise UnreadableAnswer("ANSWER_OF_ANOTHER")
    return [_result(update, failures.get(request_id(update)), others) for update in batch]


def _result(update: Update, failure: dict[str, Any] | None, other: Outcome) -> Result:
    if failure is None:
        (result,) = same_answer([update], other, None if other is Outcome.ACCEPTED else "IMPORT_FAILED")
        return result
    reason = in_one_line(str(failure.get("message", ""))) or "NO_REASON_GIVEN"
    return Result(update.listing, update.publish_seq, Outcome.REJECTED, reason)


def _link(stated: object, base: str) -> str:
    """An address on the host we were told about: nobody else gets our token."""
    if not isinstance(stated, str) or not stated:
        raise UnreadableAnswer("NO_LINK")
    link = urljoin(base, stated)
    if urlsplit(link)[:2] != urlsplit(base)[:2]:
        raise UnreadableAnswer("LINK_TO_ANOTHER_HOST")
    return link


def _at(content: object, *names: str) -> object:
    for name in names:
        content = content.get(name) if isinstance(content, dict) else None
    return content
