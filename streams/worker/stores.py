"""Where the facts of each partition are kept: in memory, or on this machine's disk as a copy of the changelog."""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.topics import TOMBSTONE_RETENTION_MS
from streams.data_plane.failures import Misconfigured, StorageFailed
from streams.data_plane.remembering import Extent

if TYPE_CHECKING:
    from tables.rocks import Origin, RocksRows

log = logging.getLogger(__name__)

UNUSED_S = TOMBSTONE_RETENTION_MS * 5 / 6 / 1000
"""A directory unused for longer is filled anew: it might have missed a tombstone."""


class RocksStores:
    """A directory with one database a partition, for one worker at a time. ``clock``: seconds since the epoch.

    Raises ``Misconfigured`` when rocksdict is not installed or another worker uses the directory, and
    ``StorageFailed`` when it cannot be used.
    """

    def __init__(self, directory: Path, clock: Callable[[], float] = time.time) -> None:
        try:
            from tables.rocks import Broken, RocksRows, wiped
        except ImportError as error:
            raise Misconfigured(
                "worker.store is rocksdb, but rocksdict is not installed: install atstream[rocksdb], or leave out "
                "worker.store"
            ) from error
        self._open, self._wipe, self._broken = RocksRows, wiped, Broken
        self._clock = clock
        self.directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = (directory / "lock").open("wb")
        except OSError as error:
            raise StorageFailed(f"worker.store_path {directory} cannot be used: {error}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise Misconfigured(
                f"another worker uses {directory}: give every worker a worker.store_path of its own"
            ) from error

    def opened(self, partition: int, extent: Extent) -> RocksRows:
        """The rows of a partition, emptied if they cannot be a copy of that changelog. Blocking."""
        path = str(self.directory / f"partition-{partition}")
        try:
            rows = self._open(path, self._clock, StorageFailed)
            reason = unusable(rows.origin(), extent, self._clock())
            if not reason:
                return rows
            rows.close()
        except self._broken as error:
            reason = str(error)
        log.info("partition %d: recovered from the changelog alone, because %s", partition, reason)
        self._wipe(path, StorageFailed)
        rows = self._open(path, self._clock, StorageFailed)
        rows.begin(extent.topic_id)
        return rows

    def close(self) -> None:
        """Let others use the directory."""
        self._lock.close()


def unusable(origin: Origin | None, extent: Extent, now_s: float) -> str:
    """Why rows cannot be taken for a copy of the changelog up to their position; empty: they can."""
    if origin is None:
        return "the store is empty, or of another version"
    if not extent.topic_id or origin.topic_id != extent.topic_id:
        return "the changelog is another topic than it was"
    if origin.position > extent.end:
        return f"the changelog ends at {extent.end}, before our position {origin.position}"
    if origin.position < extent.first:
        return f"the changelog begins at {extent.first}, after our position {origin.position}"
    if not 0 <= now_s - origin.written_s <= UNUSED_S:
        return f"the store was last written {now_s - origin.written_s:.0f} s ago"
    return ""
