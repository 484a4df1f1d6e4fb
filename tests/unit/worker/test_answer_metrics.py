"""What a worker's metrics tell of the answers of a channel."""

from __future__ import annotations

from typing import Any

import pytest

from domain.facts import SECOND
from streams.settings import load_settings
from streams.worker import meter
from streams.worker.app import WorkerPorts, create_app
from streams.worker.progress import WorkerProgress
from tests.unit.worker.test_listings import settle
from tests.worlds import T0, World, balance

POLICY: dict[str, Any] = {"channels": {"web": {"mode": "SHARED"}}}


async def _load(missing: object) -> None:
    raise AssertionError("no schema is loaded here")


def metrics_of(world: World) -> dict[str, float]:
    """Samples with labels, by name and the labels after the channel."""
    app = create_app(load_settings(), WorkerPorts(world.state, _load, partitions=4))
    families = meter.WorkerMeter(app, world.state, WorkerProgress(app)).collect()
    return {
        ":".join((sample.name, *list(sample.labels.values())[1:])): sample.value
        for family in families
        for sample in family.samples
        if sample.labels.get("channel") == "web"
    }


def answer(world: World, latency_ms: int = 64, **more: Any) -> dict[str, Any]:
    update = world.told(world.log, "channel-updates.web")[-1]
    line = {name: update[name] for name in ("channel", "listing", "publish_seq", "quantity")}
    line |= {"type": "channel-acks", "event_id": "k", "outcome": "ACCEPTED", "latency_ms": latency_ms}
    return {**line, "occurred_at": "2026-01-01T00:00:00Z", **more}


def test_exposure_latency_silence_drift_and_breaker_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "now_us", lambda: T0 + 10 * SECOND)
    world = World(POLICY)
    world.deliver(balance(10))
    world.deliver(answer(world))
    world.deliver(balance(4, as_of="2026-01-01T00:00:20Z"), now=T0 + 4 * SECOND)
    found = metrics_of(world)

    assert found["atstream_exposure_listings"] == 1
    assert found["atstream_exposure_units"] == 6
    assert found["atstream_exposure_unpriced_units"] == 6
    assert found["atstream_exposure_oldest_seconds"] == 6
    assert found["atstream_channel_latency_seconds"] == 0.064
    assert found["atstream_channel_silence_seconds"] == 6
    assert found["atstream_planner_breaker"] == 0
    assert found["atstream_listings_not_taken"] == 0

    price = {"type": "listings", "channel": "web", "listing": "SKU-1", "sku": "SKU-1", "price": 1999}
    settle(world, {**price, "currency": "EUR", "as_of": "2026-01-01T00:00:01Z"})
    found = metrics_of(world)

    assert found["atstream_exposure_value:EUR"] == 6 * 1999
    assert found["atstream_exposure_unpriced_units"] == 0

    world.deliver(answer(world, previous_quantity=12), now=T0 + 5 * SECOND)
    found = metrics_of(world)

    assert found["atstream_exposure_listings"] == 0
    assert found["atstream_channel_silence_seconds"] == 0
    assert found["atstream_channel_drift_total:above"] == 1
    assert world.state.tally().findings == {"CHANNEL_DRIFT": 1}
