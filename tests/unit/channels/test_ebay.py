from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr, ValidationError

from connectors.channels.base import Outcome
from connectors.channels.capped import USED_UP, CappedSink, OwnRevisions
from connectors.channels.ebay import EbaySettings, EbaySink
from connectors.channels.ebay_wire import Place, encode, place, read_answer
from connectors.channels.http import Answered
from connectors.channels.kind import CallLimits
from connectors.channels.reading import Unread
from domain.limits_listing import DAY
from streams.demo.shops.vendor import TOKEN_PATH, Fault
from tests.conformance.rig import Clock, update
from tests.fakes.ebay import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, FakeEbay


def settings(address: str, **more: Any) -> EbaySettings:
    return EbaySettings(
        url=address,
        token_url=address + TOKEN_PATH,
        client_id=CLIENT_ID,
        client_secret=SecretStr(CLIENT_SECRET),
        refresh_token=SecretStr(REFRESH_TOKEN),
        **more,
    )


def capped(stated: EbaySettings, clock: Clock) -> CappedSink:
    """As it is run without a store."""
    return CappedSink(EbaySink(stated, CallLimits(25)), OwnRevisions(stated.daily_revisions("a"), clock.wall))


@pytest.fixture
async def ebay() -> AsyncIterator[tuple[FakeEbay, str]]:
    fake = FakeEbay(most_revisions=5)
    server = TestServer(fake.app(), host="127.0.0.1")
    async with server:
        yield fake, str(server.make_url("/")).rstrip("/")


def answered(responses: object) -> Answered:
    return Answered(207, {}, json.dumps({"responses": responses}).encode(), None)


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        ("A", Place("A", None)),
        ("A|123", Place("A", "123")),
        ("A|B|7", Place("A|B", "7")),
        ("A|x", Place("A|x", None)),
        ("|7", Place("|7", None)),
        ("A|", Place("A|", None)),
    ],
)
def test_a_listing_names_a_sku_and_perhaps_an_offer(listing: str, expected: Place) -> None:
    assert place(listing) == expected


def test_an_offer_and_its_inventory_item_are_told_the_same_quantity() -> None:
    assert json.loads(encode([update("A|7", 1, 3), update("B", 1, 0)])) == {
        "requests": [
            {
                "sku": "A",
                "shipToLocationAvailability": {"quantity": 3},
                "offers": [{"offerId": "7", "availableQuantity": 3}],
            },
            {"sku": "B", "shipToLocationAvailability": {"quantity": 0}},
        ]
    }


def test_several_offers_of_a_sku_share_a_request_and_none_is_above_its_own_quantity() -> None:
    (request,) = json.loads(encode([update("A|7", 1, 3), update("A|8", 1, 5)]))["requests"]
    assert request["shipToLocationAvailability"] == {"quantity": 5}
    assert request["offers"] == [
        {"offerId": "7", "availableQuantity": 3},
        {"offerId": "8", "availableQuantity": 5},
    ]


@pytest.mark.parametrize(
    ("responses", "outcome", "reason"),
    [
        ([{"sku": "A", "offerId": "7", "statusCode": 200}], Outcome.ACCEPTED, None),
        ([{"sku": "A", "offerId": "7", "statusCode": 204}], Outcome.ACCEPTED, None),
        ([{"sku": "A", "statusCode": 200}], Outcome.UNKNOWN, "NOT_IN_ANSWER"),
        ([{"sku": "A", "offerId": "8", "statusCode": 200}], Outcome.UNKNOWN, "NOT_IN_ANSWER"),
        ([{"sku": "A", "offerId": "7", "statusCode": "200"}], Outcome.UNKNOWN, "NOT_IN_ANSWER"),
        ([{"sku": "A", "offerId": "7", "statusCode": True}], Outcome.UNKNOWN, "NOT_IN_ANSWER"),
        ([{"sku": "A", "offerId": "7", "statusCode": 400}], Outcome.REJECTED, "HTTP 400"),
        (
            [{"sku": "A", "offerId": "7", "statusCode": 400, "errors": [{"errorId": 1, "message": "no\nway"}]}],
            Outcome.REJECTED,
            "1 no way",
        ),
        ([{"sku": "A", "offerId": "7", "statusCode": 500, "errors": 3}], Outcome.RETRY, "HTTP 500"),
        ([{"sku": "A", "offerId": "7", "statusCode": 429}], Outcome.RETRY, "HTTP 429"),
        # The offer passed and the inventory item did not: the quantity on the listing is the lower of both.
        (
            [{"sku": "A", "offerId": "7", "statusCode": 200}, {"sku": "A", "statusCode": 400}],
            Outcome.REJECTED,
            "HTTP 400",
        ),
        ([], Outcome.UNKNOWN, "NOT_IN_ANSWER"),
        ([3, None, {"sku": 7}], Outcome.UNKNOWN, "NOT_IN_ANSWER"),
    ],
)
def test_an_update_is_what_the_answer_says_of_its_offer(
    responses: object, outcome: Outcome, reason: str | None
) -> None:
    (result,) = read_answer([update("A|7")], answered(responses))
    assert (result.outcome, result.reason) == (outcome, reason)


