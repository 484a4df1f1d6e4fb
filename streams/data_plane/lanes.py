"""Two fetch threads: what is urgent never queues behind a backlog of anything else, on the wire or in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from faust.types import TP

from streams.data_plane.batch import Batch, Fetched
from streams.data_plane.failures import PlaneFailure
from streams.data_plane.fetch import FetchThread
from streams.data_plane.settings import PlaneSettings


class Lanes:
    """Fetches urgent topics and all others apart, each within bounds of its own; one lane if nothing is urgent."""

    def __init__(
        self,
        settings: PlaneSettings,
        loop: asyncio.AbstractEventLoop,
        deliver: Callable[[int, list[Fetched]], None],
        fail: Callable[[PlaneFailure], None],
    ) -> None:
        self._urgent = settings.urgent
        self.threads = [
            FetchThread(settings, loop, deliver, fail, name)
            for name in (("fetch", "fetch-urgent") if settings.urgent else ("fetch",))
        ]

    def start(self) -> None:
        """Start fetching (of nothing, until partitions are assigned)."""
        for thread in self.threads:
            thread.start()

    def assign(self, token: int, positions: Mapping[TP, int | None]) -> None:
        """Fetch these partitions and nothing else, from these offsets (None: from the beginning of the log)."""
        for number, thread in enumerate(self.threads):
            thread.assign(token, {tp: at for tp, at in positions.items() if self._lane(tp) == number})

    def release(self, batch: Batch) -> None:
        """The batch was applied: its memory no longer counts."""
        self.threads[self._lane(batch.tp)].release(batch)

    @property
    def buffered_bytes(self) -> int:
        """Bytes handed out and not yet applied."""
        return sum(thread.buffered_bytes for thread in self.threads)

    @property
    def pauses(self) -> int:
        """How often a partition or a lane had to rest because its memory was full."""
        return sum(thread.pauses for thread in self.threads)

    @property
    def paused_s(self) -> float:
        """Seconds of such rests, of partitions and lanes summed up."""
        return sum(thread.paused_s for thread in self.threads)

    def stop(self) -> None:
        """Stop fetching and wait for the threads (blocking)."""
        for thread in self.threads:
            thread.stop()

    def _lane(self, tp: TP) -> int:
        return int(tp.topic in self._urgent)
