from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import ClassVar

import pytest
from aiohttp.test_utils import TestServer
from graphql import parse, validate
from pydantic import SecretStr, ValidationError

from connectors.channels.base import ChannelSink, Outcome, Update
from connectors.channels.kind import CallLimits
from connectors.channels.shopify import ROUNDS, ShopifySettings, ShopifySink
from connectors.channels.shopify_wire import MOST_QUANTITIES, READ_QUANTITIES, SET_QUANTITIES
from streams.demo.shops.shopify import LOCATION, FakeShopify, schema
from streams.demo.shops.vendor import Fault
from tests.conformance import rig
from tests.conformance.bench import Ability, VendorBench
from tests.conformance.rig import Clock, Journal, Lifetime
from tests.conformance.suite import SinkConformance

SECRET = "shpss_client-secret"
SOLD = (1_001, 1_002, 1_003)
FULL_REQUEST_BYTES = 6_150
"""Of 40 quantities whose items have numbers of four digits, and not of those with twenty."""


class ShopifyBench(VendorBench):
    vendor: FakeShopify
    not_applicable: ClassVar[Mapping[Ability, str]] = {
        Ability.READ_BACK: "it compares before it sets: a late call finds another quantity than it was to replace"
    }

    def __init__(self, vendor: FakeShopify, server: TestServer, clock: Clock) -> None:
        super().__init__(vendor, server)
        self.clock = clock
        self.keys = iter(f"new-key-{number}" for number in range(1_000))

    def listing(self, number: int) -> str:
        return f"gid://shopify/InventoryItem/{4_000 + number}"

    def refuse(self, listing: str) -> None:
        self.vendor.refused.add(listing)

    def secrets(self) -> list[str]:
        return [SECRET, "issued-token-"]

    def oversized(self, sink: ChannelSink) -> list[Update]:
        listings = (f"gid://shopify/InventoryItem/{number:020}" for number in range(1, 41))
        return [self.update(1)._replace(listing=listing) for listing in listings]

    def settings(self) -> ShopifySettings:
        return ShopifySettings(
            url=self.address(), location_id="71", client_id="atstream", client_secret=SecretStr(SECRET)
        )

    @asynccontextmanager
    async def sink(self) -> AsyncIterator[ChannelSink]:
        calls = CallLimits(40, FULL_REQUEST_BYTES, 20_000, 1.0, self.answer_within_s)
        sink = ShopifySink(
            "web", self.settings(), calls, monotonic=self.clock.monotonic, new_key=lambda: next(self.keys)
        )
        await sink.open()
        try:
            yield sink
        finally:
            await sink.close()


@pytest.fixture
async def bench() -> AsyncIterator[ShopifyBench]:
    clock = Clock()
    vendor = FakeShopify(client_secrets={SECRET}, clock=clock.monotonic)
    async with TestServer(vendor.app(), host="127.0.0.1") as server:
        yield ShopifyBench(vendor, server, clock)
        vendor.release()
    assert vendor.malformed == []


@pytest.mark.parametrize("document", [SET_QUANTITIES, READ_QUANTITIES])
def test_what_is_asked_is_valid_by_shopifys_own_schema(document: str) -> None:
    assert validate(schema(), parse(document)) == []


