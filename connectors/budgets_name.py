"""The name of a member: a process started again on the same machine gets it again, and nobody has it beside it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import tempfile
from pathlib import Path

from connectors.budgets_script import MAX_MEMBERS


class MemberName:
    """``<host>/<n>`` with the lowest n that no living process of this machine has for the account.

    The kernel takes the lock from a process that ends, however it ends: who has the lock knows that the one before
    makes no more calls. Containers that share a host name but not its files need names of their own.
    """

    def __init__(self, account: str, directory: Path | None = None) -> None:
        self._directory = directory or Path(tempfile.gettempdir())
        self._account = hashlib.sha256(account.encode()).hexdigest()[:16]
        self._file: int | None = None

    def claim(self) -> str:
        """Take the name. Raises ``OSError``: every one is in use, or no lock can be made."""
        for number in range(MAX_MEMBERS):
            path = self._directory / f"atstream-budget-{os.getuid()}-{self._account}-{number}.lock"
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                continue
            self._file = file
            return f"{socket.gethostname()}/{os.getuid()}/{number}"
        raise OSError(f"{MAX_MEMBERS} processes share this budget on this machine already")

    def release(self) -> None:
        """Give the name back. Safe to call twice."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
