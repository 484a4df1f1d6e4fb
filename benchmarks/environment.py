"""What a benchmark ran on, printed above its numbers so that they can be compared and repeated."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def describe() -> str:
    """Machine, Python version, commit (``+``: with local changes) and command, one a line."""
    return "\n".join(f"{name:<9}{told}" for name, told in facts().items())


def facts() -> dict[str, str]:
    """The same, by name."""
    return {
        "machine": f"{_processor()}, {platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "commit": _commit(),
        "command": " ".join(["python", *sys.orig_argv[1:]]),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    models = (
        [
            line.split(":", 1)[1].strip()
            for line in cpuinfo.read_text().splitlines()
            if line.startswith("model name")
        ]
        if cpuinfo.exists()
        else []
    )
    return f"{len(models)} x {models[0]}" if models else platform.processor() or "unknown processor"


def _commit() -> str:
    commit = _git("rev-parse", "--short", "HEAD")
    return f"{commit}+" if commit and _git("status", "--porcelain", "--untracked-files=no") else commit or "none"


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:  # no git on this machine: the commit is reported as none
        return ""


def resident_bytes() -> int:
    """What this process has in memory now; a peak would begin with that of whoever started it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
