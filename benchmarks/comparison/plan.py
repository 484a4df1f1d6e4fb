"""What a run measures: sections, each a list of cases, each case visited several times in turn with the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.comparison.visit import Terms

COMPARISON = "comparison"
ATSTREAM = "atstream"
BENCH_EVENTS = 300_000
QUICK_EVENTS = 8_000
KEYS = 10_000
QUICK_KEYS = 1_000


@dataclass(frozen=True, slots=True)
class Case:
    """A side under terms. ``name`` is the row of the section's table; ``retail``: the file of real invoices."""

    section: str
    name: str
    side: str
    terms: Terms
    retail: Path | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Cases that are compared with each other, and how often each is run."""

    name: str
    title: str
    cases: tuple[Case, ...]
    runs: int = field(default=1)


def comparison(sides: dict[str, int | None], runs: int, quick: bool, events: int | None = None) -> Section:
    """Every side under the same terms, but for as many events as ``sides`` has for it; slopes are compared.

    ``events`` bounds all of them.
    """
    most = events or (QUICK_EVENTS if quick else None)
    cases = []
    for name, own in sides.items():
        wanted = own or BENCH_EVENTS
        terms = Terms(
            events=min(most or wanted, wanted),
            keys=QUICK_KEYS if quick else KEYS,
            latency_s=0.0 if quick else 5.0,
            recovery=not quick,
            smoke=quick,
        )
        cases.append(Case(COMPARISON, name, name, terms))
    return Section(COMPARISON, "all sides", tuple(cases), runs)


def of_atstream(runs: int, events: int | None = None) -> Section:
    """What atstream's throughput depends on: each case differs from the first in one thing."""
    most = events or BENCH_EVENTS
    terms = {
        "as it comes: 1 worker, 10,000 SKUs": Terms(most, KEYS),
        "2 workers": Terms(most, KEYS, workers=2),
        "100,000 SKUs": Terms(most, 100_000),
        "1,000,000 SKUs": Terms(most // 2, 1_000_000),  # half the input: those that are met have a history first
    }
    for records, batch in ((1_000, 250), (20_000, 1_000)):
        plane = {"epoch_max_records": records, "batch_max_records": batch}
        terms[f"epochs of {records:,}, batches of {batch:,} records"] = Terms(most, KEYS, plane=plane)
    cases = tuple(Case(ATSTREAM, name, ATSTREAM, each) for name, each in terms.items())
    return Section(ATSTREAM, "atstream: what its throughput depends on", cases, runs)


def of_invoices(path: Path, runs: int, events: int | None = None) -> Section:
    """Real invoices: releases, shipments, returns and write-offs, and channels that must be told."""
    most = events or BENCH_EVENTS
    cases = tuple(
        Case("retail", name, ATSTREAM, Terms(most, 0, channels=channels), path)
        for name, channels in (("no channel", 0), ("1 channel", 1), ("3 channels", 3))
    )
    return Section("retail", "atstream: real invoices (Online Retail), all event types", cases, runs)