async def test_a_system_error_of_one_listing_is_tried_again(ebay: tuple[FakeEbay, str]) -> None:
    fake, address = ebay
    fake.system_error_once.add("A")
    sink = EbaySink(settings(address), CallLimits(25))
    await sink.open()
    first, second = await sink.send([update("A"), update("B")])
    (again,) = await sink.send([update("A")])
    await sink.close()
    assert (first.outcome, first.reason) == (Outcome.RETRY, "25001 A system error has occurred.")
    assert (second.outcome, again.outcome) == (Outcome.ACCEPTED, Outcome.ACCEPTED)


async def test_the_last_revisions_of_a_day_are_kept_for_stop_sells(ebay: tuple[FakeEbay, str]) -> None:
    fake, address = ebay
    clock = Clock()
    sink = capped(settings(address, revisions_per_day=5, kept_for_stop_sells=2), clock)
    await sink.open()
    outcomes = [(await sink.send([update("A", seq, 9)]))[0].outcome for seq in range(1, 4)]
    assert outcomes == [Outcome.ACCEPTED] * 3
    calls = fake.calls
    refused, other = await sink.send([update("A", 4, 8), update("B", 4, 8)])
    assert (refused.outcome, refused.reason, other.outcome) == (Outcome.REJECTED, USED_UP, Outcome.ACCEPTED)
    (stopped,) = await sink.send([update("A", 5, 0, priority="P0")])
    assert stopped.outcome is Outcome.ACCEPTED
    assert dict(fake.taken)["A"] == 0
    (refused,) = await sink.send([update("A", 6, 8)])
    assert refused.reason == USED_UP
    assert fake.calls == calls + 2
    clock.advance(86_400)
    fake.next_day()
    (tomorrow,) = await sink.send([update("A", 7, 8)])
    await sink.close()
    assert tomorrow.outcome is Outcome.ACCEPTED


async def test_a_call_that_did_not_arrive_is_no_revision(ebay: tuple[FakeEbay, str]) -> None:
    fake, address = ebay
    sink = capped(settings(address, revisions_per_day=2, kept_for_stop_sells=0), Clock())
    await sink.open()
    for _ in range(4):
        fake.next_faults.append(fake.throttling(3))
        (throttled,) = await sink.send([update("A", 1, 9)])
        assert (throttled.outcome, throttled.retry_after_s) == (Outcome.RETRY, 3.0)
    (result,) = await sink.send([update("A", 1, 9)])
    await sink.close()
    assert result.outcome is Outcome.ACCEPTED


async def test_a_revision_without_an_answer_counts(ebay: tuple[FakeEbay, str]) -> None:
    fake, address = ebay
    sink = capped(settings(address, revisions_per_day=2, kept_for_stop_sells=0), Clock())
    await sink.open()
    for _ in range(2):
        fake.next_faults.append(Fault(taken=True, closed=True))
        assert [one.outcome for one in await sink.send([update("A")])] == [Outcome.UNKNOWN]
    assert [one.reason for one in await sink.send([update("A")])] == [USED_UP]
    await sink.close()
    assert fake.revisions["A"] == 2


def test_a_day_of_ebay_begins_when_the_settings_say() -> None:
    revisions = settings("http://127.0.0.1:1", day_starts_h=7.5).daily_revisions("a")
    revisions.turn(3 * DAY)
    assert revisions.ends() == 3 * DAY + DAY * 75 // 240


async def test_the_refusal_of_ebay_itself_is_a_rejection(ebay: tuple[FakeEbay, str]) -> None:
    fake, address = ebay
    fake.revisions["A"] = 5
    sink = EbaySink(settings(address), CallLimits(25))
    await sink.open()
    (result,) = await sink.send([update("A", 1, 9)])
    await sink.close()
    assert result.outcome is Outcome.REJECTED
    assert result.reason is not None
    assert result.reason.startswith("25002")


def test_keeping_every_revision_for_stop_sells_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="below revisions_per_day"):
        settings("http://127.0.0.1:1", revisions_per_day=10, kept_for_stop_sells=10)


async def test_items_are_read_together_and_an_offer_by_itself(ebay: tuple[FakeEbay, str]) -> None:
    fake, address = ebay
    sink = EbaySink(settings(address), CallLimits(25))
    await sink.open()
    await sink.send([update("A", 1, 3), update("B", 1, 0), update("C|77", 1, 6)])
    revised = dict(fake.revisions)
    assert await sink.shown(["B", "C|77", "X", "A"]) == {"A": 3, "B": 0, "X": None}
    assert await sink.shown(["C|77", "A"]) == {"C|77": 6}
    assert await sink.shown(["D|77"]) == {"D|77": None}
    await sink.close()
    assert (fake.revisions, fake.malformed) == (revised, [])


async def test_an_offer_that_is_not_there_was_not_read(ebay: tuple[FakeEbay, str]) -> None:
    _, address = ebay
    sink = EbaySink(settings(address), CallLimits(25))
    await sink.open()
    assert await sink.shown(["C|78"]) == Unread("HTTP 404")
    await sink.close()
