"""``atstream lag``: how far behind, and whether that is a reason to worry."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from streams.cli.outcome import ANSWER_IS_NO, DONE, OutageFailure, UsageFailure
from streams.cli.worker import configured

if TYPE_CHECKING:
    from streams.operations.lag import LagMeter, LagReport

_COLOURS = {"OK": "green", "SLOW": "yellow", "STALLED": "red", "STOPPED": "red"}


@click.command("lag")
@click.option("--group", help="Any consumer group; default: that of the workers (worker.group).")
@click.option(
    "--window",
    "window_s",
    type=click.FloatRange(0.5, 3_600),
    default=10.0,
    show_default=True,
    help="Seconds to watch before judging; longer than the group's commit interval.",
)
@click.option("--watch", "watching", is_flag=True, help="Go on until Ctrl-C; the last verdict is the exit code.")
@click.option("--json", "as_json", is_flag=True, help="JSON; with --watch one object a line.")
@click.option("--all", "everything", is_flag=True, help="Also the partitions that are caught up.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(1, 600),
    default=15.0,
    show_default=True,
    help="Seconds an answer of the broker may take.",
)
def lag_command(
    group: str | None, window_s: float, watching: bool, as_json: bool, everything: bool, timeout_s: float
) -> None:
    """Records and seconds behind per topic and partition of a consumer group, with a verdict.

    OK: caught up, or moving and not falling back. SLOW: moving, but the lag only grew. STALLED: records wait and
    the committed offset does not move. STOPPED: the same, and no member owns the partition. A group that is caught
    up is judged at once. Exit code 0 when OK, 1 otherwise, 3 when the broker does not answer.
    """
    from streams.operations.lag import LagMeter
    from streams.operations.snapshot import client_of
    from streams.worker.app import SOURCES

    settings = configured()
    name = group or settings.worker.group
    expected = SOURCES if name == settings.worker.group else ()
    with _failures_reported():
        meter = LagMeter(client_of(settings), name, expected, timeout_s)
        try:
            report = (_watched if watching else _judged)(meter, window_s, as_json, everything)
        finally:
            meter.close()
    sys.exit(DONE if report is None or report.verdict == "OK" else ANSWER_IS_NO)


def _judged(meter: LagMeter, window_s: float, as_json: bool, everything: bool) -> LagReport:
    with Console(stderr=True).status(f"watching for {window_s:g} s ..."):
        report = meter.judge(window_s)
    if as_json:
        _print_json(report)
    else:
        Console().print(_view(report, everything))
    return report


def _watched(meter: LagMeter, window_s: float, as_json: bool, everything: bool) -> LagReport | None:
    last = None
    try:
        if as_json:
            for last in meter.watch(window_s):
                _print_json(last)
        else:
            with Live(console=Console(), auto_refresh=False) as live:
                for last in meter.watch(window_s):
                    live.update(_view(last, everything), refresh=True)
    except KeyboardInterrupt:
        return last  # how a watch ends
    return last


def _print_json(report: LagReport) -> None:
    from streams.operations.lag import document

    click.echo(json.dumps(document(report)))


def _view(report: LagReport, everything: bool) -> Group:
    shown = [each for each in report.partitions if everything or each.records or each.verdict != "OK"]
    summary = Text.assemble(
        f"{report.group}: ",
        (report.verdict, f"bold {_COLOURS[report.verdict]}"),
        f", {report.records} records and {report.seconds:.1f} s behind in {len(report.partitions)} partitions; "
        f"{report.state.lower()}, {report.members} members; {report.window_s:.0f} s watched",
    )
    if not shown:
        return Group(summary)
    table = Table(box=None)
    for column in ("topic", "partition", "committed", "end", "records", "seconds"):
        table.add_column(column, justify="left" if column == "topic" else "right")
    table.add_column("verdict")
    table.add_column("owner", overflow="fold")
    for each in shown:
        committed = "-" if each.committed is None else str(each.committed)
        numbers = (str(each.partition), committed, str(each.end), str(each.records), f"{each.seconds:.1f}")
        table.add_row(each.topic, *numbers, Text(each.verdict, _COLOURS[each.verdict]), each.owner or "-")
    return Group(table, summary)


@contextmanager
def _failures_reported() -> Iterator[None]:
    from streams.cli.outages import outages_reported
    from streams.operations.lag import UnknownGroup
    from streams.operations.waiting import PositionsUnread

    try:
        with outages_reported():
            yield
    except UnknownGroup as error:
        raise UsageFailure(str(error)) from error
    except PositionsUnread as error:
        raise OutageFailure(str(error)) from error
