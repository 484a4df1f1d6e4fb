"""The command line of the comparison: choose, run, print, keep."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import environment
from benchmarks.comparison import plan
from benchmarks.comparison.cluster import Cluster
from benchmarks.comparison.report import report
from benchmarks.comparison.run import Run
from benchmarks.comparison.sides import Installation, all_sides
from benchmarks.comparison.singles import SINGLES, single
from streams.local import jars

HOME = environment.ROOT / ".atstream" / "bench"
QUIET_LOAD = 0.7


def main(arguments: list[str] | None = None) -> None:
    """Run what the arguments choose. Ends with 1 when a side has no figures in a quick run."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that everything started is stopped, too
    missing = jars.missing()
    if missing is not None:
        sys.exit(f"the comparison needs a real Apache Kafka: {missing}")
    sides = all_sides()
    chosen = options.sides or list(sides)
    unknown = [name for name in chosen if name not in sides]
    if unknown:
        sys.exit(f"no such side: {', '.join(unknown)}; there are {', '.join(sides)}")
    sections = _sections(options, {name: sides[name].events for name in chosen})
    load = os.getloadavg()[0]
    if load > QUIET_LOAD:
        print(f"the machine is busy (load {load:.1f}): figures of wall time mean little now", file=sys.stderr)
    document: dict[str, Any] = {
        "header": {
            **environment.facts(),
            "kafka": jars.kafka_version(),
            "load": f"{load:.2f} before the run",
            **({"note": "a smoke: too few events for its figures to mean anything"} if options.quick else {}),
        },
        "versions": {},
        "sections": [
            {"name": one.name, "title": one.title, "cases": [case.name for case in one.cases]} for one in sections
        ],
        "rows": [],
        "singles": {},
    }
    HOME.mkdir(parents=True, exist_ok=True)
    path = options.json or HOME / f"comparison-{time.strftime('%Y%m%d-%H%M%S')}.json"
    needed = {case.side for one in sections for case in one.cases}
    installations = {name: Installation(sides[name], HOME / "envs") for name in sides if name in needed}
    if sections:
        with _scratch() as directory, Cluster(directory) as cluster:
            run = Run(cluster, installations, document, path, say)
            run.install()
            run.carry_out(sections)
    if not options.quick:
        for name in _singles(options.singles):
            document["singles"][name] = single(name)
            path.write_text(json.dumps(document, indent=1))
    print(report(document))
    print(f"\nkept as {path}")
    if options.quick and any("failed" in row for row in document["rows"]):
        sys.exit(1)


def _singles(chosen: list[str] | None) -> list[str]:
    if chosen is None:
        return list(SINGLES)
    return [] if chosen == ["none"] else chosen


def _sections(options: argparse.Namespace, sides: dict[str, int | None]) -> list[plan.Section]:
    runs = options.runs or (1 if options.quick else 5)
    sections = [plan.comparison(sides, runs, options.quick, options.events)]
    if not options.quick:
        sections.append(plan.of_atstream(options.runs or 1, options.events))
        if options.online_retail:
            sections.append(plan.of_invoices(options.online_retail, options.runs or 1, options.events))
    if options.sections:
        sections = [one for one in sections if one.name in options.sections]
        if not sections and options.sections != ["none"]:
            sys.exit(f"no such section: {', '.join(options.sections)}")
    return sections


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A directory for the broker's data, gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="bench-", dir=HOME))
    try:
        yield directory
    finally:
        logs = HOME / "logs"
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir()
        for log in directory.glob("*.log"):
            shutil.move(log, logs / log.name)
        shutil.rmtree(directory, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="one small run of each side: does all still work?")
    add("--runs", type=int, help="runs of every case (5; 1 in sections of atstream alone)")
    add("--events", type=int, help="events to preload at most")
    add("--sides", type=_names, help="only these, separated by commas")
    add("--sections", type=_names, help="only these of comparison, atstream, retail; or none")
    add("--online-retail", type=Path, help="Online Retail invoices, CSV or CSV.xz: the section retail")
    add("--singles", type=_names, help=f"single figures, of {', '.join(SINGLES)}; or none")
    add("--json", type=Path, help="where the measurements are kept")
    return parser


def say(line: str) -> None:
    """Progress, beside the report."""
    print(line, file=sys.stderr, flush=True)


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def read(path: Path) -> dict[str, Any]:
    """The measurements of an earlier run."""
    document: dict[str, Any] = json.loads(path.read_text())
    return document
