"""Copies the project, changes one line, and sees whether anybody notices."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.mutants.catalogue import Mutant

ROOT = Path(__file__).parents[2]
TIME_LIMIT_S = 300
PARALLEL = 2

# What the tests of the core need; the copy must not find the original by accident.
COPIED = ("domain", "schemas", "tests", "pyproject.toml")
IGNORED = shutil.ignore_patterns("__pycache__", "integration", "topology", "contracts")


class Verdict(NamedTuple):
    """How a mutant fared: ``noticed_by`` is empty when it survived."""

    mutant: Mutant
    noticed_by: str


def mutated(text: str, mutant: Mutant) -> str:
    """The module with its one line changed. Raises ValueError when the line is not there exactly once."""
    if text.count(mutant.right) != 1:
        raise ValueError(
            f"{mutant.name}: domain/{mutant.module}.py has {text.count(mutant.right)} x {mutant.right!r}"
        )
    return text.replace(mutant.right, mutant.wrong)


@contextmanager
def copy_with(mutant: Mutant | None) -> Iterator[Path]:
    """A copy of the project with the mutant in it (None: as it is)."""
    with TemporaryDirectory(prefix="atstream-mutant-") as name:
        copy = Path(name)
        for part in COPIED:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, copy / part, ignore=IGNORED)
            else:
                shutil.copy(ROOT / part, copy / part)
        if mutant is not None:
            module = copy / "domain" / f"{mutant.module}.py"
            module.write_text(mutated(module.read_text(), mutant))
        yield copy


def noticed(mutant: Mutant | None, arguments: Iterable[str], environment: dict[str, str]) -> str:
    """The first line that says what is wrong; empty when nothing is. A hanging mutant is noticed, too."""
    with copy_with(mutant) as copy:
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        try:
            run = subprocess.run(
                (sys.executable, *arguments),
                cwd=copy,
                env=clean | {"PYTHONDONTWRITEBYTECODE": "1"} | environment,
                capture_output=True,
                text=True,
                timeout=TIME_LIMIT_S,
            )
        except subprocess.TimeoutExpired:
            return f"not done within {TIME_LIMIT_S} s"
    if run.returncode == 0:
        return ""
    said = [
        line for line in run.stdout.splitlines() if line.startswith(("golden", "simulation", "FAILED", "ERROR"))
    ]
    return said[0] if said else (run.stderr.strip().splitlines() or ["failed without a word"])[-1]


def verdicts(
    mutants: Iterable[Mutant], arguments: Iterable[str], environment: dict[str, str] | None = None
) -> Iterator[Verdict]:
    """Each mutant's verdict by one command, in the order of the mutants."""
    command = tuple(arguments)
    chosen = list(mutants)
    with ThreadPoolExecutor(PARALLEL) as pool:
        results = pool.map(lambda mutant: noticed(mutant, command, environment or {}), chosen)
        for mutant, result in zip(chosen, results, strict=True):
            yield Verdict(mutant, result)
