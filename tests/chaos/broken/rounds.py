"""Rounds with the schedule under which a breakage shows, played with the broken build or with the sound one."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

from confluent_kafka import Producer

from schemas.records import avro_record_of
from schemas.topics import FACTS_CHANGELOG
from streams.operations.reading import read_to_end
from streams.operations.snapshot import client_of
from tests.chaos import crew
from tests.chaos.evidence import Intent
from tests.chaos.mixture import Planned
from tests.chaos.plan import Deed, Fault, Plan
from tests.chaos.round import Round
from tests.integration.worker.deployment import ROOT, Program

SESSION_S = 6.0
CORRECTED_SKUS = 40
_PATIENCE_S = 60.0
_START, _LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"
_DELTA = {"kind": "DELTA", "reason": "RECEIPT"}


class BrokenProgram(Program):
    """A program whose workers are of a broken build."""

    build = ""

    def __init__(self, arguments: Iterable[str], environment: Mapping[str, str], log: Path) -> None:
        arguments = list(arguments)
        module = ["tests.chaos.broken", self.build] if arguments[0] == "worker" else ["streams.cli"]
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *module, *arguments],
                cwd=ROOT,
                env=dict(environment),
                stdout=output,
                stderr=subprocess.STDOUT,
            )


class Schedule(Round):
    """A round with workers of a broken build. ``build`` empty: of the sound one."""

    def __init__(self, plan: Plan, directory: Path, jar_cache: Path, build: str) -> None:
        super().__init__(plan, directory, jar_cache)
        if build:
            program = type("Program", (BrokenProgram,), {"build": build})
            replaced = patch.object(crew, "Program", program)
            replaced.start()
            self._cleanup.callback(replaced.stop)


class LateRows(Schedule):
    """Facts are corrected; then rows with what was corrected arrive late, as out of a paused worker's socket; the
    worker is killed; events then touch the SKUs. All of it is done in the place of the deed NEW_SCHEMA.
    """

    def _records(self) -> Iterator[Planned]:
        corrected = [record for number in range(CORRECTED_SKUS) for record in self._corrected(number)]
        return itertools.chain(corrected, super()._records())

    def _corrected(self, number: int) -> Iterator[Planned]:
        yield self._stock(number, "balance", kind="BALANCE", quantity=100, as_of=_START, basis="PHYSICAL")
        yield self._stock(number, "wrong", **_DELTA, adjustment_id=f"C-{number}", quantity=40, revision=0)
        yield self._stock(number, "right", **_DELTA, adjustment_id=f"C-{number}", quantity=10, revision=1)

    def _stock(self, number: int, name: str, **fields: Any) -> Planned:
        common = {"type": "stock-adjusted", "source": "erp", "sku": f"CORRECTED-{number}", "location": "A"}
        event = {"event_id": f"{name}-{number}", "occurred_at": _LATER}
        topic, key, record = avro_record_of({**common, **event, **fields})
        written = self._writers.write_present(topic, record)
        return Planned(topic, None, key, written.value, written.headers, Intent.VALID)

    def _speak_newest(self) -> None:
        client = client_of(self.stage.settings)
        producer = Producer(client)
        for (partition, key), values in self._wait_for_corrections(client).items():
            producer.produce(FACTS_CHANGELOG.name, partition=partition, key=key, value=values[0])
        assert producer.flush(_PATIENCE_S) == 0
        for member in self._crew.members("worker"):
            self._crew.act(member, signal.SIGKILL, Fault.KILL.value)
        for number in range(CORRECTED_SKUS):
            self._recorder.produce(self._stock(number, "touch", **_DELTA, adjustment_id=f"T-{number}", quantity=1))

    @staticmethod
    def _wait_for_corrections(client: Mapping[str, Any]) -> dict[tuple[int, bytes], list[bytes]]:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            rows: dict[tuple[int, bytes], list[bytes]] = defaultdict(list)
            for message in read_to_end(client, [FACTS_CHANGELOG.name]):
                key, value = message.key() or b"", message.value()
                if key.startswith(b"CORRECTED-") and value is not None:
                    rows[message.partition() or 0, key].append(value)
            found = {place: values for place, values in rows.items() if len(values) > 1}
            if len(found) == CORRECTED_SKUS:
                return found
            assert time.monotonic() < deadline, f"only {len(found)} corrections were written down"
            time.sleep(0.2)


def _plan(seed: int, workers: int, *deeds: Deed) -> Plan:
    return Plan(
        seed=seed,
        partitions=6,
        workers=workers,
        session_s=SESSION_S,
        channels=("web",),
        sinks=1,
        skus=150,
        burst=300,
        events_per_s=400,
        store="memory",
        warm=True,
        deeds=deeds,
    )


def schedule_of(breakage: str, seed: int, directory: Path, jar_cache: Path, *, sound: bool) -> Schedule:
    """The round under which a breakage shows. ``sound``: with the sound build, of which nothing must show."""
    build = "" if sound else breakage
    if breakage == "commit-first":
        # Whatever a worker waits for when the broker stalls, it is between a commit and a write.
        stall = Deed(2.0, Fault.BROKER_STALL, 2.0, 0, 0.0)
        kills = [Deed(2.5 + number / 10, Fault.KILL, 0.0, 0, 0.0) for number in range(2)]
        return Schedule(_plan(seed, 2, stall, *kills), directory, jar_cache, build)
    if breakage == "last-writer-wins":
        late = Deed(1.0, Fault.NEW_SCHEMA, 0.0, 0, 0.0)
        return LateRows(_plan(seed, 1, late), directory, jar_cache, build)
    paused = [Deed(at, Fault.ZOMBIE, SESSION_S + 3.0, seed, 0.0) for at in (2.0, 15.0)]
    return Schedule(_plan(seed, 2, *paused), directory, jar_cache, build)
