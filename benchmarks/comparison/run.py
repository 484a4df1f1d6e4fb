"""Carries a plan out: round by round, side after side, on one cluster; every measurement is kept as it is made."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException

from benchmarks.comparison.cluster import BenchmarkFailed, Cluster
from benchmarks.comparison.crash import PROBES
from benchmarks.comparison.inputs import Input, Stream
from benchmarks.comparison.plan import Case, Section
from benchmarks.comparison.retail import invoices, retail_input
from benchmarks.comparison.sides import Installation, SideUnavailable
from benchmarks.comparison.visit import Visit

SPARE_PER_S = 100_000
"""Events are made in advance for latency measurements of at most this rate."""
Say = Callable[[str], None]


class Run:
    """One run of a plan. ``document`` grows and is written after every visit."""

    def __init__(
        self,
        cluster: Cluster,
        installations: dict[str, Installation],
        document: dict[str, Any],
        path: Path,
        say: Say,
    ) -> None:
        self._cluster = cluster
        self._installations = installations
        self._document = document
        self._path = path
        self._say = say
        self._unavailable: dict[str, str] = {}
        self._stream = Stream(cluster)
        self._retail: Input | None = None
        self._visits = 0

    def install(self) -> None:
        """Install every side, so that no measurement waits for a download."""
        for name, installation in self._installations.items():
            try:
                installation.install()
                self._document["versions"][name] = installation.version()
            except SideUnavailable as error:
                self._unavailable[name] = str(error)
                self._say(f"{name}: not run: {error}")

    def carry_out(self, sections: Sequence[Section]) -> None:
        """All sections; within one, every case once a round, in an order that turns."""
        for section in sections:
            for number in range(section.runs):
                first = number % len(section.cases)
                for case in (*section.cases[first:], *section.cases[:first]):
                    row = {"section": section.name, "case": case.name, "side": case.side, "run": number + 1}
                    began = time.monotonic()
                    row |= self._visited(case)
                    row["took_s"] = round(time.monotonic() - began, 1)
                    self._document["rows"].append(row)
                    self._path.write_text(json.dumps(self._document, indent=1))
                    self._say(f"{section.name} {number + 1}/{section.runs} {case.name}: {_told(row)}")

    def _visited(self, case: Case) -> dict[str, Any]:
        if case.side in self._unavailable:
            return {"failed": self._unavailable[case.side]}
        terms = case.terms
        try:
            fed = self._input(case)
        except BenchmarkFailed as error:
            return {"failed": str(error)}
        self._visits += 1
        visit = Visit(self._cluster, self._installations[case.side], terms, self._visits)
        load = os.getloadavg()[0]
        try:
            return {"events": terms.events, "load_before": load, "result": visit.measure(fed)}
        except (BenchmarkFailed, KafkaException, OSError) as error:
            return {"failed": f"{type(error).__name__}: {error}"}
        finally:
            visit.end()

    def _input(self, case: Case) -> Input:
        if case.retail is None:
            spare = int(SPARE_PER_S * case.terms.latency_s) + PROBES
            return self._stream.take(case.terms.events + spare, case.terms.keys)
        if self._retail is None:
            self._retail = retail_input(self._cluster, invoices(case.retail, case.terms.events // 2))
        return self._retail


def _told(row: dict[str, Any]) -> str:
    return " ".join(_parts(row))


def _parts(row: dict[str, Any]) -> Iterator[str]:
    if "failed" in row:
        yield f"FAILED: {row['failed'][:300]}"
        return
    result = row["result"]
    fast = result["throughput"]
    if fast:
        yield f"{fast['events_per_s']:,.0f} events/s, {fast['cpu_s_per_million']:.1f} CPU s per million,"
    yield f"{result['peak_mb']:,.0f} MB"
    if "latency" in result:
        yield f"p50 {result['latency']['p50_ms']:.0f} ms p99 {result['latency']['p99_ms']:.0f} ms"
    if "recovery" in result:
        yield f"recovery {result['recovery']['all_s']:.1f} s"
    if "failed" in result:
        yield f"FAILED: {result['failed'][:300]}"
    if result["wrong_keys"] or result.get("recovery", {}).get("wrong_keys"):
        yield "WRONG"
    yield f"({row['took_s']} s)"
