"""``python -m tests.chaos.publish [REPORT ...]``: writes what the reports say into ``docs/reliability.md``.

Rounds of several reports are told together: ``make chaos`` may be run in parts. A round that proved nothing, as
the harness or the judge was at fault, may be played again at another commit (``--again``); the page says which.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from tests.chaos.plan import Fault
from tests.chaos.report import summary

ROOT = Path(__file__).resolve().parents[2]
LAST = ROOT / ".atstream" / "chaos" / "report.json"
BROKEN = LAST.with_name("broken.json")
BACKLOG = LAST.with_name("backlog.json")
PAGE = ROOT / "docs" / "reliability.md"
BEGINS, ENDS = "<!-- results:", "<!-- end of results -->"


def together(reports: Sequence[Mapping[str, Any]], again: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Several reports as one. Raises ``ClickException`` when a round is in two of them, or commits differ.

    The rounds of ``again`` stand instead of those with their seeds.
    """
    later = {} if again is None else {each["seed"]: each for each in again["rounds"]}
    first = [each for report in reports for each in report["rounds"] if each["seed"] not in later]
    rounds = sorted([*first, *later.values()], key=lambda each: each["seed"])
    if len({each["seed"] for each in rounds}) < len(rounds):
        raise click.ClickException("a round is in two of the reports")
    commits = sorted({report["commit"] for report in reports})
    if len(commits) != 1:
        raise click.ClickException(f"the reports are of several commits: {', '.join(commits)}")
    told = {"commit": commits[0], "summary": summary(rounds), "rounds": rounds}
    return told if again is None else {**told, "again": {"commit": again["commit"], "seeds": sorted(later)}}


def rendered(
    rounds: Mapping[str, Any] | None, broken: Mapping[str, Any] | None, backlog: Mapping[str, Any] | None = None
) -> str:
    """The block between the markers. A report that is None was not made."""
    parts = []
    if rounds is not None:
        parts += _of_rounds(rounds)
    if backlog is not None:
        parts += _of_backlog(backlog)
    if broken is not None:
        parts += _of_builds(broken["builds"])
    return "\n".join(parts)


def _of_rounds(report: Mapping[str, Any]) -> list[str]:
    summary, rounds = report["summary"], report["rounds"]
    seeds = sorted(each["seed"] for each in rounds)
    lines = [
        f"Seeds {seeds[0]} to {seeds[-1]} at commit {report['commit']}, Python {platform.python_version()},"
        f" {os.cpu_count()} cores.{_played_again(report.get('again'))}",
        "",
        "| | |",
        "| --- | --- |",
        f"| rounds | {summary['rounds']:,} |",
        f"| records produced | {summary['events']:,} |",
        f"| faults | {sum(summary['faults'].values()):,} |",
        f"| **violations** | **{summary['violations']:,}** |",
        f"| from the last fault or record to caught up | {_spread(summary['caught_up_s'])} |",
    ]
    for session, kinds in summary["recovery_s"].items():
        for kind, spread in kinds.items():
            lines.append(f"| from {kind} to caught up, {session} | {_spread(spread)} |")
    faults = ", ".join(f"{name} {count}" for name, count in summary["faults"].items())
    return [*lines, "", f"Faults: {faults}.", ""]


def _of_backlog(report: Mapping[str, Any]) -> list[str]:
    summary, rounds = report["summary"], report["rounds"]
    written = sorted(rows for each in rounds for rows in each["rows_written"])
    beside = {name: count for name, count in summary["faults"].items() if name != Fault.KILL_WRITING.value}
    return [
        f"Rounds with a backlog, seeds {', '.join(str(each['seed']) for each in rounds)} at commit"
        f" {report['commit']}:",
        "",
        "| | |",
        "| --- | --- |",
        f"| rounds, records | {summary['rounds']:,}, {summary['events']:,} |",
        f"| workers killed in the middle of writing an epoch | {len(written)} |",
        f"| rows of it that were written | {written[0]:,} to {written[-1]:,} |",
        f"| most records in one commit | {max(each['largest_commit'] for each in rounds):,} |",
        f"| faults beside | {', '.join(f'{name} {count}' for name, count in beside.items())} |",
        f"| **violations** | **{summary['violations']:,}** |",
        "",
    ]


def _played_again(again: Mapping[str, Any] | None) -> str:
    if again is None:
        return ""
    return f" Played again at commit {again['commit']}: {', '.join(map(str, again['seeds']))}."


def _of_builds(builds: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "| broken build | caught in round | by the laws | violations of the sound build |",
        "| --- | --- | --- | --- |",
    ]
    for each in builds:
        laws = ", ".join(f"{law} ({times})" for law, times in each["laws"].items())
        caught = each["rounds"] if each["caught"] else f"not in {each['rounds']}"
        lines.append(f"| {each['build']} | {caught} | {laws or '-'} | {len(each['sound_violations'])} |")
    return lines


def _spread(spread: Mapping[str, float]) -> str:
    if not spread["count"]:
        return "not measured"
    return f"p50 {spread['p50']} s, max {spread['max']} s ({spread['count']:g} times)"


def between_markers(page: str, block: str) -> str:
    """The page with another block. Raises ValueError when a marker is missing."""
    begins = page.index("\n", page.index(BEGINS)) + 1
    return page[:begins] + block.rstrip("\n") + "\n" + page[page.index(ENDS) :]


def _read(path: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(path.read_text())
    return found


@click.command()
@click.argument("reports", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--again",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A report whose rounds stand instead of those with the same seeds.",
)
@click.option("--print", "only_print", is_flag=True, help="Print the block and change nothing.")
def main(reports: tuple[Path, ...], again: Path | None, only_print: bool) -> None:
    """Publish the figures of REPORTS, or of the last run of rounds, and of the last runs of the other kinds."""
    chosen = reports or tuple(path for path in (LAST,) if path.exists())
    rounds = together([_read(path) for path in chosen], _read(again) if again else None) if chosen else None
    broken = _read(BROKEN) if BROKEN.exists() else None
    if rounds is None and broken is None:
        raise click.ClickException(f"no reports in {LAST.parent}; run make chaos and make chaos-broken first")
    block = rendered(rounds, broken, _read(BACKLOG) if BACKLOG.exists() else None)
    if only_print:
        click.echo(block)
    else:
        PAGE.write_text(between_markers(PAGE.read_text(), block))


if __name__ == "__main__":
    main()
