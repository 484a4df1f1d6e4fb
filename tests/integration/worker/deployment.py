"""A deployment of the real thing on a real broker: topics, schemas, policy, workers and sinks as processes."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from schemas.records import avro_record_of
from streams.operations.producing import RecordProducer
from streams.operations.snapshot import client_of
from streams.operations.verify import VerifyReport, verify
from streams.settings import Settings, load_settings
from streams.worker.codecs import registry_of

ROOT = Path(__file__).resolve().parents[3]
GROUP = "atstream"
SESSION_S = 6.0


class Program:
    """A started command; its output goes to a file. Ended by pid, never by name."""

    def __init__(self, arguments: Iterable[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streams.cli", *arguments],
                cwd=ROOT,
                env=dict(environment),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self, timeout_s: float = 30.0) -> int:
        """Ask it to stop and return its exit code."""
        if self._process.poll() is None:
            self._process.terminate()
        return self._process.wait(timeout_s)

    def wait(self, timeout_s: float) -> int:
        return self._process.wait(timeout_s)

    def heard(self, words: str, within_s: float) -> None:
        """Wait until the program has logged the words."""
        deadline = time.monotonic() + within_s
        while words not in self.log.read_text(errors="replace"):
            assert self.running, f"ended with {self._process.returncode}: {self.log.read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"not heard within {within_s} s: {words}"
            time.sleep(0.05)

    @property
    def running(self) -> bool:
        return self._process.poll() is None


class Deployment:
    """One cluster's worth of atstream. Workers and sinks that a test leaves behind are ended by ``close``."""

    def __init__(self, bootstrap: str, registry: str, directory: Path, partitions: int = 4) -> None:
        self.directory = directory
        self.environment = {
            **os.environ,
            "ATSTREAM_KAFKA__BOOTSTRAP_SERVERS": bootstrap,
            "ATSTREAM_REGISTRY__URL": registry,
            "ATSTREAM_WORKER__GROUP": GROUP,
            "ATSTREAM_WORKER__SESSION_TIMEOUT_S": str(SESSION_S),
            "ATSTREAM_TOPICS__PARTITIONS": str(partitions),
            "ATSTREAM_LOG_LEVEL": "INFO",
        }
        self.settings: Settings = load_settings(
            kafka={"bootstrap_servers": bootstrap},
            registry={"url": registry},
            topics={"partitions": partitions},
        )
        self.produced = 0
        """Events produced since the topics were made."""
        self._programs: list[Program] = []
        self._started = itertools.count()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "streams.cli", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def deploy(self, policy: str) -> None:
        """The deploy steps: topics, schemas, policy."""
        path = self.directory / "policy.yaml"
        path.write_text(policy)
        for arguments in (
            ("topics", "apply", "--policy", str(path)),
            ("schemas", "register"),
            ("policy", "apply", str(path)),
        ):
            done = self.command(*arguments)
            assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"

    def worker(self, **environment: str) -> Program:
        """A worker; with a directory of its own, should its facts be on disk."""
        path = {"ATSTREAM_WORKER__STORE_PATH": str(self.directory / f"store-{next(self._started)}")}
        return self._start(["worker"], path | environment, "worker")

    def sink(self, channel: str) -> Program:
        path = self.directory / f"{channel}.jsonl"
        settings = {
            "ATSTREAM_SINK__KIND": "file",
            "ATSTREAM_SINK__PATH": str(path),
            "ATSTREAM_SINK__RATE_PER_S": "1000",
            "ATSTREAM_SINK__BURST": "1000",
            "ATSTREAM_SINK__SESSION_TIMEOUT_S": str(SESSION_S),
        }
        return self._start(["sink", channel], settings, f"sink-{channel}")

    def produce(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Produce canonical lines."""
        client, registry = client_of(self.settings), registry_of(self.settings)
        with RecordProducer(client, registry) as producer:
            for line in lines:
                producer.produce(avro_record_of(line))
        self.produced += producer.produced

    def produce_raw(self, topic: str, key: bytes | None, value: bytes | None, partition: int = -1) -> None:
        """Produce bytes as they are, wherever they do not belong."""
        producer = Producer(client_of(self.settings))
        producer.produce(topic, key=key, value=value, partition=partition)
        assert producer.flush(10) == 0

    def proof(self, within_s: float) -> VerifyReport:
        """Verify until everything is as it should be, or the time is up; the last report either way."""
        deadline = time.monotonic() + within_s
        while True:
            report = verify(self.settings, timeout_s=30)
            settled = report.proven and report.events >= self.produced and not report.pending
            if settled or time.monotonic() > deadline:
                return report
            time.sleep(0.5)

    def close(self) -> None:
        """End every program."""
        for program in self._programs:
            if program.running:
                program.signal(signal.SIGCONT)
                program.kill()
        self._programs.clear()

    def _start(self, arguments: list[str], environment: Mapping[str, str], name: str) -> Program:
        log = self.directory / f"{name}-{next(self._started)}.log"
        program = Program(arguments, {**self.environment, **environment}, log)
        self._programs.append(program)
        return program
