"""A small disk for the workers' stores that a round can fill up."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

SIZE_MB = 96
_BLOCK = b"\0" * 1_048_576


class SmallDisk:
    """A file system in memory, mounted for a round; where mounting is not permitted, nothing fills up."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "store"
        self.path.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "chaos", str(self.path)]
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        self.can_be_filled = mounted

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Not a byte is free in here."""
        ballast = self.path / "ballast"
        try:
            with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(_BLOCK)
            yield
        finally:
            ballast.unlink()

    def close(self) -> None:
        """Give the memory back."""
        unmount(self.path)


def unmount(path: Path) -> None:
    """Take away what an interrupted round may have left mounted."""
    if os.path.ismount(path):
        subprocess.run(["umount", "--lazy", str(path)], check=True)
