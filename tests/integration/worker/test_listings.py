"""Listings that are no SKUs, with real workers on a real broker; the verifier says what they should show."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.worker.deployment import Deployment
from tests.integration.worker.traffic import traffic

pytestmark = pytest.mark.integration

EVENTS = 2_000
LISTINGS = 30
SETTLED_S = 60.0


def listings(shift: int, second: int) -> list[dict[str, Any]]:
    """Listing n of amazon sells SKU n + ``shift`` in packs of 1 to 3; with a shift every tenth is taken down."""
    return [
        {
            "type": "listings",
            "channel": "amazon",
            "listing": f"B{number:04d}",
            "sku": None if shift and number % 10 == 0 else f"SKU-{number + shift}",
            "pack_size": 1 + number % 3,
            **({} if number % 2 else {"price": 100 * number, "currency": "EUR"}),
            "as_of": f"2026-01-01T00:00:{second:02d}Z",
        }
        for number in range(LISTINGS)
    ]


def test_listings_that_change_their_sku_while_a_worker_dies_show_the_right_one(
    deployment: Deployment,
) -> None:
    deployment.sink("web")
    deployment.sink("amazon")
    first, second = deployment.worker(), deployment.worker()
    deployment.produce(traffic(51, EVENTS))
    known = deployment.produced
    deployment.produce(listings(0, 1))
    first.heard("handling partitions", within_s=30)
    second.heard("handling partitions", within_s=30)
    deployment.produce(listings(7, 2))
    first.kill()
    deployment.worker()
    deployment.produce_raw("listings", b"amazon:B0001", None)
    events = known + len(list(traffic(52, EVENTS)))
    deployment.produce(traffic(52, EVENTS))
    deployment.produced = events
    report = deployment.proof(SETTLED_S)
    assert report.differences == []
    assert report.events == events
    assert report.accepted == report.channels
    assert report.stale_accepts == 0
