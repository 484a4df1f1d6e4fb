"""The local stack as a whole: which broker, what runs, where it answers; started and stopped together.

Everything lives under one home directory: ``stack.json`` says what runs, ``stack/`` holds data, logs and pid
files, ``kafka/`` the jars of Apache Kafka, which outlive the stack so that the next start is quick.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streams.local import embedded, jars, redis
from streams.local.embedded import EmbeddedBroker
from streams.local.errors import LocalStackError, Unavailable
from streams.local.kafka import DEFAULT_CONTROLLER_PORT, LocalKafka
from streams.local.kafka import DEFAULT_PORT as KAFKA_PORT
from streams.local.record import Part, StackRecord
from streams.local.redis import DEFAULT_PORT as REDIS_PORT
from streams.local.redis import LocalRedis
from streams.local.registry.daemon import DEFAULT_PORT as REGISTRY_PORT
from streams.local.registry.daemon import LocalRegistry
from streams.local.server import LocalServer

LOCAL_KAFKA, EMBEDDED = "local-kafka", "embedded"
PROFILES = (LOCAL_KAFKA, EMBEDDED)

MEANING = {
    LOCAL_KAFKA: "a real Apache Kafka, single node; its data stays until `down`",
    EMBEDDED: "a Kafka-compatible broker in memory only: when it stops, its topics are gone",
}

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts listen, on the loopback."""

    kafka: int = KAFKA_PORT
    controller: int = DEFAULT_CONTROLLER_PORT
    registry: int = REGISTRY_PORT
    redis: int = REDIS_PORT


def choose_profile() -> tuple[str, str]:
    """The best profile that this machine can run, and why. Raises Unavailable when it can run none."""
    no_kafka, no_embedded = jars.missing(), embedded.missing()
    if no_kafka is None:
        return LOCAL_KAFKA, "Java and Maven are here"
    if no_embedded is None:
        return EMBEDDED, f"no real Kafka here: {no_kafka}"
    raise Unavailable(f"no broker can be run here. {LOCAL_KAFKA}: {no_kafka}. {EMBEDDED}: {no_embedded}.")


class Stack:
    """The stack of one home directory; any number of objects, in any program, see the same stack."""

    def __init__(self, home: Path, say: Say = lambda message: None) -> None:
        """`say` is told what is being done, a line each."""
        self.home = home.resolve()
        self._directory = self.home / "stack"
        self._record_path = self.home / "stack.json"
        self._say = say

    def status(self) -> StackRecord | None:
        """What was started, with the pid of each part that still runs; None when nothing was."""
        record = StackRecord.read(self._record_path)
        if record is None:
            return None
        servers = self._servers(record.profile, _ports_of(record))
        return record.with_pids({name: server.pid for name, server in servers.items()})

    def up(self, profile: str | None = None, ports: Ports | None = None) -> StackRecord:
        """Start what does not run yet and return what runs.

        A stack that is up is left as it is; parts of it that crashed come back where they were. Without a profile
        the best one is taken. Raises LocalStackError when it is up with another profile or other ports, and what
        the parts raise when they cannot start; parts that this call started are stopped again then.
        """
        with self._locked():
            before = self.status()
            if before is None:
                self._stop_all()  # what an interrupted `up` left, perhaps on other ports
                return self._start(*self._chosen(profile), ports or Ports())
            _require_same(before, profile, ports)
            if all(part.pid is not None for part in before.parts.values()):
                return before
            return self._start(before.profile, before.why, _ports_of(before))

    def down(self, *, keep_data: bool = False) -> list[str]:
        """Stop everything and remove data, logs and the record; the names of what ran.

        With `keep_data` what the parts wrote stays for the next `up`. Nothing to stop is no error.
        """
        with self._locked():
            stopped = self._stop_all()
            self._record_path.unlink(missing_ok=True)
            if not keep_data:
                shutil.rmtree(self._directory, ignore_errors=True)
                with contextlib.suppress(OSError):  # the jars of Kafka stay, for the next start
                    self.home.rmdir()
        return stopped

    def _chosen(self, profile: str | None) -> tuple[str, str]:
        if profile is None:
            return choose_profile()
        reason = jars.missing() if profile == LOCAL_KAFKA else embedded.missing()
        if reason is not None:
            raise Unavailable(f"the profile {profile} cannot be run here: {reason}")
        return profile, "as asked"

    def _start(self, profile: str, why: str, ports: Ports) -> StackRecord:
        self._say(f"profile {profile} ({why}): {MEANING[profile]}")
        started: list[LocalServer] = []
        servers = self._servers(profile, ports)
        try:
            for name, server in servers.items():
                if server.pid is None:
                    self._say(f"starting {name} on {server.address}")
                    started.append(server)
                    server.start()
        except BaseException:
            for server in reversed(started):
                server.stop()
            raise
        parts = {name: Part(server.address, server.pid, str(server.log_path)) for name, server in servers.items()}
        record = StackRecord(profile, why, ports.controller, parts)
        record.write(self._record_path)
        return record

    def _stop_all(self) -> list[str]:
        stopped = []
        for name, server in self._all_servers().items():
            if server.pid is not None:
                self._say(f"stopping {name} (pid {server.pid})")
            if server.stop():
                stopped.append(name)
        return stopped

    def _servers(self, profile: str, ports: Ports) -> dict[str, LocalServer]:
        every = self._all_servers(ports)
        wanted = ["kafka" if profile == LOCAL_KAFKA else "embedded broker", "registry"]
        if redis.missing() is None:
            wanted.append("redis")
        return {name: every[name] for name in wanted}

    def _all_servers(self, ports: Ports | None = None) -> dict[str, LocalServer]:
        ports = ports or Ports()
        return {
            "redis": LocalRedis(self._directory / "redis", port=ports.redis),
            "registry": LocalRegistry(self._directory / "registry", port=ports.registry),
            "embedded broker": EmbeddedBroker(self._directory / "embedded", port=ports.kafka),
            "kafka": LocalKafka(
                self._directory / "kafka",
                port=ports.kafka,
                controller_port=ports.controller,
                jar_cache=self.home / "kafka",
                say=self._say,
            ),
        }

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.home.mkdir(parents=True, exist_ok=True)
        # The directory itself is the lock: nothing to leave behind.
        lock = os.open(self.home, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _require_same(before: StackRecord, profile: str | None, ports: Ports | None) -> None:
    if profile is not None and profile != before.profile:
        raise LocalStackError(f"the stack is up with profile {before.profile}: `atstream down` first")
    if ports is not None and ports != _ports_of(before):
        raise LocalStackError(f"the stack is up on other ports ({before.addresses()}): `atstream down` first")


def _ports_of(record: StackRecord) -> Ports:
    found = {name: part.port for name, part in record.parts.items()}
    return Ports(
        kafka=found.get("kafka") or found["embedded broker"],
        controller=record.controller_port,
        registry=found["registry"],
        redis=found.get("redis", REDIS_PORT),
    )
