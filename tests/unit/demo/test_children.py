from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from streams.demo.children import Child, ChildFailed, Children, signals_end_the_demo


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "patient.py").write_text(
        textwrap.dedent(
            """
            import os, signal, sys, time
            if "stubborn" in sys.argv:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            print("ready", os.environ.get("COLOUR"), flush=True)
            if "fails" in sys.argv:
                sys.exit("out of luck")
            time.sleep(60)
            """
        )
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "patient"


def await_ready(child: Child) -> None:
    deadline = time.monotonic() + 20
    while "ready" not in child.log.read_text():
        assert time.monotonic() < deadline, "the child did not get ready"
        time.sleep(0.02)


def test_a_child_gets_the_environment_and_a_log_of_its_own(module: str, tmp_path: Path) -> None:
    children = Children(tmp_path, {"COLOUR": "blue"})
    try:
        child = children.start("painter", [module])
        await_ready(child)
        assert child.running
        assert (tmp_path / "painter.log").read_text() == "ready blue\n"
    finally:
        children.stop()
    assert not child.running


def test_a_child_that_ends_by_itself_is_a_failure_with_its_last_words(module: str, tmp_path: Path) -> None:
    children = Children(tmp_path, {})
    child = children.start("unlucky", [module, "fails"])
    child.wait_stopped(20)
    with pytest.raises(ChildFailed, match=r"unlucky .* status 1(.|\n)*out of luck"):
        children.require_running()


def test_a_child_that_was_killed_on_purpose_is_no_failure(module: str, tmp_path: Path) -> None:
    children = Children(tmp_path, {})
    child = children.start("victim", [module])
    child.kill()
    assert not child.running
    children.require_running()


def test_a_child_that_does_not_want_to_stop_is_killed(module: str, tmp_path: Path) -> None:
    children = Children(tmp_path, {})
    child = children.start("stubborn", [module, "stubborn"])
    await_ready(child)
    child.ask_to_stop()
    child.wait_stopped(0.2)
    assert not child.running


def test_sigterm_runs_every_finally() -> None:
    program = textwrap.dedent(
        """
        import os, signal
        from streams.demo.children import signals_end_the_demo
        try:
            with signals_end_the_demo():
                os.kill(os.getpid(), signal.SIGTERM)
                signal.pause()
        finally:
            print("cleaned up", flush=True)
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "cleaned up\n"
    assert done.returncode == 128 + signal.SIGTERM


def test_the_former_signal_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with signals_end_the_demo():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
