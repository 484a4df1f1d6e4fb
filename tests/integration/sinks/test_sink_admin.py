"""The admin port of a real sink on a real broker, with a channel that fails and comes back."""

from __future__ import annotations

import asyncio
import re

import pytest

from streams.demo.fake_channel import Fault
from tests.integration.sinks.conftest import Shop
from tests.integration.sinks.rig import Channel
from tests.integration.worker.test_admin import get, metrics, total

pytestmark = pytest.mark.integration


async def test_a_sink_tells_what_it_does_and_how_its_channel_is(channel: Channel, shop: Shop) -> None:
    shop.channel.next_faults = [Fault(status=503), Fault(status=503)]
    sink = channel.sink(shop.url, admin_port=0)
    await asyncio.to_thread(sink.heard, "admin port: ", 60)
    found = re.search(r"admin port: (http://127\.0\.0\.1:\d+)/metrics", sink.log.read_text())
    assert found is not None
    address = found.group(1)
    await channel.becomes(lambda: get(f"{address}/readyz")[0] == 200)
    channel.publish(channel.update(f"L-{number % 20}", number + 1, number) for number in range(200))
    channel.publish_raw(b"L-1", b"no update")
    await channel.settles()
    told = await asyncio.to_thread(metrics, address)

    def updates(outcome: str) -> float:
        return sum(value for labels, value in told["atstream_sink_updates_total"].items() if outcome in labels)

    assert updates("accepted") + updates("replaced") + updates("repeated") + updates("stale") == 200
    assert updates("accepted") == total(told, "atstream_sink_latency_seconds_count") >= 20
    assert updates("undecodable") == 1
    calls = {labels[1]: value for labels, value in told["atstream_sink_calls_total"].items()}
    assert calls["failed"] + calls["throttled"] == 2
    assert sum(calls.values()) == total(told, "atstream_sink_call_seconds_count")
    assert total(told, "atstream_sink_backlog") == total(told, "atstream_sink_consecutive_failures") == 0
    assert total(told, "atstream_sink_partitions_owned") == channel.partitions
    assert total(told, "atstream_sink_listings_known") == 20
    assert await asyncio.to_thread(get, f"{address}/healthz") == (200, b'{"ok": true, "reason": null}')
    assert await asyncio.to_thread(sink.stop) == 0
