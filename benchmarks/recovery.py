"""How long a worker takes to recover: real changelogs on a real Kafka, one real worker process.

python -m benchmarks.recovery [--positions 1000000] [--lines 3] [--locations 1] [--channels 1] [--runs 1]

"ready" is the answer of /readyz: everything recovered, records flow. "caught up" is when no SKU waits to be
assessed again and an event is answered; the probes in between are events produced one by one, each timed until the
number that follows from it is on ``ats-changed``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.changelogs import Shape, fill, sku_of
from benchmarks.environment import ROOT, describe
from schemas.records import avro_record_of
from schemas.topics import ATS_CHANGED
from streams.local import jars
from streams.local.kafka import LocalKafka
from streams.local.ports import LOOPBACK, free_port
from streams.local.registry.daemon import LocalRegistry
from streams.operations.producing import RecordProducer
from streams.operations.snapshot import read_policy
from streams.settings import Settings, load_settings
from streams.worker.codecs import registry_of
from streams.worker.partitioning import partition_of_key
from streams.worker.state import now_us

GIVE_UP_S = 900.0
PROBE_EVERY_S = 0.25


class Site:
    """A broker, a registry, topics, schemas and a policy: everything a worker needs."""

    def __init__(self, directory: Path, shape: Shape) -> None:
        self.shape = shape
        self.kafka = LocalKafka(directory / "kafka", jar_cache=ROOT / ".atstream" / "kafka", heap_mb=1024)
        self.registry = LocalRegistry(directory / "registry")
        self.directory = directory
        rules = "{mode: SHARED, publish: {rate_per_s: 1000, burst: 1000}}"
        self.policy = "channels: {" + ", ".join(f"{name}: {rules}" for name in shape.channels) + "}\n"

    def start(self) -> None:
        """Start all of it and fill the changelogs."""
        self.kafka.start()
        self.registry.start()
        path = self.directory / "policy.yaml"
        path.write_text(self.policy)
        for command in (
            ("topics", "apply", "--policy", str(path)),
            ("schemas", "register"),
            ("policy", "apply", str(path)),
        ):
            line, environment = self.command(*command), self.environment()
            subprocess.run(line, cwd=ROOT, env=environment, check=True, capture_output=True)
        producer = Producer(
            {
                "bootstrap.servers": self.kafka.bootstrap,
                "linger.ms": 50,
                "batch.num.messages": 10_000,
                "queue.buffering.max.messages": 500_000,
                "compression.type": "lz4",
            }
        )
        fill(producer, self.shape, read_policy(self.settings(), now_us))

    def stop(self) -> None:
        """End it."""
        self.registry.stop()
        self.kafka.stop()

    def settings(self) -> Settings:
        """As a process of ours would read them."""
        return load_settings(
            kafka={"bootstrap_servers": self.kafka.bootstrap}, registry={"url": self.registry.url}
        )

    def command(self, *arguments: str) -> list[str]:
        """One of our commands."""
        return [sys.executable, "-m", "streams.cli", *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        """The settings of a process."""
        return {
            **os.environ,
            "ATSTREAM_KAFKA__BOOTSTRAP_SERVERS": self.kafka.bootstrap,
            "ATSTREAM_REGISTRY__URL": self.registry.url,
            "ATSTREAM_TOPICS__PARTITIONS": str(self.shape.partitions),
            "ATSTREAM_LOG_LEVEL": "INFO",
            **more,
        }


class Worker:
    """One worker process, looked at from outside."""

    def __init__(self, site: Site, log: Path, store: str) -> None:
        self.port = free_port()
        more = {"ATSTREAM_WORKER__ADMIN_PORT": str(self.port)}
        if store != "memory":
            more |= {"ATSTREAM_WORKER__STORE": store, "ATSTREAM_WORKER__STORE_PATH": str(site.directory / "store")}
        self.log = log
        self.started = time.monotonic()
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                site.command("worker"), cwd=ROOT, env=site.environment(**more), stdout=output, stderr=output
            )

    def wait_until_ready(self) -> float:
        """Seconds from the start of the process."""
        while not self._get("readyz"):
            self.check()
            time.sleep(0.1)
        return time.monotonic() - self.started

    def check(self) -> None:
        """Raise when the worker has ended or is hopelessly late."""
        if self._process.poll() is not None or time.monotonic() - self.started > GIVE_UP_S:
            raise RuntimeError(f"the worker did not get there: {self.log.read_text()[-3000:]}")

    def metric(self, name: str) -> float:
        """A gauge or counter without labels; 0 while there is none."""
        found = re.search(rf"^atstream_{name} (\S+)$", self._get("metrics"), re.MULTILINE)
        return float(found[1]) if found else 0.0

    def _get(self, path: str) -> str:
        url = f"http://{LOOPBACK}:{self.port}/{path}"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=30) as answer:
            return str(answer.read().decode())
        return ""

    def peak_gb(self) -> float:
        """The most memory it ever had."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(found[1]) * 1024 / 1e9 if found else 0.0

    def cpu_s(self) -> float:
        """CPU time so far, of all threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Probe:
    """Produces an order of one SKU and waits for the number that follows from it."""

    def __init__(self, site: Site) -> None:
        servers = {"bootstrap.servers": site.kafka.bootstrap}
        self._producer = RecordProducer(servers, registry_of(site.settings()))
        self._sku = sku_of(0)
        self._consumer = Consumer(
            {"bootstrap.servers": site.kafka.bootstrap, "group.id": "probe", "fetch.wait.max.ms": 5}
        )
        home = TopicPartition(ATS_CHANGED.name, partition_of_key(self._sku.encode(), site.shape.partitions))
        home.offset = self._consumer.get_watermark_offsets(home, timeout=10)[1]
        self._consumer.assign([home])
        self._numbers = iter(range(10**9))

    def measure(self, worker: Worker) -> float:
        """Seconds until an event was answered."""
        event = f"probe-{time.time_ns()}"
        line = {**_LINE, "event_id": event, "sku": self._sku, "order_id": event}
        began = time.monotonic()
        with self._producer as producer:
            producer.produce(avro_record_of(line))
        while True:
            message = self._consumer.poll(1.0)
            if message is not None and message.error() is None and event.encode() in (message.value() or b""):
                return time.monotonic() - began
            worker.check()


_LINE: Mapping[str, Any] = {
    "type": "order-released", "source": "oms", "occurred_at": "2026-01-01T00:01:00Z",
    "line_id": "1", "version": 1, "quantity": 1, "cancelled_quantity": 0, "state": "OPEN", "location": "DC-01",
    "channel": "web", "reservation_id": None,
}  # fmt: skip


def measured(site: Site, store: str, run: int) -> Mapping[str, float]:
    """One start of a worker, from nothing to caught up."""
    worker = Worker(site, site.directory / f"worker-{store}-{run}.log", store)
    try:
        ready_s, ready_cpu_s, ready_gb = worker.wait_until_ready(), worker.cpu_s(), worker.peak_gb()
        probe = Probe(site)
        probes = list(_probes(worker, probe))
        caught_up_s = time.monotonic() - worker.started
        return {
            "rows/s while reading": worker.metric("recovery_rows_per_second"),
            "seconds of reading": worker.metric("recovery_seconds"),
            "start to ready, s": ready_s,
            "  CPU seconds": ready_cpu_s,
            "  peak memory, GB": ready_gb,
            "start to caught up, s": caught_up_s,
            "  CPU seconds, caught up": worker.cpu_s(),
            "  peak memory, GB, caught up": worker.peak_gb(),
            "probe right after ready, ms": probes[0] * 1e3,
            "probes until caught up, median ms": median(probes) * 1e3,
            "probes until caught up, max ms": max(probes) * 1e3,
        }
    finally:
        worker.stop()


def _probes(worker: Worker, probe: Probe) -> Iterator[float]:
    while True:
        yield probe.measure(worker)
        if not worker.metric("reassessments_waiting"):
            yield probe.measure(worker)
            return
        time.sleep(PROBE_EVERY_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--positions", type=int, default=1_000_000)
    parser.add_argument("--lines", type=int, default=3)
    parser.add_argument("--locations", type=int, default=1, help="of one SKU")
    parser.add_argument("--channels", type=int, default=1, help="that were told about every SKU")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--store", action="append", choices=("memory", "rocksdb"))
    parser.add_argument("--json", type=Path, help="also write the figures there")
    arguments = parser.parse_args()
    reason = jars.missing()
    if reason is not None:
        raise SystemExit(f"needs a real Apache Kafka: {reason}")
    channels = tuple(f"channel{number}" for number in range(arguments.channels))
    shape = Shape(arguments.positions, arguments.lines, arguments.locations, arguments.partitions, channels)
    print(describe(), flush=True)
    places = f"{shape.positions:,} SKU-locations of {shape.skus:,} SKUs"
    print(f"\n{places}, {shape.rows:,} rows, {shape.partitions} partitions")
    with tempfile.TemporaryDirectory(prefix="atstream-recovery-") as directory:
        site = Site(Path(directory), shape)
        try:
            began = time.monotonic()
            site.start()
            print(f"filled in {time.monotonic() - began:.0f} s", flush=True)
            figures = {}
            for store in arguments.store or ["memory"]:
                for run in range(arguments.runs):
                    found = figures[f"{store}, run {run + 1}"] = measured(site, store, run)
                    print(f"\n{store}, run {run + 1}")
                    for name, value in found.items():
                        print(f"  {name:<36}{value:12,.2f}", flush=True)
        finally:
            site.stop()
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"environment": describe(), "figures": figures}, indent=1))


if __name__ == "__main__":
    main()
