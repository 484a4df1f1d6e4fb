"""Ends a worker that has records to handle and doesn't."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Mapping

from faust.types import TP

from streams.data_plane.changelog import end_offsets
from streams.data_plane.failures import Stalled, Unavailable
from streams.data_plane.ledger import Ledger
from streams.data_plane.settings import PlaneSettings

log = logging.getLogger(__name__)


class Progress:
    """Since when each partition has had records to handle without its committed offset moving. Pure."""

    def __init__(self) -> None:
        self._stuck: dict[TP, tuple[int | None, float]] = {}

    def look(
        self,
        positions: Mapping[TP, int | None],
        ends: Mapping[TP, int],
        excused: Collection[TP],
        now_s: float,
    ) -> dict[TP, float]:
        """Seconds that each partition with a backlog has not moved."""
        stuck = {}
        for tp, position in positions.items():
            behind = ends.get(tp, 0) > (position or 0)
            if not behind or tp in excused:
                continue
            seen, since = self._stuck.get(tp, (position, now_s))
            stuck[tp] = (position, since if seen == position else now_s)
        self._stuck = stuck
        return {tp: now_s - since for tp, (_, since) in stuck.items()}


class Watchdog:
    """Compares committed offsets with the broker's end offsets a few times per ``stall_s``.

    It also notices when a topic is deleted under us, of which the fetching client says nothing.
    """

    def __init__(self, settings: PlaneSettings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._progress = Progress()
        self.lag: dict[TP, int] = {}

    async def run(self) -> None:
        """Look for ever. Raises ``Stalled``, or ``Misconfigured`` when a partition is gone."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._settings.stall_s / 6)
            positions = self._ledger.positions()
            try:
                ends = await loop.run_in_executor(None, end_offsets, self._settings, list(positions))
            except Unavailable as outage:
                log.warning("watchdog: %s", outage)
                continue
            self.check(positions, ends, time.monotonic())

    def check(self, positions: Mapping[TP, int | None], ends: Mapping[TP, int], now_s: float) -> None:
        """Raise ``Stalled`` if a partition has been stuck for ``stall_s``; waiting for an outage to end is no
        stall.
        """
        self.lag = {tp: max(0, ends.get(tp, 0) - (position or 0)) for tp, position in positions.items()}
        excused = {tp for tp in positions if tp in self._ledger.positions() and self._ledger.is_waiting(tp)}
        for tp, seconds in self._progress.look(positions, ends, excused, now_s).items():
            if seconds >= self._settings.stall_s:
                raise Stalled(
                    f"{tp.topic}[{tp.partition}]: {self.lag[tp]} records to handle, and the committed offset"
                    f" {positions[tp]} has not moved for {seconds:.0f} s"
                )
