"""One visit to one side: its throughput, its latency, a crash and its recovery, and whether it is right."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.comparison import crash, delay, slope
from benchmarks.comparison.cluster import PARTITIONS, BenchmarkFailed, Cluster, GroupOffsets, OutputLog
from benchmarks.comparison.deployment import Keyed, deploy
from benchmarks.comparison.events import SHIPMENTS, Event
from benchmarks.comparison.inputs import Input
from benchmarks.comparison.outputs import READERS, last_marks, marks
from benchmarks.comparison.program import Program
from benchmarks.comparison.sides import Installation, Side
from benchmarks.environment import ROOT
from schemas.topics import ATS_CHANGED

COMMIT_MS = 250
SESSION_MS = 6_000
LOOK_S = 0.1
START_S = 60.0
QUIET_S = 1.0
LATE_S = 0.3
"""A side may commit before its last outputs are there."""
SCHEMA = ROOT / "schemas" / "avro" / f"{SHIPMENTS}.avsc"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a visit measures. ``smoke``: too few events for a slope are no failure.

    ``plane``: limits of atstream's data plane other than the usual ones.
    """

    events: int
    keys: int
    channels: int = 1
    workers: int = 1
    latency_s: float = 0.0
    recovery: bool = False
    longest_s: float = 120.0
    smoke: bool = False
    plane: Mapping[str, float] = field(default_factory=dict)


