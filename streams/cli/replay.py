"""``atstream replay``: the pure core on a file, without a broker."""

from __future__ import annotations

import datetime
import json
import sys
from typing import IO

import click
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from domain.facts import Micros
from domain.numbers import Assessment
from schemas.policies import PolicyError, policy_of_text
from schemas.records import RecordError
from streams.cli.outcome import UsageFailure
from streams.operations.replay import Replay, answer_of

_REPORTED_LINES = 20
_PROGRESS_EVERY = 5_000


@click.command()
@click.argument("file", type=click.File("rb"), metavar="FILE|-")
@click.option(
    "--policy", "policy_file", type=click.File("rb"), help="YAML or JSON policy; default: the empty one."
)
@click.option("--now", "now_iso", help="The instant to answer for, ISO-8601 with zone; default: the present.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines also on a terminal.")
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="What to do with a line that cannot be read: stop, or report and count it and go on.",
)
def replay(
    file: IO[bytes], policy_file: IO[bytes] | None, now_iso: str | None, as_json: bool, on_error: str
) -> None:
    """Fold canonical JSON lines from FILE (- for standard input) and print one JSON line per SKU.

    Order and repetition of the lines do not matter. On a terminal a table is printed unless --json is given.
    """
    try:
        policy = policy_of_text(policy_file.read().decode()) if policy_file else None
    except (PolicyError, UnicodeDecodeError) as error:
        raise UsageFailure(f"policy {policy_file.name if policy_file else ''}: {error}") from error
    work = Replay(policy)
    _read(file, work, on_error)
    answers = work.answers(_micros(now_iso))
    if as_json or not sys.stdout.isatty():
        for assessment, codes in answers:
            click.echo(json.dumps(answer_of(assessment, codes)))
    else:
        _print_table([assessment for assessment, _ in answers])


def _read(file: IO[bytes], work: Replay, on_error: str) -> None:
    console = Console(stderr=True)
    columns = (TextColumn("replaying {task.completed:,} lines"), TimeElapsedColumn())
    skipped = number = 0
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("replay", total=None)
        for number, line in enumerate(file, start=1):
            if number % _PROGRESS_EVERY == 0:
                progress.update(task, completed=number)
            if not line.strip():
                continue
            try:
                work.take(line)
            except RecordError as error:
                if on_error == "stop":
                    raise UsageFailure(
                        f"{file.name}, line {number}: {error} (--on-error skip goes on without such lines)"
                    ) from error
                skipped += 1
                if skipped <= _REPORTED_LINES:
                    click.echo(f"{file.name}, line {number}: skipped: {error}", err=True)
    if skipped:
        click.echo(f"skipped {skipped} of {number} lines", err=True)


def _micros(text: str | None) -> Micros:
    if text is None:
        moment = datetime.datetime.now(datetime.UTC)
    else:
        try:
            moment = datetime.datetime.fromisoformat(text)
        except ValueError as error:
            raise UsageFailure(f"--now {text}: {error}; write it like 2026-01-31T12:00:00Z") from error
        if moment.tzinfo is None:
            raise UsageFailure(f"--now {text}: the time zone is missing; write it like 2026-01-31T12:00:00Z")
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return (moment - epoch) // datetime.timedelta(microseconds=1)


def _print_table(assessments: list[Assessment]) -> None:
    table = Table("SKU", "location", box=None)
    for name in ("on hand", "reserved", "soft", "net", "withheld", "available to sell"):
        table.add_column(name, justify="right")
    for assessment in assessments:
        for location, numbers in assessment.locations.items():
            terms = (
                numbers.on_hand,
                numbers.reserved,
                numbers.soft_reserved,
                numbers.net,
                numbers.withheld,
                numbers.available_to_sell,
            )
            table.add_row(assessment.sku, location, *map(str, terms))
        for pool, sums in assessment.pools.items():
            table.add_row(assessment.sku, f"pool {pool}", *[""] * 5, f"[bold]{sums.available_to_sell}[/]")
        for channel, quantity in assessment.channels.items():
            table.add_row(assessment.sku, f"channel {channel}", *[""] * 5, str(quantity))
    Console().print(table)
