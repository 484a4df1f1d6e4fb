"""What was written under which control number: one JSON line a file, on the disk before the file gets its name.

So a file exists under its name only if its line is in the journal, a line whose file has no name yet is finished
at the next start, and a control number is never used twice.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Only updates that were written but not acknowledged can come again: at most one batch. These many bytes of the
# end of the journal hold far more lines than any batch.
REMEMBERED_BYTES = 16 * 1024 * 1024
LONGEST_BYTES = 4 * REMEMBERED_BYTES


class JournalUnusable(Exception):
    """The journal cannot be used. The message says why and what to do."""


class Journal:
    """``newest``: the highest ``publish_seq`` that was written of each listing; ``control``: the last number.

    One process uses a journal: a second one is refused by a lock on a file beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: int | None = None
        self._end = 0
        self.newest: dict[str, int] = {}
        self.control = 0

    def open(self) -> None:
        """Lock, cut off a torn last line, read the end. Raises ``JournalUnusable`` and ``OSError``."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise JournalUnusable(
                f"another process uses {self._path}: give each sink a journal of its own"
            ) from None
        self._lock = lock
        self._path.touch(mode=0o640)
        persist_name(self._path.parent)
        self._read()

    def close(self) -> None:
        """Unlock. Safe to call twice."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def add(self, control: int, updates: Sequence[tuple[str, int]]) -> None:
        """Write a line; it is on the disk, or not at all. Raises ``OSError``: not at all."""
        line = json.dumps({"control": control, "updates": updates}, separators=(",", ":")).encode() + b"\n"
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            # Away with what a line that failed left behind, if even taking it away failed then.
            os.ftruncate(file, self._end)
            try:
                write_all(file, line)
            except OSError:
                os.ftruncate(file, self._end)
                raise
        finally:
            os.close(file)
        self._end += len(line)
        self.control = control
        self.newest.update(updates)
        if self._end > LONGEST_BYTES:
            self._shorten()

    def _read(self) -> None:
        with self._path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            start = max(0, size - REMEMBERED_BYTES)
            file.seek(start)
            tail = file.read()
            whole = tail.rfind(b"\n") + 1
            if whole < len(tail):
                if whole == 0 and start > 0:
                    raise JournalUnusable(f"{self._path} is no journal of ours; move it away")
                file.truncate(start + whole)
            self._end = start + whole
        lines = tail[:whole].splitlines()
        # The first line may lack its beginning when the file is longer than what is remembered.
        for text in lines[1:] if start > 0 else lines:
            try:
                self._take(json.loads(text))
            except (ValueError, KeyError, TypeError):
                raise JournalUnusable(f"{self._path} holds a line that is not ours; move it away") from None
        if self._end > LONGEST_BYTES:
            self._shorten()

    def _take(self, line: Any) -> None:
        self.control = int(line["control"])
        for listing, publish_seq in line["updates"]:
            self.newest[str(listing)] = max(int(publish_seq), self.newest.get(str(listing), -1))

    def _shorten(self) -> None:
        """Keep the remembered end only. A crash leaves the old file or the new one."""
        with self._path.open("rb") as file:
            file.seek(-REMEMBERED_BYTES, os.SEEK_END)
            tail = file.read()
        kept = tail[tail.find(b"\n") + 1 :]
        part = self._path.with_name(self._path.name + ".part")
        write_part(part, kept)
        os.replace(part, self._path)
        persist_name(self._path.parent)
        self._end = len(kept)


def write_part(part: Path, content: bytes) -> None:
    """Write a file that has not its final name yet, on the disk. Raises ``OSError``: and it is gone again."""
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        write_all(file, content)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)


def write_all(file: int, content: bytes) -> None:
    """Write and flush to the disk. Raises ``OSError``: part of it may have been written."""
    written = 0
    while written < len(content):
        written += os.write(file, content[written:])
    os.fsync(file)


def persist_name(folder: Path) -> None:
    """A new name survives a power loss only when its folder was written too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
