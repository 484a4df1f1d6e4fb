from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from connectors.channels.base import Outcome
from streams.demo.rules import demo_policy
from streams.demo.shopfronts import Shopfront, ShopsMissing, shopfronts
from streams.demo.shops.shopify import FakeShopify
from streams.sink.settings import SinkConfiguration, load_sink_settings
from tests.conformance.rig import update

FRONTS = shopfronts()


def configured(front: Shopfront, monkeypatch: pytest.MonkeyPatch) -> SinkConfiguration:
    for name, value in front.sink.items():
        monkeypatch.setenv(f"ATSTREAM_SINK__{name}", value)
    return load_sink_settings(front.channel, Path("there-is-none.toml"))


def test_every_channel_of_the_policy_has_its_shop_on_a_port_of_its_own() -> None:
    assert {front.channel for front in FRONTS} == set(demo_policy().channels)
    assert len({front.port for front in FRONTS}) == len(FRONTS)


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.channel)
def test_a_sink_can_work_as_the_demo_sets_it_up(front: Shopfront, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = configured(front, monkeypatch)
    configuration.sink(front.channel)
    assert configuration.delivery.kind == front.kind


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.channel)
def test_secrets_are_on_no_command_line(front: Shopfront) -> None:
    for secret in front.environment.values():
        assert secret not in " ".join(front.module)


def test_two_demos_have_different_secrets() -> None:
    again = shopfronts()
    assert not {value for front in FRONTS for value in front.environment.values()} & {
        value for front in again for value in front.environment.values()
    }


async def test_what_a_shop_tells_has_the_ids_that_its_sink_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    (web,) = [front for front in FRONTS if front.kind == "shopify"]
    shop = FakeShopify(set(web.environment.values()))
    shop.available["gid://shopify/InventoryItem/7000002"] = 3
    async with TestServer(shop.app(), host="127.0.0.1") as server:
        front = web._replace(port=server.port, sink={**web.sink, "URL": str(server.make_url("/"))})
        sink = configured(front, monkeypatch).sink("web")
        await sink.open()
        results = [await sink.send([update("7000001", publish_seq, 10 - publish_seq)]) for publish_seq in (1, 2)]
        await sink.close()
        state = await asyncio.to_thread(front.state)
    assert [one.outcome for (one,) in results] == [Outcome.ACCEPTED] * 2
    assert state.shown == {"7000001": 8, "7000002": 3}
    assert state.taken == {"7000001": [9, 8], "7000002": []}
    assert state.ledger == {"requests": 2, "unauthenticated": 0, "malformed": 0, "above_limit": 0}


def test_without_graphql_the_demo_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ShopsMissing, match="uv sync --extra demo"):
        shopfronts()
