"""Single figures: benchmarks that are programs of their own, run one after the other and kept as they print."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

from benchmarks.environment import ROOT

TIMEOUT_S = 600.0
SINGLES: dict[str, tuple[str, ...]] = {
    "acceptance": (),
    "hot_path": ("--per-sku", "2", "5", "--channels", "1", "--mix", "shipments", "shop", "--runs", "1"),
    "latency": (),
    "listings": (),
    "planner": (),
    "recovery": ("--store", "memory"),
    "state_size": (),
}
"""Module of ``benchmarks`` and its options; the others are for whoever changes what they measure."""


def single(name: str) -> dict[str, Any]:
    """Run one: what it printed, or why there is nothing."""
    options = SINGLES.get(name, ())
    command = [sys.executable, "-m", f"benchmarks.{name}", *options]
    began = time.monotonic()
    print(f"{name} ...", file=sys.stderr, flush=True)
    told: dict[str, Any] = {"command": " ".join(["python", *command[1:]])}
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {**told, "failed": f"not done in {TIMEOUT_S:g} s"}
    told["took_s"] = round(time.monotonic() - began, 1)
    if done.returncode:
        return {**told, "failed": f"ended with {done.returncode}: {done.stderr.strip()[-1000:]}"}
    return {**told, "printed": done.stdout.strip()}
