"""The registry's memory on disk: one JSON line per change, on the disk before the change is confirmed."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streams.local.errors import LocalStackError


class Journal:
    """An append-only file that one registry writes at a time.

    A last line without its end is what a crash left of a change that was never confirmed: it is cut off. Any other
    line that cannot be read is damage, and opening the journal raises LocalStackError with the line's number.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise LocalStackError(f"{path} is in use by another registry: stop that one first") from None
        self._cut_unfinished_line()

    def entries(self) -> Iterator[dict[str, Any]]:
        """Every change, oldest first."""
        self._file.seek(0)
        for number, line in enumerate(self._file, start=1):
            try:
                entry = json.loads(line)
            except ValueError as error:
                raise LocalStackError(
                    f"{self.path}, line {number} is damaged ({error}): restore it, or remove it to start empty"
                ) from None
            yield entry

    def append(self, entry: dict[str, Any]) -> None:
        """Write one change and return when it is on the disk."""
        self._file.seek(0, os.SEEK_END)
        self._file.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let another registry have the file."""
        self._file.close()

    def _cut_unfinished_line(self) -> None:
        self._file.seek(0)
        content = self._file.read()
        if content and not content.endswith(b"\n"):
            self._file.truncate(content.rfind(b"\n") + 1)
