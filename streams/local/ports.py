"""Ports on the loopback: find a free one, and name the program that holds a busy one."""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass
from pathlib import Path

from streams.local.errors import LocalStackError, PortBusy

LOOPBACK = "127.0.0.1"

# Below the ports that kernels hand to outgoing connections (32768 and up on Linux, 49152 and up elsewhere), so
# that no client takes the port of a server that is about to come back.
_CANDIDATES = range(20_000, 32_000)
_ATTEMPTS = 200
_given: set[int] = set()
"""Ports given before, which somebody in this process is about to listen on."""
_LISTENING = "0A"
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Occupant:
    """The program that listens on a port; both fields are None where the system does not tell."""

    pid: int | None
    command: str | None

    def __str__(self) -> str:
        if self.pid is None:
            return "another program (this system does not say which)"
        return f"pid {self.pid} ({self.command or 'unknown command'})"


def free_port() -> int:
    """A loopback TCP port that nobody listens on now, and that was not given to this process lately.

    Raises LocalStackError when none was found in 200 draws.
    """
    if len(_given) > len(_CANDIDATES) // 2:
        _given.clear()
    for _ in range(_ATTEMPTS):
        port = random.choice(_CANDIDATES)
        if port not in _given and _bindable(port):
            _given.add(port)
            return port
    raise LocalStackError(
        f"no free port on {LOOPBACK} in {_CANDIDATES.start}-{_CANDIDATES.stop - 1}: pass ports explicitly"
    )


def occupant(port: int) -> Occupant | None:
    """Who listens on the port, or None when it is free."""
    if _bindable(port):
        return None
    return _find_listener(port) or Occupant(None, None)


def require_free(port: int, purpose: str, option: str) -> None:
    """Raise PortBusy naming the occupant when the port is taken; `option` is how to choose another one."""
    holder = occupant(port)
    if holder is not None:
        raise PortBusy(
            f"port {port} for {purpose} is taken by {holder}: stop it, or choose another port with {option}"
        )


def _bindable(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Servers set this too: connections still closing after a restart are not an occupant.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _find_listener(port: int) -> Occupant | None:
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and _owns_socket(entry, inodes):
            return Occupant(int(entry.name), _command(entry))
    return None


def _listening_inodes(port: int) -> frozenset[str]:
    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (_PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue  # not Linux, or no IPv6: the occupant stays unnamed
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    return frozenset(inodes)


def _owns_socket(entry: Path, inodes: frozenset[str]) -> bool:
    try:
        return any(str(descriptor.readlink()) in inodes for descriptor in (entry / "fd").iterdir())
    except OSError:
        return False  # ended meanwhile, or belongs to somebody else


def _command(entry: Path) -> str | None:
    try:
        words = (entry / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    text = " ".join(word.decode(errors="replace") for word in words if word)
    return text if len(text) <= 120 else text[:117] + "..."
