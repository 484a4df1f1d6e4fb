from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from streams.demo.fake_channel import UPDATES_PATH, FakeChannel
from tests.integration.sinks.rig import SECRET, Channel


class Shop:
    """A fake channel on loopback that tests can steer, and look into."""

    def __init__(self, channel: FakeChannel, server: TestServer) -> None:
        self.channel = channel
        self.server = server
        self.url = str(server.make_url(UPDATES_PATH))

    def shown(self) -> dict[str, tuple[int, int]]:
        return {name: (one.quantity, one.publish_seq) for name, one in self.channel.listings.items()}


@pytest.fixture
def channel(kafka: str, registry: str, unique: Callable[[str], str], tmp_path: Path) -> Iterator[Channel]:
    channel = Channel(kafka, registry, unique("web"), tmp_path)
    yield channel
    channel.close()


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    channel = FakeChannel([SecretStr(SECRET)], rate_per_s=1000.0, burst=1000)
    async with TestServer(channel.app(), host="127.0.0.1") as server:
        yield Shop(channel, server)
