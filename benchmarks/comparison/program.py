"""A side as running processes: started, measured through /proc, asked to stop, killed. Always by pid."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
LOG_TAIL = 2_000


class Program:
    """One started process in a session of its own, with its descendants."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], directory: Path, log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                list(command),
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def cpu_seconds(self) -> float:
        """User and system time of the process and its living descendants; ended children count by their parent."""
        return sum(cpu_seconds(pid) for pid in descendants(self.pid))

    def peak_bytes(self) -> int:
        """The high-water marks of resident memory of the process and its descendants, summed."""
        return sum(peak_bytes(pid) for pid in descendants(self.pid))

    def stop(self, timeout_s: float = 20.0) -> int | None:
        """SIGTERM, after the time-out SIGKILL. The exit code; None when it had to be killed."""
        if self.exit_code is None:
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
                return None
        self.kill()  # what it may have left of its session
        return self._process.returncode

    def kill(self) -> None:
        """SIGKILL to the process and everything else in its session."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(10)

    def log_tail(self) -> str:
        """The end of what it wrote."""
        return self.log.read_text(errors="replace")[-LOG_TAIL:].strip()


def descendants(pid: int) -> list[int]:
    """The process and everything it started, as far as it lives."""
    found, waiting = [], [pid]
    while waiting:
        each = waiting.pop()
        found.append(each)
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for task in Path(f"/proc/{each}/task").iterdir():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    waiting.extend(map(int, (task / "children").read_text().split()))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its threads and its ended, awaited children; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS


def peak_bytes(pid: int) -> int:
    """The high-water mark of a process's resident memory; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    marks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(marks[0]) * 1024 if marks else 0
