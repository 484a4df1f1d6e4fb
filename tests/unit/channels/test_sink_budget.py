"""The calls of a sink without a store: delivery and the attempts themselves take from one budget."""

from __future__ import annotations

import time

from pydantic import SecretStr

from connectors.channels.kind import CALLS
from connectors.channels.shopify import KIND, ShopifySettings, ShopifySink
from streams.sink.budget import metered
from streams.sink.settings import SinkConfiguration, SinkSettings


async def test_what_an_attempt_takes_besides_is_missing_to_delivery() -> None:
    own = ShopifySettings(
        url="https://shop.example",
        location_id="71",
        access_token=SecretStr("x"),
        points_per_s=10,
        points_burst=100,
    )
    configuration = SinkConfiguration(SinkSettings(kind="shopify"), own, KIND)
    bare = configuration.sink("web")
    assert isinstance(bare, ShopifySink)
    with metered("web", bare, bare, configuration) as (_, bucket, _):
        assert bucket.wait_s(time.monotonic()) == 0
        assert await bare._calls.meters.take(CALLS, 99, 1) == 10
        assert bucket.wait_s(time.monotonic()) > 0.5
