"""A channel that is a file: one JSON line for each accepted update, appended, safe against crashes.

Opening repairs a line that a crash left torn and reads back the newest ``publish_seq`` of each listing in the
last lines, so that an update that is sent again after a restart is not written twice.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import Sequence
from pathlib import Path

from connectors.channels.base import ChannelUnusable, Limits, Outcome, Result, Update, same_answer, too_large
from connectors.channels.kind import CallLimits, ChannelKind, KindSettings
from connectors.channels.wire import line

# Only updates that were written but not acknowledged can come again: at most one batch. These many bytes of the
# end of the file hold far more lines than any batch.
REMEMBERED_BYTES = 16 * 1024 * 1024


class FileSettings(KindSettings):
    """Where the lines go. ``fsync``: a line is on the disk before it counts as accepted."""

    path: Path
    fsync: bool = True


class FileSink:
    """Appends JSON lines to ``path``. With ``fsync`` a line is on the disk before it counts as accepted.

    One process writes a file: a second one is refused by a lock.
    """

    def __init__(self, path: Path, max_updates: int = 500, *, fsync: bool = True) -> None:
        self._path = path
        self._fsync = fsync
        self._limits = Limits(max_updates, max_bytes=REMEMBERED_BYTES // 2)
        self._file: int | None = None
        self._newest: dict[str, int] = {}

    @property
    def limits(self) -> Limits:
        """What one call may carry."""
        return self._limits

    async def open(self) -> None:
        """Create the file if need be, lock it, cut off a torn last line.

        Raises ``ChannelUnusable``: the file cannot be opened, or another process writes to it.
        """
        await asyncio.to_thread(self._open)

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        """Write the batch in one go. A full or failing disk is RETRY, and nothing of the batch stays behind."""
        fresh = [update for update in batch if update.publish_seq > self._newest.get(update.listing, -1)]
        lines = b"".join(map(line, fresh))
        if len(lines) > self._limits.max_bytes:
            return too_large(batch)
        try:
            await asyncio.to_thread(self._append, lines)
        except OSError as error:
            return same_answer(batch, Outcome.RETRY, f"cannot write {self._path.name}: {error.strerror}")
        self._newest.update((update.listing, update.publish_seq) for update in fresh)
        return [self._answer(update) for update in batch]

    async def close(self) -> None:
        """Unlock and close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _answer(self, update: Update) -> Result:
        if update.publish_seq < self._newest[update.listing]:
            return Result(update.listing, update.publish_seq, Outcome.REJECTED, "STALE")
        return Result(update.listing, update.publish_seq, Outcome.ACCEPTED)

    def _open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise ChannelUnusable(f"cannot open {self._path}: {error.strerror}; set another path") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._newest = _repair(file)
            _persist_name(self._path.parent)
        except BlockingIOError:
            os.close(file)
            raise ChannelUnusable(
                f"another process writes to {self._path}: give each sink process a path of its own"
            ) from None
        except OSError as error:
            os.close(file)
            raise ChannelUnusable(f"cannot repair {self._path}: {error.strerror}") from error
        self._file = file

    def _append(self, lines: bytes) -> None:
        if self._file is None:
            raise RuntimeError("the file sink is not open")
        end = os.lseek(self._file, 0, os.SEEK_END)
        try:
            written = 0
            while written < len(lines):
                written += os.write(self._file, lines[written:])
            if self._fsync:
                os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, end)
            raise


def _repair(file: int) -> dict[str, int]:
    """Cut off a torn last line; the newest sequence number of each listing in the remembered end of the file."""
    size = os.lseek(file, 0, os.SEEK_END)
    start = max(0, size - REMEMBERED_BYTES)
    tail = os.pread(file, size - start, start)
    whole = tail.rfind(b"\n") + 1
    if whole < len(tail):
        if whole == 0 and start > 0:
            raise OSError(0, "no line end in its last bytes: this is not a file of JSON lines")
        os.ftruncate(file, start + whole)
    lines = tail[:whole].splitlines()
    newest: dict[str, int] = {}
    # The first line may lack its beginning when the file is longer than what is remembered.
    for text in lines[1:] if start > 0 else lines:
        try:
            written = json.loads(text)
            listing, publish_seq = str(written["listing"]), int(written["publish_seq"])
        except (ValueError, KeyError, TypeError):
            raise OSError(0, "it holds a line that is not a channel update; move the file away") from None
        newest[listing] = max(publish_seq, newest.get(listing, -1))
    return newest


def _persist_name(folder: Path) -> None:
    """A new file survives a power loss only when its folder was written too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make(channel: str, settings: FileSettings, calls: CallLimits) -> FileSink:
    return FileSink(settings.path, calls.max_updates, fsync=settings.fsync)


KIND = ChannelKind(FileSettings, _make)
