"""A program that outlives its starter: pid file, log file, and signals only to what is provably ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from streams.local.errors import LocalStackError, StartFailed

_POLL_S = 0.02
_LOG_TAIL_LINES = 15


class Daemon:
    """One detached program of the local stack.

    The pid file holds the pid and the command line. A pid counts as ours only while the running program has
    exactly this command line: one that the system gave to somebody else in the meantime is never signalled.
    Signals go to the program's whole group, which is its own.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.pid_path = directory / f"{name}.pid"
        self.log_path = directory / f"{name}.log"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The pid of the running program, None when it does not run."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None
        try:
            written = json.loads(self.pid_path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        pid = int(written["pid"])
        return pid if command_of(pid) == written["command"] else None

    def start(
        self,
        argv: Sequence[str],
        *,
        ready: Callable[[], bool],
        timeout_s: float,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Start the program and return once `ready()`; StartFailed leaves nothing running."""
        if self.pid is not None:
            raise LocalStackError(f"{self.name} already runs as pid {self.pid}")
        self.pid_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=cwd,
                start_new_session=True,
            )
        self._note(self._child.pid, " ".join(argv))
        try:
            self._await_ready(self._child, ready, timeout_s)
        except BaseException:
            self.kill()
            raise

    def stop(self, timeout_s: float = 15.0) -> bool:
        """Ask the program to end, and kill it when it has not after `timeout_s`. False when it did not run."""
        pid = self.pid
        if pid is None:
            self.pid_path.unlink(missing_ok=True)
            return False
        self._signal(pid, signal.SIGTERM)
        self._signal(pid, signal.SIGCONT)  # a paused program would never see the request
        if not self._await_end(timeout_s):
            self.kill()
        self.pid_path.unlink(missing_ok=True)
        return True

    def kill(self) -> None:
        """End the program at once, as a crash would; its files stay as they are."""
        pid = self.pid or (self._child.pid if self._child is not None and self._child.poll() is None else None)
        if pid is None:
            return
        self._signal(pid, signal.SIGKILL)
        if not self._await_end(10.0):
            raise LocalStackError(f"{self.name} (pid {pid}) did not end 10 s after SIGKILL")

    def pause(self) -> None:
        """Freeze the program (SIGSTOP): it keeps its connections and answers nothing."""
        self._signal(self._running_pid(), signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen program go on."""
        self._signal(self._running_pid(), signal.SIGCONT)

    def log_tail(self) -> str:
        """The last lines of the log, for error messages."""
        try:
            lines = self.log_path.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return "(no log)"
        return "\n".join(lines[-_LOG_TAIL_LINES:])

    def _running_pid(self) -> int:
        pid = self.pid
        if pid is None:
            raise LocalStackError(f"{self.name} does not run")
        return pid

    def _await_ready(self, child: subprocess.Popen[bytes], ready: Callable[[], bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            answering = ready()
            # Looked at after the answer: it may have come from somebody else, who took the address first.
            status = child.poll()
            if status is not None:
                raise StartFailed(f"{self.name} ended with status {status} ({self.log_path}):\n{self.log_tail()}")
            command = command_of(child.pid)
            if answering and command:
                # As the system sees it: a wrapper script may have put another program in its place.
                self._note(child.pid, command)
                return
            if time.monotonic() > deadline:
                raise StartFailed(
                    f"{self.name} was not ready in {timeout_s:g} s ({self.log_path}):\n{self.log_tail()}"
                )
            time.sleep(_POLL_S)

    def _await_end(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self.pid is not None or (self._child is not None and self._child.poll() is None):
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def _note(self, pid: int, command: str) -> None:
        self.pid_path.write_text(json.dumps({"pid": pid, "command": command}))

    @staticmethod
    def _signal(pid: int, number: signal.Signals) -> None:
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            return  # ended between the look and the signal, which is what every signal here is after or allows


def command_of(pid: int) -> str | None:
    """The command line of the running program with this pid; None without one. A zombie no longer runs."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None if Path("/proc/self").exists() else _listed_by_ps(pid)
    return raw.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace") or None


def _listed_by_ps(pid: int) -> str | None:
    command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout.strip() or None
