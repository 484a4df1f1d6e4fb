"""How soon a worker answers, and whether its event loop stays free: `python -m benchmarks.latency`.

One worker with full semantics on a real Kafka on loopback, started by this command. Two measurements:

- *idle*: one shipment every so often. From the moment before it is produced until its `ats-changed` was appended
  to the broker's log (LogAppendTime, whole milliseconds), and until a waiting consumer had it.
- *backlog*: so many shipments that are there when the worker starts. The delay of its event loop while it works
  them off, from its own metrics (asked every 50 ms), events per second and processor time.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.comparison.cluster import PARTITIONS, Cluster
from benchmarks.comparison.deployment import balances, deploy, lines
from benchmarks.comparison.events import LOCATIONS, Event, Shipments, sku_of
from benchmarks.comparison.program import Program
from benchmarks.environment import ROOT, describe
from schemas.codec import Encoder
from schemas.topics import ATS_CHANGED

GROUP = "latency"
SHIPMENTS = "shipment-confirmed"
KEYS = 10_000
WARM_UP = 20
PATIENCE_S = 180.0


def main() -> int:
    """Run both measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=100, help="events of the idle measurement")
    parser.add_argument("--every", type=float, default=0.2, help="seconds between them")
    parser.add_argument("--backlog", type=int, default=200_000, help="events of the backlog, 0 for none")
    parser.add_argument("--channels", type=int, default=2, help="channels of the policy, up to 3")
    chosen = parser.parse_args()
    print(describe(), flush=True)
    with tempfile.TemporaryDirectory() as directory, Cluster(Path(directory)) as cluster:
        opened_at = time.time_ns() // 1_000 - 3_600_000_000
        deploy(cluster, chosen.channels, opened_at)
        shipments = Shipments(Encoder(SHIPMENTS, cluster.schema_ids[SHIPMENTS]), KEYS, 7, opened_at + 1_000_000)
        single = list(shipments.take(chosen.events + WARM_UP))
        waiting = list(shipments.take(chosen.backlog))
        history = cluster.preload(balances(cluster, map(sku_of, range(KEYS)), LOCATIONS, opened_at))
        shipped = Counter(event.key.decode() for event in (*single, *waiting))
        history += cluster.preload(lines(cluster, shipped, opened_at))
        with worker(cluster) as (program, address):
            for topic, records in history.items():
                caught_up(cluster, topic, records, program)
            idle(cluster, single, chosen.every)
            tell_loop(address)
        if waiting:
            before = sum(cluster.ends(SHIPMENTS).values())
            cluster.preload((SHIPMENTS, one.key, one.value) for one in waiting)
            with worker(cluster) as (program, address):
                work_off(cluster, before, chosen.backlog, program, address)
    return 0


@contextmanager
def worker(cluster: Cluster) -> Iterator[tuple[Program, str]]:
    """A worker of the group and the address of its admin port."""
    environment = {
        **os.environ,
        "ATSTREAM_KAFKA__BOOTSTRAP_SERVERS": cluster.bootstrap,
        "ATSTREAM_REGISTRY__URL": cluster.settings.registry.url,
        "ATSTREAM_WORKER__GROUP": GROUP,
        "ATSTREAM_WORKER__ADMIN_PORT": "0",
        "ATSTREAM_TOPICS__PARTITIONS": str(PARTITIONS),
        "ATSTREAM_LOG_LEVEL": "INFO",
    }
    log = cluster.directory / f"worker-{time.monotonic_ns()}.log"
    program = Program([sys.executable, "-m", "streams.cli", "worker"], environment, ROOT, log)
    try:
        yield program, _address(program)
        code = program.stop()
        assert code == 0, program.log_tail()
    finally:
        program.kill()


def _address(program: Program) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = re.search(r"admin port: (http://127\.0\.0\.1:\d+)/metrics", program.log.read_text())
        if found is not None:
            return found.group(1)
        assert program.exit_code is None, program.log_tail()
        assert time.monotonic() < deadline, program.log_tail()
        time.sleep(0.02)


