from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.topics import sink_positions_topic
from streams.data_plane.failures import Misconfigured
from streams.demo.fake_channel import Fault
from tests.integration.sinks.conftest import Shop
from tests.integration.sinks.rig import SESSION_S, Channel

pytestmark = pytest.mark.integration


async def test_a_channel_ends_with_the_newest_values_and_every_listing_is_acknowledged(
    channel: Channel, shop: Shop
) -> None:
    channel.publish(channel.update(f"L-{number % 50}", number + 1, number) for number in range(3_000))
    sink = channel.sink(shop.url)
    await channel.settles()
    newest = {f"L-{number % 50}": (number, number + 1) for number in range(2_950, 3_000)}
    assert shop.shown() == newest
    assert shop.channel.ledger.accepted_older == 0
    answered = {(one.listing, one.publish_seq, one.outcome, one.quantity) for one in channel.acknowledgements()}
    assert answered == {(listing, seq, "ACCEPTED", quantity) for listing, (quantity, seq) in newest.items()}
    assert await asyncio.to_thread(sink.stop) == 0


async def test_the_embedded_broker_serves_a_sink_too(
    embedded: str, registry: str, unique: Callable[[str], str], tmp_path: Path, shop: Shop
) -> None:
    channel = Channel(embedded, registry, unique("web"), tmp_path)
    try:
        channel.publish(channel.update(f"L-{number % 20}", number + 1, number) for number in range(400))
        first = channel.sink(shop.url)
        newest = {f"L-{number % 20}": (number, number + 1) for number in range(380, 400)}
        await channel.becomes(lambda: shop.shown() == newest)
        first.kill()
        channel.publish([channel.update("L-0", 2, 99), channel.update("L-1", 500, 0)])
        channel.sink(shop.url)
        await channel.becomes(lambda: shop.shown() == newest | {"L-1": (0, 500)})
        assert shop.channel.ledger.accepted_older == 0
    finally:
        channel.close()


async def test_after_a_restart_nothing_is_sent_again_and_a_late_old_value_is_dropped(
    channel: Channel, shop: Shop
) -> None:
    channel.publish([channel.update("L-1", 9, 0), channel.update("L-2", 9, 4)])
    first = channel.sink(shop.url)
    await channel.settles()
    assert await asyncio.to_thread(first.stop) == 0
    calls = shop.channel.ledger.requests
    # What a paused worker writes late: older than what was settled before the restart.
    channel.publish([channel.update("L-1", 6, 8), channel.update("L-2", 10, 3)])
    channel.sink(shop.url)
    await channel.settles()
    assert shop.shown() == {"L-1": (0, 9), "L-2": (3, 10)}
    assert shop.channel.ledger.requests == calls + 1
    assert shop.channel.ledger.accepted_older == 0


async def test_a_kill_between_the_call_and_the_commit_does_not_bring_an_old_value_back(
    channel: Channel, shop: Shop
) -> None:
    # Many values of each listing, spread over more records than one fetch hands out.
    for number in range(5_000):
        listing, publish_seq = f"L-{number % 25}", number + 1
        channel.publish_raw(listing.encode(), channel._encoder.encode(_update(channel, listing, publish_seq)))
    channel.flush()
    shop.channel.next_faults = [Fault(taken=True, delay_s=8.0)]
    first = channel.sink(shop.url)
    await channel.becomes(lambda: bool(shop.shown()))
    first.kill()
    newest = {f"L-{n % 25}": (7, n + 1) for n in range(4_975, 5_000)}
    assert shop.shown().items() <= newest.items()
    assert channel.acknowledgements() == []
    channel.sink(shop.url)
    await channel.settles()
    assert shop.channel.ledger.accepted_older == 0
    assert shop.shown() == newest
    assert {(one.listing, one.publish_seq) for one in channel.acknowledgements()} == {
        (listing, publish_seq) for listing, (_, publish_seq) in newest.items()
    }


