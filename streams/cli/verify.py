"""``atstream verify``: the proof as a command."""

from __future__ import annotations

import dataclasses
import json
import sys

import click
from rich.console import Console

from streams.cli.outcome import ANSWER_IS_NO
from streams.cli.worker import configured


@click.command("verify")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object.")
@click.option(
    "--timeout", "timeout_s", default=60.0, show_default=True, help="Seconds to wait for a silent topic."
)
def verify_command(as_json: bool, timeout_s: float) -> None:
    """Recompute every SKU from the topics and compare with tables, outputs and channel acknowledgements.

    Run it when the system is at rest: with lag or unacknowledged updates it reports what is missing as a
    difference. Exit code 1 when anything differs, or when there was nothing to compare.
    """
    from streams.cli.outages import outages_reported
    from streams.operations.verify import SHOWN_DIFFERENCES, verify

    settings = configured()
    with outages_reported(), Console(stderr=True).status("reading the topics ..."):
        report = verify(settings, timeout_s)
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(report), "proven": report.proven}))
    else:
        for difference in report.differences[:SHOWN_DIFFERENCES]:
            click.echo(difference)
        if len(report.differences) > SHOWN_DIFFERENCES:
            click.echo(f"... and {len(report.differences) - SHOWN_DIFFERENCES} more")
        click.echo(
            f"compared {report.skus} SKUs from {report.events} events: {report.channels} channel quantities, "
            f"{report.accepted} accepted as planned, {report.pending} waiting for debounce or heartbeat; "
            f"{len(report.differences)} differences"
        )
    if not report.proven:
        sys.exit(ANSWER_IS_NO)
