"""Everything a chaos test needs: topics, a feeder, workers as processes, an auditor, and a verifier."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.integration.data_plane.toy import Fact, Names, digest

ROOT = Path(__file__).resolve().parents[3]
PARTITIONS = 4
KEYS = 300
_PATIENCE_S = 60.0


def create_topics(
    bootstrap: str, names: Names, other: Mapping[str, int] | None = None, partitions: int = PARTITIONS
) -> None:
    counts = dict.fromkeys((*names.sources, names.changelog, names.output), partitions)
    wanted = [NewTopic(topic, count, 1) for topic, count in {**counts, **(other or {})}.items()]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics(wanted).values():
        future.result(timeout=30)


def read_all(bootstrap: str, topic: str, partitions: int = PARTITIONS) -> list[Message]:
    """Every record of a topic, up to where a fetch says it ends."""
    consumer = _reader(bootstrap)
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    records, still_open = [], set(range(partitions))
    deadline = time.monotonic() + _PATIENCE_S
    while still_open:
        assert time.monotonic() < deadline, f"{topic}: no end found in {still_open}"
        for message in consumer.consume(10_000, 0.2):
            error = message.error()
            if error is None:
                records.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                still_open.discard(message.partition())
    consumer.close()
    return records


def _reader(bootstrap: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "never-joined",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )


class Feeder:
    """Writes records at a steady rate until told to stop."""

    def __init__(self, bootstrap: str, names: Names, per_second: int, seed: int = 7) -> None:
        properties = {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 5}
        self._producer = Producer(properties)
        self._names = names
        self._per_second = per_second
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.written = 0

    def start(self) -> Feeder:
        self._thread.start()
        return self

    def stop(self) -> int:
        self._stop.set()
        self._thread.join()
        assert self._producer.flush(30) == 0
        return self.written

    def say(self, topic: str, key: bytes, value: bytes) -> None:
        """One record of one's own."""
        self._producer.produce(topic, key=key, value=value)
        assert self._producer.flush(60) == 0
        self.written += 1

    def burst(self, count: int) -> None:
        for _ in range(count):
            self._write()
        assert self._producer.flush(60) == 0

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            for _ in range(self._per_second // 20):
                self._write()

    def _write(self) -> None:
        key = b"k%d" % self._random.randrange(KEYS)
        self._producer.produce(self._random.choice(self._names.sources), key=key, value=b"v%d" % self.written)
        self._producer.poll(0)
        self.written += 1


class Worker:
    """A worker of the toy application."""

    def __init__(
        self,
        names: Names,
        bootstrap: str,
        logs: Path,
        name: str,
        session_s: float = 3.0,
        partitions: int = PARTITIONS,
        **env: str,
    ) -> None:
        self.log = logs / f"{name}.log"
        self._file = self.log.open("w")
        command = [sys.executable, "-m", "tests.integration.data_plane.toy_worker", names.run, bootstrap]
        self.child = subprocess.Popen(
            [*command, str(partitions), str(session_s)],
            cwd=ROOT,
            env={**os.environ, **env},
            stdout=self._file,
            stderr=subprocess.STDOUT,
        )

    def text(self) -> str:
        return self.log.read_text()

    def says(self, words: str, times: int = 1, patience_s: float = _PATIENCE_S) -> None:
        """Wait until the log has these words so many times."""
        wait_for(lambda: self.text().count(words) >= times, f"{self.log.name} to say {words!r}", patience_s, self)

    def signal(self, number: signal.Signals) -> None:
        self.child.send_signal(number)

    def ends(self, patience_s: float = _PATIENCE_S) -> int:
        return self.child.wait(patience_s)

    def stops(self) -> None:
        """Stop gracefully."""
        self.signal(signal.SIGTERM)
        code = self.ends()
        assert code == 0, f"{self.log.name}: exit code {code}\n{self.text()[-6000:]}"

    def discard(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        self._file.close()


def wait_for(
    condition: Callable[[], bool], what: str, patience_s: float = _PATIENCE_S, worker: Worker | None = None
) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience_s} s for {what}" + (
            f"\n{worker.text()[-4000:]}" if worker else ""
        )
        time.sleep(0.1)


