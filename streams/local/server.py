"""What the servers of the local stack have in common: an address on the loopback and a daemon behind it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from streams.local import ports
from streams.local.daemon import Daemon


class LocalServer(ABC):
    """One server in one directory, on one loopback port.

    A second object on the same directory sees, and stops, what the first one started.
    """

    def __init__(self, name: str, directory: Path, port: int | None) -> None:
        """A port that is None is drawn from the free ones."""
        self.directory = directory.resolve()
        self.port = port if port is not None else ports.free_port()
        self.address = f"{ports.LOOPBACK}:{self.port}"
        self.daemon = Daemon(name, self.directory)

    @property
    def pid(self) -> int | None:
        """The server's pid, None while it does not run."""
        return self.daemon.pid

    @property
    def log_path(self) -> Path:
        """What the server wrote to its log."""
        return self.daemon.log_path

    @abstractmethod
    def start(self) -> None:
        """Start the server and return when it answers.

        Raises Unavailable (a program or package is absent), PortBusy, or StartFailed with the end of the log.
        """

    def stop(self, timeout_s: float = 20.0) -> bool:
        """Stop the server in order, after `timeout_s` by force. False when it did not run."""
        return self.daemon.stop(timeout_s)

    def kill(self) -> None:
        """Crash the server (SIGKILL)."""
        self.daemon.kill()

    def pause(self) -> None:
        """Freeze the server (SIGSTOP): it keeps its connections and answers nothing."""
        self.daemon.pause()

    def resume(self) -> None:
        """Let a frozen server go on (SIGCONT)."""
        self.daemon.resume()
