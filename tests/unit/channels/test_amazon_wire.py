from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.channels.amazon_calls import FEED_LIMITS, Failed, FeedCalls
from connectors.channels.amazon_wire import (
    Offer,
    feed_body,
    item_path,
    patch_body,
    rate_wait_s,
    read_patch,
    read_report,
)
from connectors.channels.base import Outcome
from connectors.channels.http import Answered, CallFailed, UnreadableAnswer
from connectors.channels.routes import OwnMeters
from streams.demo.shops.amazon_shapes import FeedContent, PatchRequest
from tests.conformance.rig import update

OFFER = Offer("A1SELLER", "ATVPDKIKX0DER,A2EUQ1WTGCTBG2")


def answer(status: int, content: object = None, **headers: str) -> Answered:
    body = b"" if content is None else json.dumps(content).encode()
    return Answered(status, {name.replace("_", "-"): text for name, text in headers.items()}, body, None)


def errors(code: str) -> dict[str, Any]:
    return {"errors": [{"code": code, "message": "Said so."}]}


def test_a_feed_of_the_largest_size_fits_its_schema_and_numbers_every_message() -> None:
    content = json.loads(feed_body(OFFER, [update(f"L-{n}", 1, n) for n in range(25_000)]))
    assert [message["messageId"] for message in content["messages"]] == list(range(1, 25_001))
    FeedContent.model_validate(content)
    with pytest.raises(ValidationError, match="25000"):
        FeedContent.model_validate(content | {"messages": content["messages"] + content["messages"][:1]})


def test_a_patch_changes_the_quantity_and_nothing_else_of_the_offer() -> None:
    body = json.loads(patch_body(OFFER, update("L-1", 1, 0)))
    PatchRequest.model_validate(body)
    assert body == {
        "productType": "PRODUCT",
        "patches": [
            {
                "op": "merge",
                "path": "/attributes/fulfillment_availability",
                "value": [{"fulfillment_channel_code": "DEFAULT", "quantity": 0}],
            }
        ],
    }


def test_a_sku_cannot_leave_its_place_in_the_path() -> None:
    path = item_path(OFFER, "../../x?y#z/%2F")
    assert path == (
        "/listings/2021-08-01/items/A1SELLER/..%2F..%2Fx%3Fy%23z%2F%252F?marketplaceIds=ATVPDKIKX0DER,A2EUQ1WTGCTBG2"
    )


INVALID = {"sku": "L-1", "status": "INVALID", "submissionId": "s", "issues": []}
WARNED = {"code": "1", "message": "Hm.", "severity": "WARNING", "categories": []}
REFUSED = {"code": "2", "message": "No\nway.", "severity": "ERROR", "categories": []}


@pytest.mark.parametrize(
    ("told", "outcome", "reason"),
    [
        (answer(200, {"sku": "L-1", "status": "ACCEPTED", "submissionId": "s"}), Outcome.ACCEPTED, None),
        (answer(200, {**INVALID, "issues": [WARNED, REFUSED]}), Outcome.REJECTED, "2: No way."),
        (answer(200, INVALID), Outcome.REJECTED, "INVALID"),
        (answer(200, {**INVALID, "issues": "none"}), Outcome.REJECTED, "INVALID"),
        (answer(200, {"sku": "L-9", "status": "ACCEPTED"}), Outcome.UNKNOWN, "ANSWER_UNREADABLE"),
        (answer(200, {"sku": "L-1", "status": "VALID"}), Outcome.UNKNOWN, "ANSWER_UNREADABLE"),
        (answer(400, errors("InvalidInput")), Outcome.REJECTED, "HTTP 400: InvalidInput: Said so."),
        (answer(404, errors("NotFound")), Outcome.REJECTED, "HTTP 404: NotFound: Said so."),
        (answer(404), Outcome.RETRY, "HTTP 404"),
        (answer(403, errors("Unauthorized")), Outcome.RETRY, "HTTP 403"),
        (answer(500, errors("InternalFailure")), Outcome.SPLIT, "HTTP 500"),
        (answer(503, errors("ServiceUnavailable")), Outcome.RETRY, "HTTP 503"),
        (CallFailed(Outcome.UNKNOWN, "TIME_OUT"), Outcome.UNKNOWN, "TIME_OUT"),
    ],
)
def test_a_patch_is_answered(told: Answered | CallFailed, outcome: Outcome, reason: str | None) -> None:
    result = read_patch(update(), told)
    assert (result.outcome, result.reason, result.retry_after_s) == (outcome, reason, None)


