"""The programs a demo starts: each with a log, each stopped in the end whatever happens, by its own pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

STOP_S = 10.0
_LOG_TAIL_LINES = 12


class ChildFailed(RuntimeError):
    """A program ended that should run; the message has its exit status and the end of its log."""


class Child:
    """One program. ``ended_by_us`` is set before it is stopped or killed, so that its end is no failure."""

    def __init__(self, name: str, module: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self.started_at = time.monotonic()
        self.ended_by_us = False
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *module],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                # Its own session: Ctrl-C on the terminal reaches us alone, and we stop it in order.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its pid, also after its end."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def require_running(self) -> None:
        """Raise ``ChildFailed`` when it ended without being told to."""
        if not self.running and not self.ended_by_us:
            raise ChildFailed(
                f"{self.name} (pid {self.pid}) ended with status {self._process.returncode}; "
                f"the end of {self.log}:\n{self.log_tail()}"
            )

    def kill(self) -> None:
        """Crash it (SIGKILL)."""
        self.ended_by_us = True
        self._process.kill()
        self._process.wait(STOP_S)

    def ask_to_stop(self) -> None:
        """SIGTERM; does not wait."""
        self.ended_by_us = True
        if self.running:
            self._process.terminate()

    def wait_stopped(self, timeout_s: float = STOP_S) -> None:
        """Wait for the end that was asked for; kill it when that takes too long."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def log_tail(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL_LINES:]) or "(nothing)"


class Children:
    """All programs of one demo, started with a common environment, logging into one directory."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._environment = environment
        self._all: list[Child] = []

    def start(self, name: str, module: Sequence[str], environment: Mapping[str, str] | None = None) -> Child:
        """Start ``python -m`` with these arguments."""
        child = Child(name, module, {**self._environment, **(environment or {})}, self._directory / f"{name}.log")
        self._all.append(child)
        return child

    def require_running(self) -> None:
        """Raise ``ChildFailed`` for the first that ended without being told to."""
        for child in self._all:
            child.require_running()

    def running_pids(self) -> list[int]:
        """The pids of those that run."""
        return [child.pid for child in self._all if child.running]

    def stop(self) -> None:
        """Stop all, the last started first; in the time of the slowest, not of all together."""
        for child in reversed(self._all):
            child.ask_to_stop()
        for child in reversed(self._all):
            child.wait_stopped()


@contextmanager
def signals_end_the_demo() -> Iterator[None]:
    """SIGTERM and SIGHUP raise SystemExit, as SIGINT raises KeyboardInterrupt: every ``finally`` gets its turn."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
