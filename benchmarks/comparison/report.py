"""Figures as text: Markdown tables, which read well in a terminal too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.comparison import figures
from benchmarks.comparison.figures import Row, Spread
from benchmarks.comparison.plan import COMPARISON

OTHERS = (("Faust", "faust"), ("limit", "limit"), ("Kafka Streams", "kafka_streams"))
"""What every side is compared with: a short name, and the side."""

Column = tuple[str, str, str]
THROUGHPUT: tuple[Column, ...] = (
    ("events/s", "throughput.events_per_s", ",.0f"),
    ("CPU s per million", "throughput.cpu_s_per_million", ",.1f"),
    ("broker CPU s per million", "throughput.broker_cpu_s_per_million", ",.1f"),
    ("outputs per event", "outputs_per_event", ".2f"),
    ("peak MB", "peak_mb", ",.0f"),
)
BEHAVIOUR: tuple[Column, ...] = (
    ("latency p50 ms", "latency.p50_ms", ",.0f"),
    ("p99 ms", "latency.p99_ms", ",.0f"),
    ("at events/s", "latency.rate_per_s", ",.0f"),
    ("recovery: first output s", "recovery.first_s", ".1f"),
    ("all partitions s", "recovery.all_s", ".1f"),
)


def report(document: Mapping[str, Any]) -> str:
    """The whole document as text."""
    parts = ["\n".join(f"{name:<9}{told}" for name, told in document["header"].items())]
    for section in document["sections"]:
        rows = [row for row in document["rows"] if row["section"] == section["name"]]
        if rows:
            parts.append(f"## {section['title']}\n\n{tables(section['name'], section['cases'], rows)}")
    for name, told in document.get("singles", {}).items():
        shown_ = told.get("printed") or f"no figures: {told.get('failed')}"
        parts.append(f"## {name}: `{told['command']}`\n\n```\n{shown_}\n```")
    return "\n\n".join(parts)


def tables(section: str, cases: Sequence[str], rows: Sequence[Row]) -> str:
    """The tables of one section, and what could not be measured."""
    parts = [table(cases, rows, THROUGHPUT)]
    if section == COMPARISON:
        parts.append(table(cases, rows, BEHAVIOUR))
        parts.append(ratios(cases, rows))
    failed = [(case, reason) for case in cases for reason in figures.failures(rows, case)]
    if failed:
        parts.append(
            "\n".join(f"- {case} has runs without all figures: {_one_line(reason)}" for case, reason in failed)
        )
    return "\n\n".join(part for part in parts if part)


def table(cases: Sequence[str], rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """One row a case; every cell is the median (least to most); empty when nothing of it was measured."""
    cells = {case: [figures.over_runs(rows, case, path) for _, path, _ in columns] for case in cases}
    if not any(one for told in cells.values() for one in told):
        return ""
    lines = [["", *(title for title, _, _ in columns), "right"]]
    for case in cases:
        told = [shown(one, form) for one, (_, _, form) in zip(cells[case], columns, strict=True)]
        lines.append([case, *told, figures.wrong(rows, case)])
    return markdown(lines)


def ratios(cases: Sequence[str], rows: Sequence[Row]) -> str:
    """Each side against others, run by run: events per second, and events per CPU second."""
    lines = [["", *(f"{what} x {other}" for other, _ in OTHERS for what in ("events/s", "per CPU s"))]]
    for case in cases:
        told = []
        for _, other in OTHERS:
            told.append(shown(figures.ratio(rows, case, other, "throughput.events_per_s"), ".2f"))
            told.append(
                shown(figures.ratio(rows, case, other, "throughput.cpu_s_per_million", inverse=True), ".2f")
            )
        lines.append([case, *told])
    return markdown(lines)


def shown(one: Spread | None, form: str) -> str:
    """Median (least to most)."""
    if one is None:
        return "-"
    if one.runs == 1:
        return format(one.middle, form)
    return f"{one.middle:{form}} ({one.least:{form}}-{one.most:{form}})"


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A table whose columns are aligned in the source as well."""
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    padded = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    return "\n".join([padded[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *padded[1:]])


def _one_line(text: str, most: int = 400) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}..."