@pytest.mark.parametrize(
    ("stated", "wait_s"),
    [("5.0", 0.2), ("0.0083", 120.48), ("0.000001", 300.0), ("0", None), ("-1", None), ("soon", None), ("", None)],
)
def test_the_pace_that_amazon_states_is_the_wait_after_too_many_calls(stated: str, wait_s: float | None) -> None:
    told = Answered(429, {"x-amzn-RateLimit-Limit": stated}, b"", None)
    assert rate_wait_s(told) == (None if wait_s is None else pytest.approx(wait_s, rel=1e-3))
    assert read_patch(update(), told).outcome is Outcome.RETRY


def report(accepted: object, *issues: object) -> dict[str, Any]:
    return {"header": {}, "issues": list(issues), "summary": {"messagesAccepted": accepted}}


def issue(number: int, severity: str = "ERROR") -> dict[str, Any]:
    return {"messageId": number, "severity": severity, "code": "9", "message": "No."}


@pytest.mark.parametrize(
    ("content", "outcomes"),
    [
        (report(3), "AAA"),
        (report(2, issue(2), issue(2)), "ARA"),
        (report(3, issue(2, "WARNING")), "AAA"),
        (report(1, issue(2)), "URU"),
        (report(0, {"severity": "ERROR", "message": "Not a feed."}), "UUU"),
        (report(None), "UUU"),
        (report(3, issue(9)), "AAA"),
        (report(3, "noise", {"messageId": "2", "severity": "ERROR"}), "AAA"),
    ],
)
def test_a_report_answers_message_by_message(content: dict[str, Any], outcomes: str) -> None:
    results = read_report([update(f"L-{n}") for n in range(3)], content)
    assert "".join(one.outcome.value[0] for one in results) == outcomes
    assert [one.listing for one in results] == ["L-0", "L-1", "L-2"]


def test_what_is_no_report_is_not_read_as_one() -> None:
    with pytest.raises(UnreadableAnswer):
        read_report([update()], {"summary": {}})


class Scripted:
    def __init__(self, *answers: Answered) -> None:
        self.answers = list(answers)
        self.addresses: list[str] = []

    async def call(self, method: str, url: str, **_: object) -> Answered:
        self.addresses.append(url)
        return self.answers.pop(0)


async def downloaded(body: bytes, compression: str | None = "GZIP", url: str = "https://s3/x") -> object:
    told = {"feedDocumentId": "d", "url": url} | ({"compressionAlgorithm": compression} if compression else {})
    documents = Scripted(Answered(200, {}, body, None))
    meters = OwnMeters(FEED_LIMITS, lambda: 0.0)
    calls = FeedCalls("https://amazon.example", OFFER, Scripted(answer(200, told)), documents, meters)
    return await calls.report("d")


async def test_a_report_is_unpacked() -> None:
    assert await downloaded(gzip.compress(b'{"issues": []}')) == {"issues": []}
    assert await downloaded(b'{"issues": []}', compression=None) == {"issues": []}


@pytest.mark.parametrize(
    ("body", "compression", "url"),
    [
        (b"no gzip", "GZIP", "https://s3/x"),
        (gzip.compress(b"{}", mtime=0)[:-9], "GZIP", "https://s3/x"),
        (gzip.compress(b'{"issues": "' + b" " * 70_000_000 + b'"}', mtime=0), "GZIP", "https://s3/x"),
        (b"{}", "ZSTD", "https://s3/x"),
        (b"[]", None, "https://s3/x"),
        (b"{}", None, "http://s3/x"),
        (b"{}", None, "file:///etc/passwd"),
    ],
)
async def test_a_report_that_is_broken_or_too_long_or_not_encrypted_is_not_read(
    body: bytes, compression: str | None, url: str
) -> None:
    assert isinstance(await downloaded(body, compression, url), Failed)
