"""What BigCommerce is sent, how its quota is kept, and what its refusals become."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr, ValidationError

from connectors.channels.base import Outcome
from connectors.channels.bigcommerce import BigCommerceSettings, BigCommerceSink
from connectors.channels.bigcommerce_wire import MAX_ITEMS, MAX_QUANTITY
from connectors.channels.kind import CallLimits
from streams.demo.shops.vendor import Fault
from tests.conformance.rig import Clock, Journal, Lifetime, update
from tests.fakes.bigcommerce import FakeBigCommerce

TOKEN = "s3cret-store-token"
Opened = Callable[..., AbstractAsyncContextManager[BigCommerceSink]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> FakeBigCommerce:
    return FakeBigCommerce({TOKEN}, quota=3, clock=clock.monotonic)


@pytest.fixture
async def opened(store: FakeBigCommerce, clock: Clock) -> AsyncIterator[Opened]:
    async with TestServer(store.app(), host="127.0.0.1") as server:

        @asynccontextmanager
        async def open_one(calls: CallLimits | None = None, **own: object) -> AsyncIterator[BigCommerceSink]:
            settings = BigCommerceSettings(
                api_url=str(server.make_url("/")), store_hash="abc123", access_token=SecretStr(TOKEN), **own
            )
            sink = BigCommerceSink(settings, calls or CallLimits(MAX_ITEMS), monotonic=clock.monotonic)
            await sink.open()
            try:
                yield sink
            finally:
                await sink.close()

        yield open_one


async def test_two_thousand_listings_go_in_one_adjustment(store: FakeBigCommerce, opened: Opened) -> None:
    async with opened(CallLimits(max_updates=5_000)) as sink:
        assert sink.limits.max_updates == MAX_ITEMS
        results = await sink.send([update(f"S-{number}", 1, number) for number in range(MAX_ITEMS)])
    assert {one.outcome for one in results} == {Outcome.ACCEPTED}
    assert store.calls == 1
    assert len(store.taken) == MAX_ITEMS


async def test_one_bad_listing_of_many_is_found_and_the_others_pass(
    store: FakeBigCommerce, opened: Opened, clock: Clock
) -> None:
    store.quota = 100
    store.refused.add("S-41")
    async with opened(CallLimits(max_updates=64)) as sink:
        life = Lifetime(sink, Journal(), clock)
        life.arrive(*(update(f"S-{number}", 1, number) for number in range(64)))
        await life.deliver(60)
    outcomes = {listing: outcome for listing, _, outcome in life.journal.outcomes()}
    assert outcomes.pop("S-41") == "REJECTED"
    assert set(outcomes.values()) == {"ACCEPTED"}
    (refused,) = (one for one in life.journal.acknowledgements if one.listing == "S-41")
    assert refused.reason is not None
    assert "S-41 is tracked by product" in refused.reason


async def test_after_the_last_call_of_the_quota_none_is_made_before_the_window_ends(
    store: FakeBigCommerce, opened: Opened, clock: Clock
) -> None:
    async with opened() as sink:
        for number in range(3):
            clock.advance(1)
            await sink.send([update(f"S-{number}")])
        clock.advance(7)
        (held,) = await sink.send([update("S-9")])
        assert (held.outcome, held.reason) == (Outcome.RETRY, "QUOTA_SPENT")
        assert held.retry_after_s == pytest.approx(20.0)
        assert store.calls == 3
        clock.advance(20)
        (passed,) = await sink.send([update("S-9")])
    assert passed.outcome is Outcome.ACCEPTED
    assert store.above_quota == 0


async def test_the_time_until_the_quota_returns_is_the_wait_after_a_429(
    store: FakeBigCommerce, opened: Opened, clock: Clock
) -> None:
    # Another app of the store spent what was left: the quota is shared.
    store._spent = 3
    clock.advance(4)
    async with opened() as sink:
        (throttled,) = await sink.send([update("S-1")])
    assert throttled.outcome is Outcome.RETRY
    assert throttled.retry_after_s == pytest.approx(26.0)


async def test_a_wait_without_end_is_bounded_and_one_that_is_no_number_is_none(
    store: FakeBigCommerce, opened: Opened
) -> None:
    store.next_faults += [
        Fault(429, {"X-Rate-Limit-Time-Reset-Ms": "9" * 400}),
        Fault(429, {"X-Rate-Limit-Time-Reset-Ms": "soon"}),
    ]
    async with opened() as sink:
        (first,), (second,) = await sink.send([update("S-1")]), await sink.send([update("S-1")])
    assert (first.retry_after_s, second.retry_after_s) == (300.0, None)


async def test_a_quantity_that_no_store_takes_is_refused_without_a_call_and_the_others_pass(
    store: FakeBigCommerce, opened: Opened
) -> None:
    async with opened() as sink:
        most, more = await sink.send(
            [update("S-1", quantity=MAX_QUANTITY), update("S-2", quantity=MAX_QUANTITY + 1)]
        )
        (alone,) = await sink.send([update("S-2", quantity=MAX_QUANTITY + 1)])
    assert most.outcome is Outcome.ACCEPTED
    assert more.outcome is alone.outcome is Outcome.REJECTED
    assert more.reason is not None
    assert more.reason.startswith("QUANTITY_TOO_HIGH")
    assert store.calls == 1


@pytest.mark.parametrize("identity", ["variant_id", "product_id"])
async def test_a_listing_is_a_number_where_the_store_wants_one(
    store: FakeBigCommerce, opened: Opened, identity: str
) -> None:
    async with opened(identified_by=identity, location_id=1) as sink:
        results = await sink.send([update(listing) for listing in ("78", "078", "0", "S-1", "٣", "9" * 30)])
    assert [one.outcome is Outcome.ACCEPTED for one in results] == [True, False, False, False, False, False]
    (body,) = store.bodies
    assert body["items"] == [{"location_id": 1, identity: 78, "quantity": 5}]
    assert body["reason"] == "available-to-sell"


async def test_a_location_that_does_not_exist_is_told_by_name(store: FakeBigCommerce, opened: Opened) -> None:
    async with opened(location_id=7) as sink:
        (result,) = await sink.send([update("S-1")])
    assert result.outcome is Outcome.REJECTED
    assert result.reason == "HTTP 422: [Location 7 does not exist]"


@pytest.mark.parametrize("status", [401, 403, 404, 503])
async def test_what_no_listing_can_cause_is_tried_again(
    store: FakeBigCommerce, opened: Opened, status: int
) -> None:
    store.next_faults.append(Fault(status))
    async with opened() as sink:
        (result,) = await sink.send([update("S-1")])
    assert result.outcome is Outcome.RETRY


@pytest.mark.parametrize("wrong", [{"store_hash": "../v2"}, {"location_id": 0}, {"identified_by": "upc"}])
def test_settings_that_make_no_address_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BigCommerceSettings(**{"store_hash": "abc123", "access_token": SecretStr(TOKEN)} | wrong)


def test_exactly_one_token_is_needed() -> None:
    with pytest.raises(ValidationError, match="either access_token or access_token_file"):
        BigCommerceSettings(store_hash="abc123")
