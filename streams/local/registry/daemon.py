"""The registry as a program of its own: started, stopped, crashed and frozen like the other parts of the stack."""

from __future__ import annotations

import sys
from pathlib import Path

from connectors.registry import RegistryUnavailable, SchemaRegistry
from connectors.registry_http import RegistryHttp
from streams.local import ports
from streams.local.readiness import listens
from streams.local.server import LocalServer

DEFAULT_PORT = 8081
_ROOT = Path(__file__).resolve().parents[3]
_START_TIMEOUT_S = 30.0


class LocalRegistry(LocalServer):
    """One registry in one directory; what it confirmed survives `stop` and `kill`."""

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        """A port that is None is drawn from the free ones."""
        super().__init__("registry", directory, port)
        self.url = f"http://{self.address}"
        self.journal = self.directory / "schemas.jsonl"

    def start(self, timeout_s: float = _START_TIMEOUT_S) -> None:
        """Start the registry and return when it answers. Raises PortBusy or StartFailed."""
        ports.require_free(self.port, "the schema registry", "--registry-port")
        command = [sys.executable, "-m", "streams.local.registry"]
        self.daemon.start(
            [*command, "--journal", str(self.journal), "--port", str(self.port)],
            ready=self._answers,
            timeout_s=timeout_s,
            cwd=_ROOT,
        )

    def _answers(self) -> bool:
        if not listens(self.address):
            return False
        try:
            SchemaRegistry(RegistryHttp(self.url, timeout_s=1.0, attempts=1)).subjects()
        except RegistryUnavailable:
            return False
        return True
