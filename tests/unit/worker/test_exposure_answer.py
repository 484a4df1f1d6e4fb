"""What ``GET /exposure`` of a worker's admin port answers."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from streams.admin import AdminSite, open_socket
from streams.settings import load_settings
from streams.worker import exposure
from streams.worker.app import WorkerPorts, create_app
from streams.worker.exposure import MOST_LISTINGS, ExposureAnswer
from streams.worker.meter import WorkerMeter
from streams.worker.progress import WorkerProgress
from tests.unit.worker.test_listing_prices import EURO, exposed
from tests.unit.worker.test_listings import listing
from tests.worlds import T0, World


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposure, "now_us", lambda: T0)


async def _load(missing: object) -> None:
    raise AssertionError("no schema is loaded here")


async def asked(world: World) -> dict[str, Any]:
    """The answer over HTTP, as a person gets it."""
    app = create_app(load_settings(), WorkerPorts(world.state, _load, partitions=4))
    progress = WorkerProgress(app)
    listening = open_socket("127.0.0.1", 0, "worker.admin_port")
    answers = {"/exposure": ExposureAnswer(world.state.fan_out.watches).answer}
    site = AdminSite(WorkerMeter(app, world.state, progress), progress, listening, answers)
    await site.start()
    try:
        async with aiohttp.ClientSession() as session:
            port = listening.getsockname()[1]
            async with session.get(f"http://127.0.0.1:{port}/exposure") as answer:
                assert (answer.status, answer.content_type) == (200, "application/json")
                found: dict[str, Any] = await answer.json()
                return found
    finally:
        await site.stop()
        listening.close()


async def test_it_names_what_is_exposed_with_units_value_and_since_when() -> None:
    found = await asked(exposed(listing("B0C2", "SKU-1", pack_size=6, **EURO)))
    nothing = {"listings": 0, "units": 0, "value": {}, "unpriced_units": 0, "since": None, "largest": []}
    [largest] = found["channels"]["amazon"].pop("largest")

    assert found == {
        "at": "2026-01-01T00:00:00Z",
        "channels": {
            "amazon": {
                "listings": 1,
                "units": 12,
                "value": {"EUR": 3998},
                "unpriced_units": 0,
                "since": "2026-01-01T00:00:00Z",
            },
            "web": nothing,
        },
    }
    assert largest == {
        "listing": "B0C2",
        "sku": "SKU-1",
        "accepted": 3,
        "safe": 1,
        "units": 12,
        "value": 3998,
        "currency": "EUR",
        "since": "2026-01-01T00:00:00Z",
    }


async def test_it_is_bounded_however_much_is_exposed() -> None:
    world = exposed(listing("B0C2", "SKU-1", pack_size=6, **EURO))
    book = world.state.fan_out.watches["amazon"].exposure
    for number in range(5_000):
        book.observe(f"L-{number}", number + 20, 0, T0)
    found = (await asked(world))["channels"]["amazon"]

    assert found["listings"] == 5_001
    assert len(found["largest"]) == MOST_LISTINGS
    assert {"B0C2", "L-4999"} <= {each["listing"] for each in found["largest"]}


async def test_those_who_ask_while_it_looks_get_the_same_answer() -> None:
    world = exposed(listing("B0C2", "SKU-1", pack_size=6, **EURO))
    answer = ExposureAnswer(world.state.fan_out.watches).answer
    first, second, third = await asyncio.gather(answer(), answer(), answer())

    assert first is second is third
    assert await answer() is not first
