from __future__ import annotations

import json
import os
import resource
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from connectors.channels.base import ChannelSink, ChannelUnusable, Outcome
from connectors.channels.file import FileSink
from tests.conformance.bench import Ability, Bench
from tests.conformance.rig import update
from tests.conformance.suite import SinkConformance

NO_SERVER = "a file is no server: it answers nothing"


class FileBench(Bench):
    not_applicable: ClassVar[Mapping[Ability, str]] = {
        Ability.READ_BACK: "an attempt is over when it is answered: nothing comes through later",
        Ability.REFUSE_ONE: "a file takes every line",
        Ability.THROTTLE: "a disk does not ask anybody to wait",
        Ability.SILENCE: NO_SERVER,
        Ability.CLOSE: NO_SERVER,
        Ability.GARBLE: NO_SERVER,
        Ability.TOKEN: "a file has permissions, no tokens",
    }

    def __init__(self, path: Path) -> None:
        self.path = path

    @asynccontextmanager
    async def sink(self) -> AsyncIterator[ChannelSink]:
        sink = FileSink(self.path, max_updates=40)
        await sink.open()
        try:
            yield sink
        finally:
            await sink.close()

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.path.read_bytes().splitlines()]

    def taken(self) -> list[tuple[str, int]]:
        lines = self.lines() if self.path.exists() else []
        return [(str(one["listing"]), int(str(one["quantity"]))) for one in lines]

    @asynccontextmanager
    async def interrupt(self, calls: int) -> AsyncIterator[None]:
        # A file size limit of the process makes write() fail half-way, as a full disk does.
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.path.stat().st_size + 10, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    def secrets(self) -> list[str]:
        return []


@pytest.fixture
def bench(tmp_path: Path) -> FileBench:
    return FileBench(tmp_path / "feed" / "web.jsonl")


class TestFileSink(SinkConformance):
    async def test_a_failed_write_leaves_nothing_behind(self, bench: FileBench) -> None:
        async with bench.sink() as sink:
            await sink.send([update("L-1", 1)])
            before = bench.path.read_bytes()
            async with bench.interrupt(1):
                (result,) = await sink.send([update("L-1", 2)])
            assert result.outcome is Outcome.RETRY
            assert bench.path.read_bytes() == before

    @pytest.mark.parametrize("cut", [1, 20, 200])
    async def test_a_line_torn_by_a_crash_is_cut_off_and_written_again(self, bench: FileBench, cut: int) -> None:
        async with bench.sink() as sink:
            await sink.send([update("L-1", 1), update("L-2", 2)])
        whole = bench.path.read_bytes()
        os.truncate(bench.path, len(whole) - cut)
        async with bench.sink() as sink:
            await sink.send([update("L-1", 1), update("L-2", 2)])
        assert bench.path.read_bytes() == whole

    async def test_an_older_value_is_refused_after_a_restart(self, bench: FileBench) -> None:
        async with bench.sink() as sink:
            await sink.send([update("L-1", 5)])
        async with bench.sink() as sink:
            (result,) = await sink.send([update("L-1", 4)])
        assert (result.outcome, result.reason) == (Outcome.REJECTED, "STALE")

    async def test_a_second_process_may_not_write_the_same_file(self, bench: FileBench) -> None:
        async with bench.sink():
            with pytest.raises(ChannelUnusable, match="path of its own"):
                await FileSink(bench.path).open()

    async def test_a_file_of_something_else_is_left_alone(self, bench: FileBench) -> None:
        bench.path.parent.mkdir()
        bench.path.write_text("name,amount\n")
        with pytest.raises(ChannelUnusable, match="not a channel update"):
            await FileSink(bench.path).open()
        assert bench.path.read_text() == "name,amount\n"

    async def test_only_the_remembered_end_of_a_long_file_is_read(
        self, bench: FileBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("connectors.channels.file.REMEMBERED_BYTES", 2_000)
        async with bench.sink() as sink:
            for number in range(1, 31):
                await sink.send([update(f"L-{number}", number)])
        lines = bench.lines()
        assert len(lines) == 30
        async with bench.sink() as sink:
            (result,) = await sink.send([update("L-30", 30)])
        assert result.outcome is Outcome.ACCEPTED
        assert bench.lines() == lines