async def test_repeated_kills_lose_nothing_and_never_bring_an_old_value_back(channel: Channel, shop: Shop) -> None:
    sink = channel.sink(shop.url, max_updates=5)
    for life in range(1, 4):
        channel.publish(
            channel.update(f"L-{number % 20}", life * 1_000 + number, life * 1_000 + number)
            for number in range(400)
        )
        before = shop.channel.ledger.requests
        await channel.becomes(lambda seen=before: shop.channel.ledger.requests > seen)  # type: ignore[misc]
        sink.kill()
        sink = channel.sink(shop.url, max_updates=5)
    await channel.settles()
    assert shop.shown() == {f"L-{number % 20}": (3_000 + number,) * 2 for number in range(380, 400)}
    assert shop.channel.ledger.accepted_older == 0


async def test_a_sink_that_slept_beyond_its_session_asks_before_it_sends(channel: Channel, shop: Shop) -> None:
    sleeper = channel.sink(shop.url)
    channel.publish([channel.update("L-1", 1, 10)])
    await channel.settles()
    shop.channel.next_faults = [Fault(503, {"Retry-After": "1"})]
    channel.publish([channel.update("L-1", 2, 9)])
    await channel.becomes(lambda: not shop.channel.next_faults)
    # It holds value 2 and waits to send it again.
    sleeper.signal(signal.SIGSTOP)
    channel.sink(shop.url)
    await channel.becomes(lambda: shop.shown() == {"L-1": (9, 2)}, within_s=SESSION_S + 40)
    channel.publish([channel.update("L-1", 3, 8)])
    await channel.becomes(lambda: shop.shown() == {"L-1": (8, 3)})
    repeated = shop.channel.ledger.repeated
    sleeper.signal(signal.SIGCONT)
    channel.publish([channel.update("L-1", 4, 7)])
    await channel.settles()
    await channel.becomes(lambda: shop.shown() == {"L-1": (7, 4)})
    assert shop.channel.ledger.accepted_older == 0
    assert shop.channel.ledger.repeated == repeated


async def test_an_outage_of_the_channel_ends_with_the_newest_values_and_the_stop_sell_first(
    channel: Channel, shop: Shop
) -> None:
    shop.channel.next_faults = [Fault(503)] * 1_000
    sink = channel.sink(shop.url, max_updates=5)
    channel.publish(channel.update(f"L-{number % 20}", number + 1, number) for number in range(200))
    await channel.becomes(lambda: shop.channel.ledger.faults >= 3)
    channel.publish(channel.update(f"L-{number % 20}", number + 1, number, "P3") for number in range(200, 400))
    channel.publish([channel.update("L-stop", 1, 0, "P0")])
    await channel.becomes(lambda: "L-stop" in shop.channel.last_batch)
    assert shop.shown() == {}
    shop.channel.next_faults.clear()
    await channel.settles()
    assert next(iter(shop.channel.listings)) == "L-stop"
    newest = {f"L-{number % 20}": (number, number + 1) for number in range(380, 400)}
    assert shop.shown() == newest | {"L-stop": (0, 1)}
    assert await asyncio.to_thread(sink.stop) == 0


async def test_what_cannot_be_read_goes_to_the_dead_letters_as_it_was_and_the_rest_goes_on(
    channel: Channel, shop: Shop
) -> None:
    other = channel.update("L-9", 1, 1)
    poison: list[tuple[bytes | None, bytes | None]] = [
        (b"L-1", b"not avro"),
        (b"L-2", None),
        (b"another", channel._encoder.encode(other._asdict())),
        (b"L-9", channel._encoder.encode(other._replace(channel="elsewhere")._asdict())),
        (b"L-9", channel._encoder.encode(other._replace(quantity=-1)._asdict())),
    ]
    for key, value in poison:
        channel.publish_raw(key, value, [("traceparent", b"00-abc")])
    channel.publish([channel.update("L-3", 1, 7)])
    channel.sink(shop.url)
    await channel.settles()
    assert shop.shown() == {"L-3": (7, 1)}
    letters = channel.read(channel.dead_letters)
    assert sorted((one.key(), one.value() or b"") for one in letters) == sorted(
        (key, value or b"") for key, value in poison
    )
    for letter in letters:
        headers = dict(letter.headers() or ())
        assert headers["traceparent"] == b"00-abc"
        assert headers["__atstream.errors.topic"] == channel.topic.encode()
        assert headers["__atstream.errors.reason"]


