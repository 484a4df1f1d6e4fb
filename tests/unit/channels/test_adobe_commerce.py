from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr, ValidationError

from connectors.channels.adobe_commerce import AdobeCommerceSettings, AdobeCommerceSink
from connectors.channels.adobe_commerce_bulks import PAUSE_S
from connectors.channels.base import ChannelUnusable, Outcome, Result, Update
from connectors.channels.bulk import BulkRoute
from connectors.channels.kind import CallLimits
from streams.demo.shops.vendor import Fault
from tests.conformance.rig import Clock, update
from tests.fakes.adobe_commerce import BASE, FakeAdobeCommerce

TOKEN = SecretStr("integration-token")


def settings(address: str, **more: Any) -> AdobeCommerceSettings:
    return AdobeCommerceSettings(url=address, access_token=TOKEN, **more)


class Shop:
    """A shop, bulks from three waiting listings on, at most two open, and a clock that moves when told."""

    def __init__(self, fake: FakeAdobeCommerce, address: str) -> None:
        self.fake = fake
        self.address = address
        self.clock = Clock()
        own = settings(address, bulk_worth=3, bulk_requests=4, bulks_open=2)
        self.sink = AdobeCommerceSink(own, CallLimits(20, longest_retry_after_s=900.0), self.clock.monotonic)
        assert self.sink.bulk is not None
        self.route: BulkRoute = self.sink.bulk

    async def go_on(self, seconds: int) -> dict[str, tuple[Outcome, str | None]]:
        """What the route answers within this time."""
        results: list[Result] = []
        for _ in range(seconds):
            results += await self.route.go_on()
            self.clock.advance(1.0)
        assert len({one.listing for one in results}) == len(results)
        return {one.listing: (one.outcome, one.reason) for one in results}


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    fake = FakeAdobeCommerce(TOKEN.get_secret_value())
    server = TestServer(fake.app(), host="127.0.0.1")
    async with server:
        found = Shop(fake, str(server.make_url(BASE)))
        await found.sink.open()
        yield found
        await found.sink.close()
    assert fake.malformed == []


def three() -> list[Update]:
    return [update(listing, 1, quantity) for quantity, listing in enumerate("ABC")]


def each(outcome: Outcome, reason: str | None = None, listings: Sequence[str] = "ABC") -> object:
    return dict.fromkeys(listings, (outcome, reason))


async def test_a_call_is_carried_out_at_once_and_refused_as_a_whole(shop: Shop) -> None:
    results = await shop.sink.send(three())
    assert {one.outcome for one in results} == {Outcome.ACCEPTED}
    shop.fake.refused.add("B")
    assert {one.outcome for one in await shop.sink.send(three())} == {Outcome.SPLIT}
    (alone,) = await shop.sink.send([update("B")])
    assert alone.outcome is Outcome.REJECTED
    assert alone.reason is not None
    assert "Product with SKU B does not exist" in alone.reason
    assert len(shop.fake.taken) == 3


async def test_a_bulk_is_looked_at_until_its_operations_are_through(shop: Shop) -> None:
    shop.fake.held = True
    shop.route.submit(three())
    assert await shop.go_on(12) == {}
    assert shop.fake.status_calls == 2
    shop.fake.work()
    assert await shop.go_on(6) == each(Outcome.ACCEPTED)
    assert shop.fake.taken == [("A", 0), ("B", 1), ("C", 2)]
    assert await shop.go_on(30) == {}


async def test_there_is_room_when_it_is_worth_it_and_the_queue_moves(shop: Shop) -> None:
    shop.fake.held = True
    assert (shop.route.room(2), shop.route.room(3)) == (0, 4)
    shop.route.submit(three())
    assert shop.route.room(9) == 4
    shop.route.submit([update("D")])
    assert shop.route.room(9) == 0
    await shop.go_on(3)
    shop.fake.work()
    assert await shop.go_on(6) == each(Outcome.ACCEPTED, None, "ABCD")
    assert shop.route.room(9) == 4


async def test_without_a_worth_there_are_no_bulks() -> None:
    assert AdobeCommerceSink(settings("http://127.0.0.1:1/rest/default", bulk_worth=0)).bulk is None


async def test_each_operation_has_its_own_outcome_and_is_answered_as_soon_as_it_is_through(shop: Shop) -> None:
    shop.fake.refused.add("B")
    shop.fake.failing_once.add("C")
    shop.fake.refused_at_once.add("D")
    shop.route.submit([*three(), update("D")])
    assert await shop.go_on(1) == each(Outcome.REJECTED, "Invalid data", "D")
    assert await shop.go_on(6) == {
        "A": (Outcome.ACCEPTED, None),
        "B": (Outcome.REJECTED, "Product with SKU B does not exist"),
        "C": (Outcome.RETRY, "Lock wait timeout exceeded"),
    }


async def test_a_bulk_that_was_not_submitted_is_given_back_for_an_urgent_value(shop: Shop) -> None:
    shop.route.submit(three())
    shop.route.hurry("B")
    assert await shop.go_on(1) == each(Outcome.RETRY, "BULK_WITHDRAWN")
    assert shop.fake.bulks == {}