def caught_up(cluster: Cluster, topic: str, total: int, program: Program) -> float:
    """Wait until the group has committed so many records; when that was noticed (monotonic seconds)."""
    offsets = cluster.offsets(GROUP, topic)
    deadline = time.monotonic() + PATIENCE_S
    while offsets.total() < total:
        assert program.exit_code is None, program.log_tail()
        assert time.monotonic() < deadline, f"{topic}: {offsets.total()} of {total} committed"
        time.sleep(0.05)
    offsets.close()
    return time.monotonic()


class Listener:
    """Reads `ats-changed` as it grows, on a thread of its own; when each key was told."""

    def __init__(self, cluster: Cluster) -> None:
        self.heard: dict[bytes, list[tuple[float, float]]] = {}
        self._consumer = Consumer(cluster.client(**{"group.id": "latency-listener", "fetch.wait.max.ms": 500}))
        ends = cluster.ends(ATS_CHANGED.name)
        self._consumer.assign([TopicPartition(ATS_CHANGED.name, number, end) for number, end in ends.items()])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            message = self._consumer.poll(0.1)
            if message is not None and message.error() is None:
                now, appended_ms = time.time(), message.timestamp()[1]
                self.heard.setdefault(message.key() or b"", []).append((appended_ms / 1_000, now))

    def close(self) -> None:
        """Stop listening."""
        self._stop.set()
        self._thread.join()
        self._consumer.close()


def idle(cluster: Cluster, events: Sequence[Event], every_s: float) -> None:
    """Produce one event at a time and print how long its answer took."""
    listener = Listener(cluster)
    producer = cluster.producer(linger_ms=0)
    produced: list[tuple[bytes, float]] = []
    for event in events:
        produced.append((event.key, time.time()))
        producer.produce(SHIPMENTS, key=event.key, value=event.value)
        producer.flush(5)
        time.sleep(every_s)
    time.sleep(1)
    listener.close()
    appended, received = [], []
    for key, began in produced[WARM_UP:]:
        told = [times for times in listener.heard.get(key, ()) if times[1] > began]
        assert told, f"nothing was told about {key!r}"
        appended.append(told[0][0] - began)
        received.append(told[0][1] - began)
    print(f"idle: {len(appended)} events, one every {every_s * 1000:.0f} ms")
    for name, values in (("appended", appended), ("received", received)):
        values.sort()
        told_ms = ", ".join(
            f"{label} {1000 * values[min(len(values) - 1, int(share * len(values)))]:.1f} ms"
            for label, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))
        )
        print(f"  produced -> {name}: {told_ms}", flush=True)


def work_off(cluster: Cluster, before: int, backlog: int, program: Program, address: str) -> None:
    """Print what working off a backlog did to the event loop, and how fast it was."""
    offsets = cluster.offsets(GROUP, SHIPMENTS)
    while offsets.total() <= before:
        assert program.exit_code is None, program.log_tail()
        time.sleep(0.01)
    began, cpu, done = time.monotonic(), program.cpu_seconds(), offsets.total() - before
    ended = caught_up(cluster, SHIPMENTS, before + backlog, program)
    seconds, counted = ended - began, backlog - done
    print(
        f"backlog: {backlog} events; {counted / seconds:.0f} events/s, "
        f"{(program.cpu_seconds() - cpu) / counted * 1e6:.1f} CPU s per million events"
    )
    tell_loop(address)


def tell_loop(address: str) -> None:
    """Print the delays of a worker's event loop since its start."""
    with urllib.request.urlopen(f"{address}/metrics") as answer:
        text = answer.read().decode()
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[sample.labels.get("le", "")] = sample.value
    counts = found["atstream_event_loop_delay_seconds_bucket"]
    total = counts["+Inf"]
    shares = ", ".join(
        f"<= {float(bound) * 1000:.0f} ms {100 * counts[bound] / total:.2f} %"
        for bound in ("0.01", "0.02", "0.05")
    )
    longest = found["atstream_event_loop_longest_delay_seconds"][""]
    print(f"  event loop: {total:.0f} looks, {shares}, longest {1000 * longest:.1f} ms")
    epochs, busy = found["atstream_epoch_seconds_count"][""], found["atstream_epoch_seconds_sum"][""]
    commits, spent = found["atstream_commit_seconds_count"][""], found["atstream_commit_seconds_sum"][""]
    print(
        f"  {epochs:.0f} epochs of {1000 * busy / epochs:.1f} ms, {commits:.0f} commits of"
        f" {1000 * spent / max(1, commits):.1f} ms",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