async def test_sinks_that_come_and_go_share_the_work(channel: Channel, shop: Shop) -> None:
    sinks = [channel.sink(shop.url, max_updates=7)]
    publish_seq = 0
    for round_number in range(6):
        batch = []
        for number in range(600):
            publish_seq += 1
            batch.append(channel.update(f"L-{number % 30}", publish_seq, publish_seq))
        channel.publish(batch)
        if round_number in (0, 1):
            sinks.append(channel.sink(shop.url, max_updates=7))
        if round_number in (3, 4):
            sinks[0].heard("telling", within_s=30)
            assert await asyncio.to_thread(sinks.pop(0).stop) == 0
        await asyncio.sleep(0.5)
    await channel.settles()
    newest = range(publish_seq - 29, publish_seq + 1)
    assert sorted(shop.shown().values()) == [(seq, seq) for seq in newest]
    assert shop.channel.ledger.accepted_older == 0


async def test_the_channels_limit_is_kept(channel: Channel, shop: Shop) -> None:
    shop.channel.limit(rate_per_s=20, burst=3)
    channel.publish(channel.update(f"L-{number}", 1, number) for number in range(40))
    channel.sink(shop.url, max_updates=1, rate_per_s=18, burst=1)
    await channel.settles()
    assert len(shop.shown()) == 40
    assert shop.channel.ledger.above_limit == 0


async def test_an_expired_update_is_acknowledged_as_rejected(channel: Channel, shop: Shop) -> None:
    channel.publish([channel.update("L-1", 1, 5, expires_in_s=-1), channel.update("L-2", 1, 5)])
    channel.sink(shop.url)
    await channel.settles()
    assert set(shop.shown()) == {"L-2"}
    answers = {one.listing: (one.outcome, one.reason) for one in channel.acknowledgements()}
    assert answers == {"L-1": ("REJECTED", "EXPIRED"), "L-2": ("ACCEPTED", None)}


async def test_a_file_is_fed_as_a_channel(channel: Channel, tmp_path: Path) -> None:
    path = tmp_path / "feed.jsonl"
    channel.publish(channel.update(f"L-{number % 5}", number + 1, number) for number in range(50))
    sink = channel.sink("", kind="file", path=path)
    await channel.settles()
    sink.kill()
    channel.publish([channel.update("L-0", 99, 1), channel.update("L-1", 2, 1)])
    channel.sink("", kind="file", path=path)
    await channel.settles()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    newest = {one["listing"]: one["publish_seq"] for one in lines}
    assert newest == {"L-0": 99, "L-1": 47, "L-2": 48, "L-3": 49, "L-4": 50}
    assert len(lines) == 6


@pytest.mark.parametrize("gone", ["topic", "registry", "setting"])
async def test_a_sink_that_cannot_work_says_what_to_do_and_ends(
    kafka: str, registry: str, unique: Callable[[str], str], tmp_path: Path, shop: Shop, gone: str
) -> None:
    channel = Channel(kafka, registry, unique("web"), tmp_path)
    sink = {
        "topic": lambda: _renamed(channel, "nowhere").sink(shop.url),
        "registry": lambda: _at_registry(channel, shop.server.make_url("/")).sink(shop.url),
        "setting": lambda: channel.sink("ftp://shop/"),
    }[gone]()
    code = await asyncio.to_thread(sink.wait, 60)
    said = sink.log.read_text()
    assert code == {"topic": Misconfigured.exit_code, "registry": 3, "setting": 2}[gone], said
    assert {"topic": "atstream topics apply", "registry": "schema registry", "setting": "http"}[gone] in said
    assert "Traceback" not in said
    assert "whsec_" not in said


async def test_a_position_is_in_the_partition_of_its_updates(channel: Channel, shop: Shop) -> None:
    channel.publish(channel.update(f"L-{number}", 1, number) for number in range(12))
    channel.sink(shop.url)
    await channel.settles()
    places = {one.key(): one.partition() for one in channel.read(channel.topic)}
    assert {one.key(): one.partition() for one in channel.read(sink_positions_topic(channel.name).name)} == places


def _update(channel: Channel, listing: str, publish_seq: int) -> dict[str, object]:
    return channel.update(listing, publish_seq, 7)._asdict()


def _renamed(channel: Channel, name: str) -> Channel:
    channel.name = name
    return channel


def _at_registry(channel: Channel, url: object) -> Channel:
    channel._registry_url = str(url)
    return channel
