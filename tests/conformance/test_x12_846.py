from __future__ import annotations

import resource
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from connectors.channels.base import ChannelSink, Update
from connectors.channels.kind import CallLimits
from connectors.channels.x12_846 import KIND, X12Settings
from tests.conformance.bench import Ability, Bench
from tests.conformance.suite import SinkConformance
from tests.fakes import x12

NO_SERVER = "there is a file, not a server"


class X12Bench(Bench):
    not_applicable: ClassVar[Mapping[Ability, str]] = {
        Ability.READ_BACK: "an attempt is over when it is answered: nothing comes through later",
        Ability.REFUSE_ONE: "a partner refuses after reading, by a message that nothing here receives",
        Ability.THROTTLE: "a disk does not ask anybody to wait",
        Ability.SILENCE: NO_SERVER,
        Ability.CLOSE: NO_SERVER,
        Ability.GARBLE: NO_SERVER,
        Ability.TOKEN: "a folder has permissions, no tokens",
    }

    def __init__(self, folder: Path) -> None:
        self.outbox = folder / "outbox"
        self.journal = folder / "state" / "846.journal"

    @asynccontextmanager
    async def sink(self) -> AsyncIterator[ChannelSink]:
        settings = X12Settings(folder=self.outbox, journal=self.journal, sender="SHOP", receiver="PARTNER")
        sink = KIND.make("web", settings, CallLimits(40, 2_000))
        await sink.open()
        try:
            yield sink
        finally:
            await sink.close()

    def taken(self) -> list[tuple[str, int]]:
        files = sorted(self.outbox.glob("*.edi"))
        return [pair for file in files for one in x12.read(file.read_bytes()) for pair in x12.quantities(one)]

    def oversized(self, sink: ChannelSink) -> list[Update]:
        """Product ids as long as they may be: as many of them as of short ones do not fit."""
        return [self.update(number)._replace(listing=f"L-{number:038}") for number in range(1, 41)]

    @asynccontextmanager
    async def interrupt(self, calls: int) -> AsyncIterator[None]:
        # A file size limit of the process makes write() fail half-way, as a full disk does.
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    def secrets(self) -> list[str]:
        return []


@pytest.fixture
def bench(tmp_path: Path) -> X12Bench:
    return X12Bench(tmp_path)


class TestX12Sink(SinkConformance):
    pass