class Rig:
    """One run: topics of its own, workers, a feeder, an auditor that watches commits all the time."""

    def __init__(
        self, bootstrap: str, run: str, logs: Path, session_s: float = 3.0, partitions: int = PARTITIONS
    ) -> None:
        self.bootstrap = bootstrap
        self.partitions = partitions
        self.names = Names(run)
        self._logs = logs
        self._session_s = session_s
        self._workers: list[Worker] = []
        create_topics(bootstrap, self.names, partitions=partitions)
        self.audits = 0
        self._audit_failure: str | None = None
        self._audit_stop = threading.Event()
        self._auditor = threading.Thread(target=self._audit, daemon=True)
        self._auditor.start()

    def worker(self, name: str, **env: str) -> Worker:
        worker = Worker(self.names, self.bootstrap, self._logs, name, self._session_s, self.partitions, **env)
        self._workers.append(worker)
        return worker

    def feeder(self, per_second: int = 1_000) -> Feeder:
        return Feeder(self.bootstrap, self.names, per_second)

    def committed(self) -> dict[tuple[str, int], int]:
        """Committed offsets; 0 where nothing is."""
        # AdminClient.list_consumer_group_offsets of librdkafka 2.16 crashes when the coordinator is still loading.
        wanted = [
            TopicPartition(topic, number) for topic in self.names.sources for number in range(self.partitions)
        ]
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.names.run})
        deadline = time.monotonic() + _PATIENCE_S
        try:
            while True:
                try:
                    found = consumer.committed(wanted, timeout=10)
                    return {(at.topic, at.partition): max(0, at.offset) for at in found}
                except KafkaException:  # a coordinator that is loading or moving
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.2)
        finally:
            consumer.close()

    def all_committed(self, written: int) -> None:
        """Wait until everything written is committed."""
        last = self._workers[-1]
        what = f"{written} records to be committed"
        wait_for(lambda: sum(self.committed().values()) >= written, what, worker=last)

    def close(self) -> None:
        for worker in self._workers:
            worker.discard()
        self._audit_stop.set()
        self._auditor.join(30)

    # -- the auditor: no committed offset beyond acknowledged effects, at any time

    def _audit(self) -> None:
        reader = _reader(self.bootstrap)
        reader.assign([TopicPartition(self.names.changelog, number, 0) for number in range(self.partitions)])
        rows: dict[tuple[str, int], set[int]] = defaultdict(set)
        while not self._audit_stop.wait(0.3):
            try:
                committed = self.committed()
            except KafkaException:
                continue  # the broker is down on purpose
            while messages := reader.consume(5_000, 0.3):
                for message in messages:
                    if message.error() is None:
                        _, topic, offset = (message.key() or b"").split(b"\0")
                        rows[(topic.decode(), message.partition() or 0)].add(int(offset))
            for place, offset in committed.items():
                missing = [number for number in range(offset) if number not in rows[place]]
                if missing and self._audit_failure is None:
                    self._audit_failure = f"{place}: committed {offset}, but no rows of {missing[:5]}..."
            self.audits += 1
        reader.close()

    # -- the verifier

    def _all(self, topic: str) -> list[Message]:
        return read_all(self.bootstrap, topic, self.partitions)

    def verify(self) -> None:
        """Recompute everything from the sources and compare."""
        self._audit_stop.set()
        self._auditor.join(30)
        assert self._audit_failure is None, self._audit_failure
        assert self.audits > 0
        expected: dict[bytes, dict[Fact, str]] = defaultdict(dict)
        for topic in self.names.sources:
            for message in self._all(topic):
                expected[message.key() or b""][(topic, message.offset() or 0)] = (message.value() or b"").decode()
        facts = sum(map(len, expected.values()))
        assert facts == sum(self.committed().values()), "not everything was committed"
        assert _merged(self._all(self.names.changelog)) == expected
        newest: dict[bytes, dict[str, object]] = {}
        for message in self._all(self.names.output):
            said = json.loads(message.value() or b"")
            if said["version"] > newest.get(message.key() or b"", {"version": -1})["version"]:
                newest[message.key() or b""] = said
        assert {key: said["digest"] for key, said in newest.items()} == {
            key: digest(held) for key, held in expected.items()
        }


def _merged(rows: list[Message]) -> dict[bytes, dict[Fact, str]]:
    merged: dict[bytes, dict[Fact, str]] = defaultdict(dict)
    for row in rows:
        key, topic, offset = (row.key() or b"").split(b"\0")
        merged[key][(topic.decode(), int(offset))] = (row.value() or b"").decode()
    return merged
