"""Programs that outlive their starter: only what is provably ours is ever signalled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.local.daemon import Daemon
from streams.local.errors import LocalStackError, StartFailed

PAUSE = "import time; time.sleep(600)"
SLEEPER = [sys.executable, "-c", PAUSE]
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)"
STUBBORN = [sys.executable, "-c", f"{DEAF}; time.sleep(600)"]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon("sleeper", tmp_path)
    yield daemon
    daemon.kill()


def start(daemon: Daemon, argv: list[str], ready: Callable[[], bool] = lambda: True) -> None:
    daemon.start(argv, ready=ready, timeout_s=20)


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_program_runs_until_it_is_stopped(daemon: Daemon) -> None:
    assert daemon.pid is None
    start(daemon, SLEEPER)
    assert daemon.pid is not None
    assert daemon.stop()
    assert daemon.pid is None
    assert not daemon.pid_path.exists()
    assert not daemon.stop(), "there is nothing left to stop"


def test_another_starter_sees_and_stops_it(daemon: Daemon, tmp_path: Path) -> None:
    start(daemon, SLEEPER)
    other = Daemon("sleeper", tmp_path)
    assert other.pid == daemon.pid
    assert other.stop()
    assert daemon.pid is None


def test_it_is_not_started_twice(daemon: Daemon, tmp_path: Path) -> None:
    start(daemon, SLEEPER)
    with pytest.raises(LocalStackError, match="already runs as pid"):
        start(Daemon("sleeper", tmp_path), SLEEPER)
    assert daemon.pid is not None


def test_a_pid_that_belongs_to_somebody_else_now_is_left_alone(daemon: Daemon) -> None:
    with subprocess.Popen(SLEEPER) as stranger:
        daemon.pid_path.write_text(json.dumps({"pid": stranger.pid, "command": "java kafka.Kafka"}))
        assert daemon.pid is None
        assert not daemon.stop()
        daemon.kill()
        assert stranger.poll() is None
        stranger.kill()


def test_an_unreadable_pid_file_is_no_program(daemon: Daemon) -> None:
    daemon.pid_path.write_text("{")
    assert daemon.pid is None


def test_a_program_that_ends_at_once_is_reported_with_its_last_words(daemon: Daemon) -> None:
    with pytest.raises(StartFailed, match=r"(?s)status 3.*no such disk"):
        start(daemon, [sys.executable, "-c", "print('no such disk'); raise SystemExit(3)"], lambda: False)
    assert daemon.pid is None


def test_an_answer_of_somebody_else_is_not_taken_for_its_own(daemon: Daemon) -> None:
    def answered_by_somebody_else() -> bool:
        time.sleep(0.5)  # the program has ended by then
        return True

    with pytest.raises(StartFailed, match="status 3"):
        start(daemon, [sys.executable, "-S", "-c", "raise SystemExit(3)"], answered_by_somebody_else)


def test_a_program_that_is_never_ready_is_ended(daemon: Daemon) -> None:
    with pytest.raises(StartFailed, match=r"not ready in 0\.1 s"):
        daemon.start(SLEEPER, ready=lambda: False, timeout_s=0.1)
    assert daemon.pid is None


def test_an_interrupted_start_leaves_nothing_running(daemon: Daemon) -> None:
    def interrupted() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(daemon, SLEEPER, interrupted)
    assert daemon.pid is None


def test_a_program_that_does_not_listen_is_killed(daemon: Daemon) -> None:
    start(daemon, STUBBORN, lambda: "deaf" in daemon.log_tail())
    assert daemon.stop(timeout_s=0.2)
    assert daemon.pid is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads the program's state from /proc")
def test_a_program_is_frozen_and_resumed(daemon: Daemon) -> None:
    start(daemon, SLEEPER)
    assert daemon.pid is not None
    daemon.pause()
    os.waitid(os.P_PID, daemon.pid, os.WSTOPPED | os.WNOWAIT)
    assert state_of(daemon.pid) == "T"
    daemon.resume()
    os.waitid(os.P_PID, daemon.pid, os.WCONTINUED | os.WNOWAIT)
    assert state_of(daemon.pid) != "T"


def test_a_frozen_program_can_be_stopped(daemon: Daemon) -> None:
    start(daemon, SLEEPER)
    daemon.pause()
    assert daemon.stop()
    assert daemon.pid is None


def test_what_does_not_run_cannot_be_frozen(daemon: Daemon) -> None:
    with pytest.raises(LocalStackError, match="does not run"):
        daemon.pause()


def test_a_program_that_a_wrapper_script_put_in_its_place_is_ours_too(daemon: Daemon, tmp_path: Path) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f"#!/bin/sh\nexec {sys.executable} -c \"print('started', flush=True); {PAUSE}\"\n")
    wrapper.chmod(0o755)
    start(daemon, [str(wrapper)], lambda: "started" in daemon.log_tail())
    assert daemon.pid is not None
    assert Daemon("sleeper", tmp_path).stop()
    assert daemon.pid is None


def test_it_does_not_get_the_signals_of_its_starters_terminal(daemon: Daemon) -> None:
    start(daemon, SLEEPER)
    assert daemon.pid is not None
    assert os.getsid(daemon.pid) != os.getsid(0)