async def test_an_urgent_value_makes_a_bulk_be_looked_at_sooner(shop: Shop) -> None:
    shop.fake.held = True
    shop.route.submit(three())
    await shop.go_on(1)
    shop.route.hurry("B")
    await shop.go_on(4)
    assert shop.fake.status_calls >= 3


async def test_what_went_to_another_process_is_not_submitted_any_more(shop: Shop) -> None:
    shop.route.submit(three())
    shop.route.given_up()
    assert await shop.go_on(1) == each(Outcome.RETRY, "BULK_WITHDRAWN")
    assert shop.fake.calls == 0


@pytest.mark.parametrize("fault", [Fault(503), Fault(400), Fault(429, {"Retry-After": "600"})])
async def test_a_bulk_that_is_refused_is_given_back_and_none_is_tried_for_a_while(
    shop: Shop, fault: Fault
) -> None:
    shop.fake.next_faults.append(fault)
    shop.route.submit(three())
    assert await shop.go_on(1) == each(Outcome.RETRY, f"HTTP {fault.status}")
    assert shop.route.room(9) == 0
    shop.clock.advance(PAUSE_S)
    assert shop.route.room(9) == (0 if fault.headers else 4)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(closed=True, taken=True),
        Fault(200, body="{}", taken=True),
        Fault(504, taken=True),
        Fault(503, {"X-Varnish": "7"}, taken=True),
    ],
)
async def test_a_bulk_without_a_readable_answer_waits_until_nothing_is_open(shop: Shop, fault: Fault) -> None:
    shop.fake.held = True
    shop.fake.next_faults.append(fault)
    shop.route.submit(three())
    assert await shop.go_on(12) == {}
    assert shop.fake.searches == 2
    shop.fake.work()
    assert await shop.go_on(6) == each(Outcome.UNKNOWN, "BULK_LOST")


async def test_a_status_that_cannot_be_had_is_asked_for_again(shop: Shop) -> None:
    shop.route.submit(three())
    await shop.go_on(1)
    shop.fake.next_faults += [Fault(500), Fault(200, body="{}"), Fault(200, body="[]"), Fault(429)]
    assert await shop.go_on(19) == {}
    assert await shop.go_on(6) == each(Outcome.ACCEPTED)


async def test_a_bulk_that_the_shop_has_forgotten_is_unknown(shop: Shop) -> None:
    shop.route.submit(three())
    await shop.go_on(1)
    shop.fake.forgotten = True
    assert await shop.go_on(6) == each(Outcome.UNKNOWN, "BULK_GONE")


async def test_a_bulk_without_end_is_unknown_after_a_bounded_time(shop: Shop) -> None:
    shop.fake.held = True
    shop.route.submit(three())
    await shop.go_on(2)
    shop.clock.advance(1_800.0)
    assert await shop.go_on(1) == each(Outcome.UNKNOWN, "BULK_ENDLESS")
    assert shop.route.room(9) == 0


async def test_an_operation_that_cannot_be_recognised_is_unknown_when_the_bulk_is_through(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.fake, "_shown", _without_data)
    shop.fake.held = True
    shop.route.submit(three())
    assert await shop.go_on(12) == {}
    shop.fake.work()
    assert await shop.go_on(6) == each(Outcome.UNKNOWN, "NOT_IN_ANSWER")


def _without_data(uuid: str, operation: dict[str, Any]) -> dict[str, Any]:
    texts = dict.fromkeys(("topic_name", "serialized_data", "result_serialized_data", "result_message"), "")
    return {"id": operation["id"], "bulk_uuid": uuid, "status": operation["status"], "error_code": 0, **texts}


async def test_after_a_takeover_nothing_is_sent_while_an_operation_of_before_is_open(shop: Shop) -> None:
    shop.fake.held = True
    shop.route.submit(three())
    await shop.go_on(1)
    successor = AdobeCommerceSink(settings(shop.address), CallLimits(20), monotonic=shop.clock.monotonic)
    await successor.open()
    route = successor.bulk
    assert route is not None
    route.taken_over()
    assert await route.go_on() == ()
    assert (route.hold_s() > 0, route.room(1_000_000)) == (True, 0)
    shop.fake.work()
    shop.clock.advance(5.0)
    await route.go_on()
    assert (route.hold_s(), route.room(1_000_000) > 0) == (0.0, True)
    await successor.close()


async def test_a_takeover_is_held_up_for_a_bounded_time_only(shop: Shop) -> None:
    shop.fake.next_faults += [Fault(500)] * 1_000
    shop.route.taken_over()
    await shop.go_on(30)
    assert shop.route.hold_s() > 0
    shop.clock.advance(1_800.0)
    await shop.go_on(1)
    assert shop.route.hold_s() == 0.0


def test_a_bulk_whose_status_could_not_be_read_is_a_mistake() -> None:
    with pytest.raises(ChannelUnusable, match="max_answer_bytes"):
        AdobeCommerceSink(settings("http://127.0.0.1:1/", bulk_requests=5_000), CallLimits(20))
    with pytest.raises(ValidationError, match="access_token"):
        AdobeCommerceSettings(url="http://127.0.0.1:1/")
