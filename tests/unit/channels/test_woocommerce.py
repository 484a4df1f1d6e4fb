"""Routes of products and variations, errors inside HTTP 200, and shops that answer yes and do nothing."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from connectors.channels.base import ChannelUnusable, Outcome
from connectors.channels.kind import CallLimits
from connectors.channels.woocommerce import WooCommerceSettings, WooCommerceSink
from connectors.channels.woocommerce_wire import Target, target
from streams.demo.shops.vendor import Fault
from tests.conformance.rig import Clock, Journal, Lifetime, update
from tests.fakes.woocommerce import FakeWooCommerce

KEY, SECRET = SecretStr("ck_0123456789abcdef"), SecretStr("cs_fedcba9876543210")
BASIC = b64encode(f"{KEY.get_secret_value()}:{SECRET.get_secret_value()}".encode()).decode("ascii")
Opened = Callable[..., AbstractAsyncContextManager[WooCommerceSink]]


@pytest.fixture
def shop() -> FakeWooCommerce:
    return FakeWooCommerce({BASIC})


@pytest.fixture
async def opened(shop: FakeWooCommerce) -> AsyncIterator[Opened]:
    async with TestServer(shop.app(), host="127.0.0.1") as server:

        @asynccontextmanager
        async def open_one(calls: CallLimits | None = None) -> AsyncIterator[WooCommerceSink]:
            url = str(server.make_url("/"))
            settings = WooCommerceSettings(shop_url=url, consumer_key=KEY, consumer_secret=SECRET)
            sink = WooCommerceSink(settings, calls or CallLimits(100))
            await sink.open()
            try:
                yield sink
            finally:
                await sink.close()

        yield open_one


@pytest.mark.parametrize(
    ("listing", "named"),
    [
        ("123", Target(123, None)),
        ("123/456", Target(123, 456)),
        *(
            (wrong, None)
            for wrong in ("", "/", "0", "007", "123/", "/456", "1/2/3", "-1", "1.5", "SKU", "٣", "9" * 30)
        ),
    ],
)
def test_a_listing_is_a_product_or_a_variation_of_one(listing: str, named: Target | None) -> None:
    assert target(listing) == named


async def test_an_attempt_goes_the_way_of_its_most_urgent_listing_and_hands_the_others_back(
    shop: FakeWooCommerce, opened: Opened
) -> None:
    batch = [update(listing) for listing in ("7/71", "8", "7/72", "9/91", "7/73", "nonsense")]
    async with opened() as sink:
        results = await sink.send(batch)
    accepted, later = Outcome.ACCEPTED, Outcome.LATER
    assert [one.outcome for one in results] == [accepted, later, accepted, later, accepted, Outcome.REJECTED]
    ((path, objects),) = shop.requests
    assert path == "/wp-json/wc/v3/products/7/variations/batch"
    assert objects == [{"id": number, "manage_stock": True, "stock_quantity": 5} for number in (71, 72, 73)]


async def test_products_and_variations_of_many_products_all_arrive_in_one_call_for_each_route(
    shop: FakeWooCommerce, opened: Opened
) -> None:
    variations = [f"{product}/{product}{number}" for number in range(1, 5) for product in range(1, 11)]
    products = [str(1000 + number) for number in range(30)]
    async with opened() as sink:
        life = Lifetime(sink, Journal(), Clock())
        life.arrive(*(update(listing, 1, 3) for listing in [*variations, *products]))
        await life.deliver()
    assert dict(shop.taken) == dict.fromkeys([*variations, *products], 3)
    assert shop.calls == 11


async def test_a_stop_sell_of_a_variation_goes_before_products_that_wait_longer(
    shop: FakeWooCommerce, opened: Opened
) -> None:
    async with opened() as sink:
        life = Lifetime(sink, Journal(), Clock())
        life.arrive(*(update(str(number), 1, 5, priority="P3") for number in range(1, 20)))
        life.arrive(update("7/71", 1, 0, priority="P0"))
        await life.deliver()
    assert shop.taken[0] == ("7/71", 0)


async def test_a_product_that_does_not_exist_is_rejected_and_the_others_pass(
    shop: FakeWooCommerce, opened: Opened
) -> None:
    shop.refused.add("2")
    async with opened() as sink:
        one, two = await sink.send([update("1"), update("2")])
    assert one.outcome is Outcome.ACCEPTED
    assert (two.outcome, two.reason) == (Outcome.REJECTED, "woocommerce_rest_product_invalid_id: Invalid ID.")


async def test_a_shop_that_does_not_manage_stock_has_accepted_nothing(
    shop: FakeWooCommerce, opened: Opened
) -> None:
    shop.manages_stock = False
    async with opened() as sink:
        (result,) = await sink.send([update("1")])
    assert (result.outcome, result.reason) == (Outcome.REJECTED, "STOCK_NOT_TAKEN: it shows None")


async def test_a_key_that_may_not_write_is_an_outage_and_rejects_nothing(
    shop: FakeWooCommerce, opened: Opened
) -> None:
    shop.read_only = True
    async with opened() as sink:
        (result,) = await sink.send([update("1")])
    assert result.outcome is Outcome.RETRY


async def test_a_product_over_which_the_shop_breaks_is_given_up_and_the_others_pass(
    shop: FakeWooCommerce, opened: Opened
) -> None:
    shop.breaking.add("7")
    async with opened() as sink:
        life = Lifetime(sink, Journal(), Clock())
        life.arrive(update("7", 1, 0, priority="P0"), *(update(str(number)) for number in range(10, 30)))
        await life.deliver(200)
    outcomes = {listing: outcome for listing, _, outcome in life.journal.outcomes()}
    assert outcomes.pop("7") == "REJECTED"
    assert set(outcomes.values()) == {"ACCEPTED"}


async def test_a_shop_with_a_lower_limit_gets_smaller_batches(shop: FakeWooCommerce, opened: Opened) -> None:
    shop.limit = 10
    async with opened() as sink:
        life = Lifetime(sink, Journal(), Clock())
        life.arrive(*(update(str(number)) for number in range(1, 61)))
        await life.deliver()
    assert len(shop.taken) == 60


async def test_maintenance_is_waited_for_as_long_as_the_shop_says(shop: FakeWooCommerce, opened: Opened) -> None:
    shop.next_faults.append(Fault(503, {"Retry-After": "120"}, "<h1>Briefly unavailable</h1>"))
    async with opened() as sink:
        (result,) = await sink.send([update("1")])
    assert (result.outcome, result.retry_after_s) == (Outcome.RETRY, 120.0)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"update": [{"id": 2, "stock_quantity": 5}]}', "NOT_IN_ANSWER"),
        ('{"update": [{"id": "1", "stock_quantity": 5}, 7]}', "NOT_IN_ANSWER"),
        ('{"update": [{"id": 1}]}', "ANSWER_UNREADABLE"),
        ('<br />Warning: in plugin.php on line 7 {"update": []}', "ANSWER_UNREADABLE"),
    ],
)
async def test_an_answer_that_leaves_a_listing_out_leaves_it_unknown(
    shop: FakeWooCommerce, opened: Opened, body: str, reason: str
) -> None:
    shop.next_faults.append(Fault(200, body=body))
    async with opened() as sink:
        (result,) = await sink.send([update("1")])
    assert (result.outcome, result.reason) == (Outcome.UNKNOWN, reason)


@pytest.mark.parametrize("url", ["http://shop.example", "http://shop.example:8443/store"])
def test_a_key_never_travels_in_the_clear(url: str) -> None:
    settings = WooCommerceSettings(shop_url=url, consumer_key=KEY, consumer_secret=SECRET)
    with pytest.raises(ChannelUnusable, match="https"):
        WooCommerceSink(settings, CallLimits())


async def test_a_shop_in_a_directory_keeps_its_directory(shop: FakeWooCommerce, opened: Opened) -> None:
    settings = WooCommerceSettings(
        shop_url="https://shop.example/store/", consumer_key=KEY, consumer_secret=SECRET
    )
    assert WooCommerceSink(settings, CallLimits())._url == "https://shop.example/store"
