"""The shops refuse and count what is not as documented, without any file of a vendor."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from connectors.channels.amazon_wire import Offer, feed_body, patch_body
from connectors.channels.shopify_wire import SET_QUANTITIES, Change, set_quantities
from streams.demo.shops.__main__ import SECRET_VARIABLE, work_on_feeds
from streams.demo.shops.amazon import FakeAmazon
from streams.demo.shops.amazon_feeds import DONE, MARKETPLACE, SELLER
from streams.demo.shops.shopify import LOCATION, PATH, FakeShopify
from streams.demo.shops.vendor import FakeVendor
from streams.local.ports import free_port
from tests.conformance.rig import update

TOKEN = "issued-before"
OFFER = Offer(SELLER, MARKETPLACE)
PATCH_PATH = f"/listings/2021-08-01/items/{SELLER}/A?marketplaceIds={MARKETPLACE}"


class Visit:
    """Calls to a shop by somebody who makes mistakes."""

    def __init__(self, shop: FakeVendor, server: TestServer, session: ClientSession) -> None:
        self.shop = shop
        self._server = server
        self._session = session

    async def call(self, method: str, path: str, body: object, token: str = TOKEN) -> tuple[int, Any]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {self.shop.credential_header: token}
        async with self._session.request(
            method, self._server.make_url(path), data=content, headers=headers
        ) as told:
            return told.status, await told.json()

    async def ledger(self) -> dict[str, int]:
        async with self._session.get(self._server.make_url("/state")) as told:
            ledger: dict[str, int] = (await told.json())["ledger"]
            return ledger


@pytest.fixture
async def shopify() -> AsyncIterator[Visit]:
    shop = FakeShopify({TOKEN}, maximum=30.0)
    async with TestServer(shop.app(), host="127.0.0.1") as server, ClientSession() as session:
        yield Visit(shop, server, session)


@pytest.fixture
async def amazon() -> AsyncIterator[Visit]:
    shop = FakeAmazon(lambda: 0.0, set())
    shop.tokens = {TOKEN}
    async with TestServer(shop.app(), host="127.0.0.1") as server, ClientSession() as session:
        yield Visit(shop, server, session)


def setting(**changes: object) -> dict[str, Any]:
    """A request to set one quantity, with something else in its entry."""
    item = "gid://shopify/InventoryItem/1"
    body: dict[str, Any] = json.loads(set_quantities([Change(0, update("1", 1, 4), item, None)], LOCATION, "web"))
    entry = body["variables"]["input"]["quantities"][0] | changes
    body["variables"]["input"]["quantities"] = [
        {name: value for name, value in entry.items() if value != "left out"}
    ]
    return body


async def test_a_shop_takes_what_is_as_documented(shopify: Visit, amazon: Visit) -> None:
    assert (await shopify.call("POST", PATH, setting()))[0] == 200
    assert (await amazon.call("PATCH", PATCH_PATH, patch_body(OFFER, update("A", 1, 4))))[0] == 200
    assert shopify.shop.taken == [("gid://shopify/InventoryItem/1", 4)]
    assert amazon.shop.taken == [("A", 4)]
    for visit in (shopify, amazon):
        assert await visit.ledger() == {"requests": 1, "unauthenticated": 0, "malformed": 0, "above_limit": 0}


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense",
        [],
        {"query": 7},
        {"query": "mutation {"},
        {"query": SET_QUANTITIES},
        setting(quantity="4"),
        setting(quantity=4.5),
        setting(quantity=2**31),
        setting(quantity=None),
        setting(locationId="left out"),
        setting(changeFromQuantity="left out"),
        setting(compareQuantity=3),
        {**setting(), "query": SET_QUANTITIES.replace("@idempotent(key: $key)", "")},
        {**setting(), "query": SET_QUANTITIES.replace("message", "message reason")},
    ],
    ids=lambda body: str(body)[-70:],
)
async def test_a_request_that_graphql_or_its_schema_refuses_is_refused_and_counted(
    shopify: Visit, body: object
) -> None:
    _, told = await shopify.call("POST", PATH, body)
    assert "errors" in told or "error" in told
    assert shopify.shop.taken == []
    assert (await shopify.ledger())["malformed"] == 1


async def test_more_than_250_entries_are_refused_and_counted(shopify: Visit) -> None:
    body = setting()
    body["variables"]["input"]["quantities"] *= 251
    await shopify.call("POST", PATH, body)
    assert (await shopify.ledger())["malformed"] == 1


async def test_a_call_for_more_points_than_there_are_is_refused_and_counted(shopify: Visit) -> None:
    codes = []
    for quantity in range(4):
        _, told = await shopify.call("POST", PATH, setting(quantity=quantity))
        codes.append(told["errors"][0]["extensions"]["code"] if "errors" in told else None)
    assert codes == [None, None, None, "THROTTLED"]
    assert (await shopify.ledger())["above_limit"] == 1


PATCH = json.loads(patch_body(OFFER, update("A", 1, 4)))
VALUE = PATCH["patches"][0]["value"][0]


def patch(**changes: object) -> dict[str, Any]:
    return {"productType": "PRODUCT", "patches": [PATCH["patches"][0] | changes]}


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense",
        [],
        {},
        {"productType": "PRODUCT", "patches": []},
        {**PATCH, "extra": 1},
        patch(op="replaces"),
        patch(op="replace"),
        patch(path="/attributes/price"),
        patch(value=[]),
        patch(value={}),
        patch(value=[VALUE, VALUE]),
        patch(value=[VALUE | {"quantity": "4"}]),
        patch(value=[VALUE | {"quantity": True}]),
        patch(value=[VALUE | {"quantity": -1}]),
        patch(value=[VALUE | {"lead_time": 2}]),
        patch(value=[VALUE | {"fulfillment_channel_code": "AMAZON"}]),
    ],
    ids=str,
)
async def test_a_patch_of_another_shape_is_refused_and_counted(amazon: Visit, body: object) -> None:
    status, _ = await amazon.call("PATCH", PATCH_PATH, body)
    assert status == 400
    assert amazon.shop.taken == []
    assert (await amazon.ledger())["malformed"] == 1


async def test_the_sixth_patch_at_once_is_refused_and_counted(amazon: Visit) -> None:
    told = [await amazon.call("PATCH", PATCH_PATH, PATCH) for _ in range(6)]
    assert [status for status, _ in told] == [200] * 5 + [429]
    assert (await amazon.ledger())["above_limit"] == 1


async def test_a_call_without_a_token_that_was_issued_is_refused_and_counted(
    shopify: Visit, amazon: Visit
) -> None:
    assert (await shopify.call("POST", PATH, setting(), "another"))[0] == 401
    assert (await amazon.call("PATCH", PATCH_PATH, PATCH, "another"))[0] == 403
    assert [(await visit.ledger())["unauthenticated"] for visit in (shopify, amazon)] == [1, 1]


async def test_the_queue_of_feeds_moves_by_itself_in_a_shop_that_stands_alone() -> None:
    amazon = FakeAmazon(time.monotonic, set())
    messages = json.loads(feed_body(OFFER, [update(f"F-{number}", 1, number) for number in range(3)]))["messages"]
    feeds = [amazon.submit(messages), amazon.submit(messages[:1])]
    working = asyncio.create_task(work_on_feeds(amazon, queued_s=0.0, messages_per_s=20.0))
    while {feed.status for feed in feeds} != {DONE}:  # noqa: ASYNC110 - the shop tells nobody when it is done
        await asyncio.sleep(0.01)
    working.cancel()
    assert amazon.taken == [("F-0", 0), ("F-1", 1), ("F-2", 2), ("F-0", 0)]


@pytest.mark.parametrize("kind", ["shopify", "amazon"])
def test_a_shop_runs_as_a_process_of_its_own_until_it_is_told_to_stop(kind: str) -> None:
    port = free_port()
    running = subprocess.Popen(
        [sys.executable, "-m", "streams.demo.shops", kind, "--port", str(port)],
        env={**os.environ, SECRET_VARIABLE: "s3cret"},
    )
    try:
        state: Any = None
        deadline = time.monotonic() + 60
        while state is None:
            assert running.poll() is None
            assert time.monotonic() < deadline
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/state", timeout=5) as told:
                    state = json.load(told)
            except OSError:
                time.sleep(0.05)
    finally:
        running.terminate()
        ended = running.wait(30)
    assert state["listings"] == {}
    assert state["ledger"]["requests"] == 0
    assert ended == 0