class Visit:
    """A side on a swept cluster. ``measure`` once, then ``end``."""

    def __init__(self, cluster: Cluster, installation: Installation, terms: Terms, number: int) -> None:
        self.cluster = cluster
        self.side: Side = installation.side
        self.installation = installation
        self.terms = terms
        self.group = f"bench-{self.side.name}-{number}"
        self.output_topic = ATS_CHANGED.name if self.side.deployment else f"bench-out-{self.side.name}"
        self.reader = READERS[self.side.reader]
        self.directory = cluster.directory / "state" / self.group
        self.programs: list[Program] = []
        self.produced = 0
        self._offsets: GroupOffsets | None = None
        self._outputs: OutputLog | None = None
        self._counted: dict[bytes, int] = {}
        self._before = 0

    def measure(self, fed: Input) -> dict[str, Any]:
        """Everything the terms ask for. A failure after the throughput is told in ``failed`` and ends the visit.

        Raises BenchmarkFailed with the reason and the side's own last words when there is no throughput.
        """
        events = fed.events
        self._prepare(fed)
        self.start()
        throughput, seen = self._throughput()
        result: dict[str, Any] = {"throughput": throughput}
        result["peak_mb"] = self._peak_mb()
        result["outputs_per_event"] = len(seen) / self.produced
        result["wrong_keys"] = self._wrong(events, last_marks(self.reader, seen))
        try:
            self._behaviour(events, seen, result)
        except BenchmarkFailed as error:
            result["failed"] = f"{'recovery' if 'latency' in result else 'latency'}: {error}"
        return result

    def _behaviour(self, events: Sequence[Event], seen: list[Any], result: dict[str, Any]) -> None:
        """Latency, then recovery, as far as it comes. ``seen``: the outputs so far."""
        terms = self.terms
        if terms.latency_s:
            rate = delay.LOAD * result["throughput"]["events_per_s"]
            longest = min(self.produced + int(rate * terms.latency_s), len(events) - crash.PROBES)
            more_events = events[self.produced : longest]
            result["latency"], more = delay.measure(self, more_events, rate)
            result["peak_mb"] = self._peak_mb()
            seen += more
            result["wrong_keys"] = self._wrong(events, last_marks(self.reader, seen))
        if terms.recovery:
            recovery, more = crash.measure(self, crash.probes(events[self.produced :]))
            after = self._wrong(events, last_marks(self.reader, seen + more))
            result["recovery"] = {**recovery, "wrong_keys": after}

    def end(self) -> None:
        """Stop what runs and forget local state."""
        for program in self.programs:
            program.stop()
        for client in (self._offsets, self._outputs):
            if client is not None:
                client.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    # -- steps, also used by the measures -----------------------------------------------------------------

    def start(self) -> None:
        """Start the side's processes."""
        side, fill = self.side, self.installation.filled
        told = {
            "BENCH_BOOTSTRAP": self.cluster.bootstrap,
            "BENCH_TOPIC": SHIPMENTS,
            "BENCH_PARTITIONS": str(PARTITIONS),
            "BENCH_OUT": self.output_topic,
            "BENCH_GROUP": self.group,
            "BENCH_SCHEMA": str(SCHEMA),
            "BENCH_STATE_DIR": str(self.directory),
            "BENCH_COMMIT_MS": str(COMMIT_MS),
            "BENCH_SESSION_MS": str(SESSION_MS),
            "BENCH_REGISTRY": self.cluster.settings.registry.url,
            "BENCH_ROOT": str(ROOT),
        }
        environment = {**os.environ, **told, "PYTHONUNBUFFERED": "1"}
        environment.pop("PYTHONPATH", None)
        environment.update({name: value.format(**told) for name, value in side.environment.items()})
        command = [fill(word) for word in side.command]
        if self.terms.plane:
            environment["BENCH_PLANE"] = json.dumps(dict(self.terms.plane))
            command = [self.installation.python, "-m", "benchmarks.comparison.tuned_worker"]
        self.directory.mkdir(parents=True, exist_ok=True)
        log = self.cluster.directory / f"{self.group}.log"
        self.programs = [Program(command, environment, side.directory, log) for _ in range(self.terms.workers)]

    def kill(self) -> None:
        """Crash every process of the side."""
        for program in self.programs:
            program.kill()

    def cpu_seconds(self) -> float:
        """What the side's processes have used so far."""
        return sum(program.cpu_seconds() for program in self.programs)

    def require_running(self) -> None:
        """Raises BenchmarkFailed when a process of the side has ended."""
        for program in self.programs:
            if program.exit_code is not None:
                raise BenchmarkFailed(f"it ended with {program.exit_code}: {program.log_tail()}")

    def committed(self) -> int:
        """Events of the input that the group has committed."""
        assert self._offsets is not None
        return self._offsets.total() - self._before

    def new_outputs(self) -> list[Any]:
        """Output records since the last look."""
        assert self._outputs is not None
        return self._outputs.more()

    def settle(self, longest_s: float, look: Callable[[], None] = lambda: None) -> list[Any]:
        """Wait until everything produced is counted; ``look`` is called ten times a second. New outputs.

        A side that does not commit is settled when its outputs contain every event; they are looked at only
        when none was added for a while.
        """
        deadline = time.monotonic() + longest_s
        found: list[Any] = []
        if self.side.progress == "committed":
            while self.committed() < self.produced:
                self._wait(deadline, look)
            time.sleep(LATE_S)
            return self.new_outputs()
        last, changed = -1, time.monotonic()
        while True:
            length = sum(self.cluster.ends(self.output_topic).values())
            if length != last:
                last, changed = length, time.monotonic()
            elif time.monotonic() - changed > QUIET_S and length:
                found += self.new_outputs()
                self._counted.update(last_marks(self.reader, found))
                if sum(self._counted.values()) >= self.produced:
                    return found
                changed = time.monotonic()
            self._wait(deadline, look)

    def _wait(self, deadline: float, look: Callable[[], None]) -> None:
        self.require_running()
        look()
        if time.monotonic() > deadline:
            done = self.committed() if self.side.progress == "committed" else sum(self._counted.values())
            words = " / ".join(self.programs[0].log_tail().splitlines()[-5:])
            raise BenchmarkFailed(f"it counted {done:,} of {self.produced:,} events in time; log: {words}")
        time.sleep(LOOK_S)

    def _peak_mb(self) -> float:
        return sum(program.peak_bytes() for program in self.programs) / 1e6

    # -- the stretch everything else builds on -------------------------------------------------------------

    def _prepare(self, fed: Input) -> None:
        cluster, terms = self.cluster, self.terms
        cluster.sweep()
        self._offsets = cluster.offsets(self.group, *fed.topics)
        if self.side.deployment:
            deploy(cluster, terms.channels, fed.opened_at)
            self._live_through(fed.history())
            self._before = self._offsets.total()
        else:
            cluster.create(fed.topics)
            cluster.create([self.output_topic], **{"message.timestamp.type": "LogAppendTime"})
        self._outputs = cluster.log(self.output_topic)
        self.new_outputs()
        events = fed.events[: terms.events]
        self.produced = cluster.preload((event.topic, event.key, event.value) for event in events).total()

    def _live_through(self, records: Iterable[Keyed]) -> None:
        """Let the side take in what was before, and stop it again."""
        lived = self.cluster.preload(records)
        offsets = self.cluster.offsets(self.group, *lived)
        self.start()
        deadline = time.monotonic() + START_S + self.terms.longest_s
        while offsets.total() < lived.total():
            self._wait(deadline, lambda: None)
        for program in self.programs:
            program.stop()
        offsets.close()

    def _throughput(self) -> tuple[dict[str, float], list[Any]]:
        samples: list[slope.Sample] = []
        broker = self.cluster.broker.pid
        assert broker is not None

        def look() -> None:
            samples.append(slope.sample(self, broker))

        outputs = self.settle(START_S + self.terms.longest_s, look)
        look()
        try:
            if self.side.progress == "committed":
                return slope.of_commits(samples, self.produced, self.side.warm_up), outputs
            counted = marks(self.reader, outputs)
            return slope.of_outputs(samples, counted, self.produced, self.side.warm_up), outputs
        except BenchmarkFailed:
            if self.terms.smoke:
                return {}, outputs
            raise

    def _wrong(self, events: Sequence[Event], counted: dict[bytes, int]) -> int:
        """How many keys do not stand where the generator says they do. A key without events stands at 0."""
        truth = self.truth(events[: self.produced])
        return sum(counted.get(key, 0) != truth.get(key, 0) for key in counted.keys() | truth.keys())

    def mark(self, event: Event) -> int:
        """Where an event brings its key, in the terms of this side's outputs."""
        return event.units if self.reader.by_units else event.events

    def truth(self, events: Sequence[Event]) -> dict[bytes, int]:
        """Where every key stands once these events are counted."""
        return {event.key: self.mark(event) for event in events}
