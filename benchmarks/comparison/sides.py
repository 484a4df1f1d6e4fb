"""The sides: what ``benchmarks/peers/*/side.toml`` says of each, and installing what it needs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.environment import ROOT

PEERS = ROOT / "benchmarks" / "peers"
INSTALL_TIMEOUT_S = 900.0
REQUIREMENTS = "requirements.txt"
STAMP = ".installed"


class SideUnavailable(Exception):
    """The side cannot be run on this machine; the message is the reason that is reported."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side as its ``side.toml`` describes it; the fields are explained in ``benchmarks/peers/README.md``."""

    name: str
    directory: Path
    title: str
    version: str
    command: tuple[str, ...]
    build: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    events: int | None = None
    warm_up: float = 0.10
    progress: str = "committed"
    outputs: str = "each"
    reader: str = "json"
    deployment: bool = False
    notes: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def with_environment(self, **more: str) -> Side:
        """The same side with further environment variables: a variant of it."""
        return replace(self, environment={**self.environment, **more})


def read_side(directory: Path) -> Side:
    """The side of a directory. Raises ValueError naming the file and what is wrong with it."""
    path = directory / "side.toml"
    told = tomllib.loads(path.read_text())
    for name in ("command", "build", "requires"):
        told[name] = tuple(told.get(name, ()))
    try:
        side = Side(name=directory.name, directory=directory, **told)
    except TypeError as error:
        raise ValueError(f"{path}: {error}") from error
    for value, allowed in (
        (side.progress, ("committed", "outputs")),
        (side.outputs, ("each", "coalesced")),
        (side.reader, ("json", "ats-changed")),
    ):
        if value not in allowed:
            raise ValueError(f"{path}: {value!r} is none of {', '.join(allowed)}")
    return side


def all_sides() -> dict[str, Side]:
    """Every side there is, by name."""
    return {path.parent.name: read_side(path.parent) for path in sorted(PEERS.glob("*/side.toml"))}


class Installation:
    """Where a side's program runs: a Python environment of its own, the project's, or a build directory."""

    def __init__(self, side: Side, directory: Path) -> None:
        """``directory`` is where environments are kept; each side gets one of its name."""
        self.side = side
        self.environment = directory / side.name
        self._own = (side.directory / REQUIREMENTS).is_file()
        self.python = str(self.environment / "bin" / "python") if self._own else sys.executable

    def install(self) -> None:
        """Install or build what is not there yet. Raises SideUnavailable with the reason."""
        for program in self.side.requires:
            if shutil.which(program) is None:
                raise SideUnavailable(f"`{program}` is not on PATH")
        stamp, wanted = self.environment / STAMP, self._fingerprint()
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        if self._own:
            self._make_environment()
        self.environment.mkdir(parents=True, exist_ok=True)
        if self.side.build:
            self._run("building", [self.filled(word) for word in self.side.build])
        stamp.write_text(wanted)

    def filled(self, word: str) -> str:
        """A word of a command with its placeholders filled in."""
        return (
            word.replace("{python}", self.python)
            .replace("{env}", str(self.environment))
            .replace("{side}", str(self.side.directory))
        )

    def version(self) -> str:
        """The version that is installed, or what the side says of itself."""
        if not self.side.version or self.side.version[0].isdigit():
            return self.side.version
        ask = f"import importlib.metadata as m; print(m.version({self.side.version!r}))"
        told = subprocess.run([self.python, "-c", ask], capture_output=True, text=True, timeout=60, check=False)
        return told.stdout.strip() or "unknown"

    def _fingerprint(self) -> str:
        """Changes when anything does that the installation was made of."""
        digest = hashlib.sha256(repr(self.side.build).encode())
        sources = sorted(self.side.directory.rglob("*")) if self.side.build else []
        if self._own:
            sources.append(self.side.directory / REQUIREMENTS)
        for path in sources:
            if path.is_file():
                digest.update(path.read_bytes())
        return digest.hexdigest()

    def _make_environment(self) -> None:
        uv = str(Path(sys.executable).with_name("uv"))
        self._run(
            "making its environment", [uv, "venv", "--clear", "-q", "-p", sys.executable, str(self.environment)]
        )
        requirements = str(self.side.directory / REQUIREMENTS)
        self._run("installing it", [uv, "pip", "install", "-q", "-p", self.python, "-r", requirements])

    def _run(self, what: str, command: list[str]) -> None:
        environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
        environment.pop("VIRTUAL_ENV", None)
        try:
            done = subprocess.run(
                command,
                cwd=self.side.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=INSTALL_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SideUnavailable(f"{what} failed: {error}") from error
        if done.returncode:
            tail = " / ".join((done.stdout + done.stderr).strip().splitlines()[-5:])
            raise SideUnavailable(f"{what} failed: {tail}")
