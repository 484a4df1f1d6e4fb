from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr, ValidationError

from connectors.channels.base import Outcome
from connectors.channels.http import Answered, UnreadableAnswer
from connectors.channels.kind import CallLimits
from connectors.channels.salesforce import SalesforceSettings, SalesforceSink
from connectors.channels.salesforce_wire import encode, read_answer, request_id
from streams.demo.shops.vendor import TOKEN_PATH, Fault
from tests.conformance.rig import update
from tests.fakes.salesforce import CLIENT_SECRET, LOCATION, FakeSalesforce

A, B = update("A"), update("B")


def answered(content: object) -> Answered:
    return Answered(200, {}, json.dumps(content).encode(), None)


def settings(address: str, **more: Any) -> SalesforceSettings:
    return SalesforceSettings(
        url=address,
        token_url=address + TOKEN_PATH,
        client_id="connected-app",
        client_secret=SecretStr(CLIENT_SECRET),
        location=LOCATION,
        **more,
    )


@pytest.fixture
async def inventory() -> AsyncIterator[tuple[FakeSalesforce, SalesforceSink]]:
    fake = FakeSalesforce()
    server = TestServer(fake.app(), host="127.0.0.1")
    async with server:
        sink = SalesforceSink(settings(str(server.make_url("/")).rstrip("/")), CallLimits(100))
        await sink.open()
        yield fake, sink
        await sink.close()


def test_a_record_has_the_fields_that_the_vendor_documents() -> None:
    (record,) = json.loads(encode([update("A", 7, 3)], LOCATION))["records"]
    assert record == {
        "actionRequestId": request_id(update("A", 7)),
        "locationIdentifier": LOCATION,
        "stockKeepingUnit": "A",
        "onHand": 3,
        "safetyStockCount": 0,
        "effectiveDate": "2026-01-01T00:00:10.000000Z",
    }


def test_the_id_is_that_of_the_update_and_of_no_other() -> None:
    assert request_id(update("A", 7)) == request_id(update("A", 7, 4))
    assert len({request_id(update("A", 7)), request_id(update("A", 8)), request_id(update("B", 7))}) == 3


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"errors": []}, [Outcome.ACCEPTED, Outcome.ACCEPTED]),
        ({"errors": [{"actionRequestId": request_id(A)}]}, [Outcome.REJECTED, Outcome.ACCEPTED]),
        ({"records": [{"actionRequestId": request_id(B)}]}, [Outcome.UNKNOWN, Outcome.ACCEPTED]),
        # An error that is nobody's may be anybody's.
        ({"errors": [{"message": "broken"}]}, [Outcome.UNKNOWN, Outcome.UNKNOWN]),
        ({"errors": [7]}, [Outcome.UNKNOWN, Outcome.UNKNOWN]),
        (
            {"errors": [{"actionRequestId": request_id(A)}, {"actionRequestId": "x"}]},
            [Outcome.REJECTED, Outcome.UNKNOWN],
        ),
        (
            {"errors": [{"actionRequestId": request_id(A), "httpCode": 503}]},
            [Outcome.RETRY, Outcome.ACCEPTED],
        ),
        ({}, [Outcome.UNKNOWN, Outcome.UNKNOWN]),
        ({"message": "hello"}, [Outcome.UNKNOWN, Outcome.UNKNOWN]),
    ],
)
def test_an_update_is_accepted_only_when_no_error_can_be_its_own(content: object, expected: list[Outcome]) -> None:
    assert [one.outcome for one in read_answer([A, B], answered(content))] == expected


@pytest.mark.parametrize("content", [[], 7, {"errors": {}}, {"errors": "none"}])
def test_an_answer_of_another_form_cannot_be_read(content: object) -> None:
    with pytest.raises(UnreadableAnswer):
        read_answer([A], answered(content))


@pytest.mark.parametrize("listing", ["A B", "A/B", "A:B", "A\\B", "A<B", "A>B", "A;B", "A%B", "A\tB", ""])
async def test_a_sku_that_the_inventory_cannot_know_is_rejected_without_a_call(
    inventory: tuple[FakeSalesforce, SalesforceSink], listing: str
) -> None:
    fake, sink = inventory
    (alone,) = await sink.send([update(listing)])
    assert (alone.outcome, alone.reason, fake.calls) == (Outcome.REJECTED, "SKU_CHARACTERS", 0)
    refused, passed = await sink.send([update(listing), update("B")])
    assert (refused.outcome, passed.outcome) == (Outcome.REJECTED, Outcome.ACCEPTED)


async def test_an_update_sent_twice_has_one_id_and_is_taken_once(
    inventory: tuple[FakeSalesforce, SalesforceSink],
) -> None:
    fake, sink = inventory
    fake.next_faults.append(Fault(500, taken=True))
    (first,) = await sink.send([update("A", 1, 4)])
    (second,) = await sink.send([update("A", 1, 4)])
    assert (first.outcome, second.outcome) == (Outcome.SPLIT, Outcome.ACCEPTED)
    assert (len(fake.request_ids), len(set(fake.request_ids)), fake.taken) == (2, 1, [("A", 4)])


async def test_a_record_that_is_busy_is_tried_again(inventory: tuple[FakeSalesforce, SalesforceSink]) -> None:
    fake, sink = inventory
    fake.names_successes = True
    fake.busy_once.add("A")
    first, other = await sink.send([update("A"), update("B")])
    (again,) = await sink.send([update("A")])
    assert (first.outcome, first.reason) == (Outcome.RETRY, "BUSY try later")
    assert (other.outcome, again.outcome) == (Outcome.ACCEPTED, Outcome.ACCEPTED)


def test_a_version_is_a_version() -> None:
    with pytest.raises(ValidationError, match="api_version"):
        settings("http://127.0.0.1:1", api_version="../62.0")