class TestShopifySink(SinkConformance):
    async def test_a_request_carries_250_quantities_and_one_more_takes_another(self, bench: ShopifyBench) -> None:
        calls = CallLimits(MOST_QUANTITIES, 1_000_000, 1_000_000, 1.0, 5.0)
        sink = ShopifySink("web", bench.settings(), calls, monotonic=bench.clock.monotonic)
        await sink.open()
        life = Lifetime(sink, Journal(), bench.clock)
        life.arrive(*(bench.update(number, 1, number) for number in range(1, 252)))
        await life.deliver()
        await sink.close()
        assert len(bench.shown()) == 251
        assert bench.vendor.mutations == 2

    async def test_a_value_is_compared_before_it_is_set(self, bench: ShopifyBench) -> None:
        bench.vendor.available[bench.listing(1)] = 9
        async with bench.sink() as sink:
            (result,) = await sink.send([bench.update(1, 2, 4)._replace(expected_previous=9)])
        assert result[2:] == (Outcome.ACCEPTED, None, None, 9)
        assert (bench.vendor.mutations, bench.vendor.queries) == (1, 0)

    async def test_a_value_that_drifted_is_read_and_adopted_and_the_others_pass(self, bench: ShopifyBench) -> None:
        bench.vendor.available |= {bench.listing(1): 7, bench.listing(2): 3}
        batch = [
            bench.update(1, 2, 4)._replace(expected_previous=9),
            bench.update(2, 2, 0, priority="P0")._replace(expected_previous=3),
        ]
        async with bench.sink() as sink:
            results = await sink.send(batch)
        assert [one.outcome for one in results] == [Outcome.ACCEPTED, Outcome.ACCEPTED]
        assert [one.reason for one in results] == ["DRIFT: it showed 7, we believed 9", None]
        assert [one.previous for one in results] == [7, 3]
        assert bench.shown() == {bench.listing(1): 4, bench.listing(2): 0}
        assert (bench.vendor.mutations, bench.vendor.queries) == (2, 1)

    async def test_what_the_shop_shows_already_is_accepted_without_being_set(self, bench: ShopifyBench) -> None:
        bench.vendor.available[bench.listing(1)] = 4
        async with bench.sink() as sink:
            (result,) = await sink.send([bench.update(1, 2, 4)._replace(expected_previous=9)])
        assert (result.outcome, result.reason) == (Outcome.ACCEPTED, "DRIFT: it showed 4 already")
        assert bench.taken() == []

    async def test_a_value_that_keeps_changing_is_left_for_a_later_attempt(self, bench: ShopifyBench) -> None:
        listing = bench.listing(1)
        bench.vendor.sales = [{listing: 20 - sold} for sold in range(ROUNDS + 1)]
        async with bench.sink() as sink:
            (result,) = await sink.send([bench.update(1, 2, 4)._replace(expected_previous=99)])
            assert result.outcome is Outcome.RETRY
            assert bench.vendor.mutations == ROUNDS
            bench.vendor.sales.clear()
            (result,) = await sink.send([bench.update(1, 2, 4)._replace(expected_previous=99)])
        assert result.outcome is Outcome.ACCEPTED

    async def test_an_item_that_is_gone_is_rejected_and_the_others_pass(self, bench: ShopifyBench) -> None:
        bench.vendor.gone.add(bench.listing(2))
        async with bench.sink() as sink:
            results = await sink.send([bench.update(number) for number in (1, 2, 3)])
        assert [one.outcome.value for one in results] == ["ACCEPTED", "REJECTED", "ACCEPTED"]
        assert results[1].reason == "INVALID_INVENTORY_ITEM: refused: invalid_inventory_item"

    async def test_a_listing_that_is_no_inventory_item_is_rejected_without_a_call(
        self, bench: ShopifyBench
    ) -> None:
        async with bench.sink() as sink:
            (result,) = await sink.send([bench.update(1)._replace(listing="SKU-1")])
        assert result.outcome is Outcome.REJECTED
        assert bench.vendor.calls == 0

    async def test_a_wrong_location_is_a_matter_of_configuration_and_rejects_nothing(
        self, bench: ShopifyBench
    ) -> None:
        settings = bench.settings().model_copy(update={"location_id": "gid://shopify/Location/404"})
        sink = ShopifySink("web", settings, CallLimits())
        await sink.open()
        results = await sink.send([bench.update(1), bench.update(2)])
        await sink.close()
        assert [one.outcome for one in results] == [Outcome.RETRY, Outcome.RETRY]
        assert settings.location_id != LOCATION

    # -- idempotency

    async def test_the_same_attempt_has_the_same_key_also_after_a_restart_and_is_done_once(
        self, bench: ShopifyBench
    ) -> None:
        bench.vendor.available[bench.listing(1)] = 9
        update = bench.update(1, 2, 4)._replace(expected_previous=9)
        bench.vendor.next_faults.append(Fault(taken=True, closed=True))
        for expected in (Outcome.UNKNOWN, Outcome.ACCEPTED):
            async with bench.sink() as sink:
                (result,) = await sink.send([update])
                assert result.outcome is expected
        assert bench.taken() == [(bench.listing(1), 4)]
        assert (len(bench.vendor.keys), bench.vendor.stale) == (1, 0)

    async def test_another_attempt_has_another_key(self, bench: ShopifyBench) -> None:
        async with bench.sink() as sink:
            for publish_seq in (1, 2):
                await sink.send([bench.update(1, publish_seq, 4)])
        assert len(bench.vendor.keys) == 2

    async def test_a_new_key_is_used_after_an_attempt_with_the_same_key_failed(self, bench: ShopifyBench) -> None:
        bench.refuse(bench.listing(1))
        async with bench.sink() as sink:
            (refused,) = await sink.send([bench.update(1)])
            bench.vendor.refused.clear()
            (accepted,) = await sink.send([bench.update(1)])
        assert (refused.outcome, accepted.outcome) == (Outcome.REJECTED, Outcome.ACCEPTED)
        assert "new-key-0" in bench.vendor.keys
        assert bench.vendor.mutations == 3

    # -- the cost bucket

    async def test_nothing_is_asked_while_the_bucket_is_known_to_be_too_empty(self, bench: ShopifyBench) -> None:
        bench.vendor.maximum, bench.vendor.restore_per_s = 15.0, 2.0
        async with bench.sink() as sink:
            (first,) = await sink.send([bench.update(1)])
            (second,) = await sink.send([bench.update(2)])
            assert (first.outcome, second.outcome) == (Outcome.ACCEPTED, Outcome.RETRY)
            assert second.reason == "COST_BUCKET"
            assert second.retry_after_s == pytest.approx(2.5)
            bench.clock.advance(2.5)
            (third,) = await sink.send([bench.update(2)])
        assert third.outcome is Outcome.ACCEPTED
        assert (bench.vendor.mutations, bench.vendor.throttled) == (2, [])

    async def test_a_bucket_that_others_emptied_is_waited_for_as_long_as_the_shop_tells(
        self, bench: ShopifyBench
    ) -> None:
        bench.vendor.maximum, bench.vendor.restore_per_s = 100.0, 2.0
        async with bench.sink() as sink:
            await sink.send([bench.update(1)])
            bench.vendor.spend(90.0)
            (result,) = await sink.send([bench.update(2)])
            assert (result.outcome, result.reason) == (Outcome.RETRY, "THROTTLED")
            assert result.retry_after_s == pytest.approx(5.0)
            bench.clock.advance(5.0)
            (result,) = await sink.send([bench.update(2)])
        assert result.outcome is Outcome.ACCEPTED
        assert len(bench.vendor.throttled) == 1

    async def test_more_drifted_items_than_the_bucket_lets_us_read_at_once_are_adopted_in_turns(
        self, bench: ShopifyBench
    ) -> None:
        bench.vendor.maximum, bench.vendor.restore_per_s = 50.0, 10.0
        bench.vendor.available |= {bench.listing(number): 7 for number in range(1, 41)}
        async with bench.sink() as sink:
            life = Lifetime(sink, Journal(), bench.clock)
            life.arrive(*(bench.update(number, 1, 4)._replace(expected_previous=9) for number in range(1, 41)))
            await life.deliver()
        assert bench.shown() == {bench.listing(number): 4 for number in range(1, 41)}

    @pytest.mark.parametrize(
        ("code", "outcome"),
        [
            ("ACCESS_DENIED", Outcome.RETRY),
            ("SHOP_INACTIVE", Outcome.RETRY),
            ("INTERNAL_SERVER_ERROR", Outcome.UNKNOWN),
            ("MAX_COST_EXCEEDED", Outcome.SPLIT),
        ],
    )
    async def test_an_error_of_the_whole_request_rejects_nothing(
        self, bench: ShopifyBench, code: str, outcome: Outcome
    ) -> None:
        body = f'{{"errors": [{{"message": "no", "extensions": {{"code": "{code}"}}}}]}}'
        async with bench.sink() as sink:
            bench.garble_once(body)
            results = await sink.send([bench.update(1), bench.update(2)])
        assert [(one.outcome, one.reason) for one in results] == [(outcome, f"{code}: no")] * 2


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_on_the_way_the_shop_ends_with_the_newest_values(
    bench: ShopifyBench, seed: int
) -> None:
    chance = random.Random(seed)
    vendor, journal = bench.vendor, Journal()
    vendor.maximum, vendor.restore_per_s = 60.0, 5.0
    newest: dict[int, Update] = {}
    for step in range(15):
        async with bench.sink() as sink:
            life = Lifetime(sink, journal, bench.clock, unknown_attempts=50)
            for number in chance.sample(range(1, 13), 4):
                believed = chance.choice([None, 3, vendor.available.get(bench.listing(number), 0)])
                told = rig.update(bench.listing(number), step + 1, step + 1, planned_at=bench.clock.wall())
                newest[number] = told._replace(expected_previous=believed)
            life.arrive(*newest.values())
            vendor.sales = [{bench.listing(chance.randrange(1, 13)): chance.choice(SOLD)} for _ in range(2)]
            vendor.next_faults = chance.choices(
                [
                    Fault(503),
                    Fault(taken=True, closed=True),
                    Fault(closed=True),
                    Fault(500, taken=True),
                    vendor.throttling(3),
                ],
                k=chance.randrange(4),
            )
            # Now and then the process ends before everything is told.
            if chance.random() < 0.3:
                await life.delivery.attempt()
            else:
                await life.deliver(100)
                vendor.sales.clear()
    async with bench.sink() as sink:
        vendor.sales.clear()
        vendor.next_faults.clear()
        life = Lifetime(sink, journal, bench.clock)
        life.arrive(*newest.values())
        await life.deliver(100)
    last = {listing: publish_seq for listing, publish_seq, outcome in journal.outcomes() if outcome == "ACCEPTED"}
    assert last == {bench.listing(number): update.publish_seq for number, update in newest.items()}
    # A quantity is the step it was decided in, so that an old one over a newer one would be seen.
    for number in newest:
        taken = [quantity for listing, quantity in vendor.taken if listing == bench.listing(number)]
        assert taken == sorted(taken)
        assert vendor.available[bench.listing(number)] in (newest[number].quantity, *SOLD)
    assert vendor.stale > 0


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"access_token": "x", "client_id": "y", "client_secret": "z"},
        {"client_id": "y"},
        {"access_token": "x", "location_id": "somewhere"},
        {"access_token": "x", "url": "shop.example"},
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ShopifySettings(**({"url": "https://shop.example", "location_id": "71"} | given))  # type: ignore[arg-type]


async def test_an_operators_token_works_as_well() -> None:
    vendor = FakeShopify(tokens={"shpat_fixed"})
    async with TestServer(vendor.app(), host="127.0.0.1") as server:
        settings = ShopifySettings(
            url=str(server.make_url("/")), location_id=LOCATION, access_token=SecretStr("shpat_fixed")
        )
        sink = ShopifySink("web", settings, CallLimits())
        await sink.open()
        bench = ShopifyBench(vendor, server, Clock())
        (accepted,) = await sink.send([bench.update(1)])
        vendor.expire_tokens()
        (refused,) = await sink.send([bench.update(2)])
        await sink.close()
    assert (accepted.outcome, refused.outcome) == (Outcome.ACCEPTED, Outcome.RETRY)
    assert refused.reason == "HTTP 401"
