"""A real Apache Kafka on this machine: one node, broker and controller in one program (KRaft), loopback only."""

from __future__ import annotations

import base64
import os
import subprocess
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from streams.local import jars, ports
from streams.local.errors import StartFailed
from streams.local.readiness import answers_metadata
from streams.local.server import LocalServer

DEFAULT_PORT = 9092
DEFAULT_CONTROLLER_PORT = 9093

_START_TIMEOUT_S = 90.0
_FORMAT_TIMEOUT_S = 60.0
# The first compiler only and the class archive of the JDK: the broker is ready in about half the time.
_JAVA_FLAGS = ("-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:+UseSerialGC")


class LocalKafka(LocalServer):
    """One broker in one directory.

    `start` after `stop` or `kill` finds the data of before. `settings` are broker properties that override ours.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        controller_port: int | None = None,
        jar_cache: Path | None = None,
        settings: Mapping[str, str] | None = None,
        heap_mb: int = 768,
        say: Callable[[str], None] = lambda message: None,
    ) -> None:
        """Ports that are None are drawn from the free ones; jars are kept in `jar_cache` (`.atstream/kafka`)."""
        super().__init__("kafka", directory, port)
        self.controller_port = controller_port if controller_port is not None else ports.free_port()
        self.bootstrap = self.address
        self._jar_cache = (jar_cache if jar_cache is not None else Path(".atstream") / "kafka").resolve()
        self._settings = dict(settings or {})
        self._heap_mb = heap_mb
        self._say = say

    def start(self, timeout_s: float = _START_TIMEOUT_S) -> None:
        """Start the broker and return when it answers a metadata request.

        Raises Unavailable (no Java or Maven), PortBusy, or StartFailed with the end of the log.
        """
        libraries = jars.resolve(self._jar_cache, self._say)
        ports.require_free(self.port, "Kafka", "--kafka-port")
        ports.require_free(self.controller_port, "Kafka's controller", "--kafka-controller-port")
        properties = self._write_properties()
        if not (self._data / "meta.properties").exists():
            self._format(libraries, properties)
        self.daemon.start(
            self._java(libraries, "kafka.Kafka", str(properties)),
            ready=lambda: answers_metadata(self.bootstrap),
            timeout_s=timeout_s,
        )

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _java(self, libraries: Path, main: str, *arguments: str) -> list[str]:
        heap = (f"-Xms{min(128, self._heap_mb)}m", f"-Xmx{self._heap_mb}m")
        logging = f"-Dlog4j2.configurationFile={jars.LOGGING}"
        return ["java", *_JAVA_FLAGS, *heap, logging, "-cp", f"{libraries}{os.sep}*", main, *arguments]

    def _write_properties(self) -> Path:
        self.directory.mkdir(parents=True, exist_ok=True)
        properties = {**_properties(self.port, self.controller_port, self._data), **self._settings}
        path = self.directory / "server.properties"
        path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
        return path

    def _format(self, libraries: Path, properties: Path) -> None:
        # With "=": an id may begin with "-" and would be taken for an option.
        arguments = ("format", f"--cluster-id={cluster_id(uuid.uuid4())}", f"--config={properties}")
        command = self._java(libraries, "kafka.tools.StorageTool", *arguments)
        try:
            outcome = subprocess.run(
                command, capture_output=True, text=True, timeout=_FORMAT_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise StartFailed(f"Kafka did not format {self._data} in {_FORMAT_TIMEOUT_S:g} s") from error
        if outcome.returncode != 0:
            raise StartFailed(
                f"Kafka could not format {self._data}:\n{outcome.stdout[-2000:]}{outcome.stderr[-2000:]}"
            )


def cluster_id(drawn: uuid.UUID) -> str:
    """The UUID in Kafka's notation: 22 characters of URL-safe base64."""
    return base64.urlsafe_b64encode(drawn.bytes).decode().rstrip("=")


def _properties(port: int, controller_port: int, data: Path) -> dict[str, str]:
    here = ports.LOOPBACK
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{here}:{controller_port}",
        "listeners": f"PLAINTEXT://{here}:{port},CONTROLLER://{here}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{here}:{port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(data),
        # As in production: a missing topic is an error, not a topic with the wrong partition count.
        "auto.create.topics.enable": "false",
        # One node cannot keep the three copies that Kafka's own topics have by default.
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # Fewer files to open at a start.
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        # A group forms at once, and may be as impatient as a test needs it.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        # The controller refuses a broker that comes back from a crash until its old session is over (9 s).
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # The default takes 128 MB of the bounded heap.
        "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    }
