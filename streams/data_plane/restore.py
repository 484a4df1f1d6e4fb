"""Reading the changelogs of new partitions into the state, with its progress."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING, cast

from faust.types import TP

from streams.data_plane.changelog import ChangelogReader, extents
from streams.data_plane.remembering import RemembersRows, remembered_tables

if TYPE_CHECKING:
    from streams.data_plane.plane import Plane

log = logging.getLogger(__name__)

_LOG_EVERY_S = 5.0


async def restore(plane: Plane, executor: Executor, sources: Collection[TP]) -> dict[TP, int]:
    """Recover what is missing; returns the ends of those ``sources`` whose partitions are fresh.

    May be cancelled at any time: partitions that were read to their end count as recovered, the others are
    dropped. Raises ``Unavailable``.
    """
    missing, fresh = plane.holdings.missing(), plane.holdings.fresh()
    if not fresh:
        return {}
    tables = {changelog: table for table, changelog in plane.changelogs.items()}
    changelogs = {TP(changelog, partition) for changelog in tables for partition in missing}
    loop = asyncio.get_running_loop()
    reader: ChangelogReader | None = None
    try:
        starts = await loop.run_in_executor(executor, _starts, plane, tables, changelogs)
        reader = ChangelogReader(
            plane.settings, changelogs, {tp for tp in sources if tp.partition in fresh}, starts
        )
        progress = _Progress(plane, reader)
        await loop.run_in_executor(executor, reader.start)
        while not reader.done:
            for tp, rows in (await loop.run_in_executor(executor, reader.read)).items():
                plane.state.recover(tables[tp.topic], tp.partition, rows)
                if tp in starts:
                    remembering = cast(RemembersRows, plane.state)
                    remembering.reached(tables[tp.topic], tp.partition, reader.positions[tp])
                progress.add(len(rows))
            plane.holdings.recovered(missing - reader.unfinished())
            progress.report()
        plane.holdings.recovered(missing)
    finally:
        plane.holdings.abandoned(missing)
        if reader is not None:
            loop.run_in_executor(executor, reader.close)
    progress.finish(sorted(missing))
    return {tp: end for tp, end in reader.ends.items() if tp.topic in plane.sources}


def _starts(plane: Plane, tables: Mapping[str, str], changelogs: Collection[TP]) -> dict[TP, int]:
    """Where to begin with the changelogs of which the state remembers rows. Blocking."""
    names = remembered_tables(plane.state)
    remembered = [tp for tp in changelogs if tables[tp.topic] in names]
    if not remembered:
        return {}
    state = cast(RemembersRows, plane.state)
    found = extents(plane.settings, remembered)
    return {tp: state.resume(tables[tp.topic], tp.partition, found[tp]) for tp in remembered}


class _Progress:
    def __init__(self, plane: Plane, reader: ChangelogReader) -> None:
        self._stats = plane.stats
        self._reader = reader
        self._rows = 0
        self._began = self._logged = time.monotonic()

    def add(self, rows: int) -> None:
        self._rows += rows
        self._stats.recovered_rows += rows

    def report(self) -> None:
        now = time.monotonic()
        stats = self._stats
        stats.recovery_remaining = sum(self._reader.remaining.values())
        stats.recovery_rows_per_s = self._rows / max(now - self._began, 1e-3)
        if now - self._logged > _LOG_EVERY_S:
            self._logged = now
            remaining, rate = stats.recovery_remaining, stats.recovery_rows_per_s
            log.info("recovering: %d rows read, %d to go, %.0f rows/s", self._rows, remaining, rate)

    def finish(self, partitions: list[int]) -> None:
        stats = self._stats
        stats.recoveries += 1
        stats.recovery_remaining = 0
        stats.recovery_s = time.monotonic() - self._began
        log.info("recovered partitions %s: %d rows in %.2f s", partitions, self._rows, stats.recovery_s)
