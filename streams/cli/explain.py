"""``atstream explain`` answers "why is it 7?"."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from domain.explain import Explanation, Waterfall, explain
from schemas.times import iso
from streams.cli.outcome import ANSWER_IS_NO
from streams.cli.worker import configured

# Waterfalls print the same for everybody; only totals stand out.
_TOTAL = "bold"


@click.command("explain")
@click.argument("sku")
@click.option("--channel", help="Only this channel, with its pool and locations.")
@click.option("--json", "as_json", is_flag=True, help="The waterfalls as one JSON object.")
def explain_command(sku: str, channel: str | None, as_json: bool) -> None:
    """Show how the numbers of SKU came about: per location, pool and channel, with the documents behind each term.

    Reads the SKU's facts from the changelog and the policy in force; needs no running worker. Exit code 1 when
    nothing is known of the SKU.
    """
    from streams.cli.outages import outages_reported
    from streams.operations.snapshot import client_of, read_facts_of, read_policy
    from streams.worker.state import now_us

    settings = configured()
    with outages_reported():
        facts = read_facts_of(client_of(settings), sku)
        policy = read_policy(settings, now_us)
    if sku not in facts:
        click.echo(f"nothing is known of SKU {sku}: no event of it was applied yet", err=True)
        sys.exit(ANSWER_IS_NO)
    explanation = explain(facts.state(sku), policy, now_us())
    shown = _selected(explanation, channel)
    if as_json:
        click.echo(json.dumps(_document(explanation, shown)))
        return
    console = Console()
    for waterfall in shown:
        console.print(_table(waterfall))
    for finding in explanation.assessment.findings:
        console.print(f"[yellow]finding[/] {finding.code} {finding.location} {' '.join(finding.refs)}")


def _selected(explanation: Explanation, channel: str | None) -> list[Waterfall]:
    if channel is None:
        return list(explanation.waterfalls)
    if channel not in explanation.assessment.channels:
        known = ", ".join(explanation.assessment.channels) or "none"
        raise click.BadParameter(f"{channel} is no channel of the policy in force (known: {known})")
    return [one for one in explanation.waterfalls if one.scope != "channel" or one.name == channel]


def _document(explanation: Explanation, shown: list[Waterfall]) -> dict[str, Any]:
    return {
        "sku": explanation.assessment.sku,
        "waterfalls": [
            {"scope": one.scope, "name": one.name, "terms": [term._asdict() for term in one.terms]}
            for one in shown
        ],
        "findings": [finding._asdict() for finding in explanation.assessment.findings],
    }


def _table(waterfall: Waterfall) -> Table:
    table = Table(title=f"{waterfall.scope} {waterfall.name}", title_justify="left", box=None, min_width=60)
    table.add_column("term")
    table.add_column("units", justify="right")
    table.add_column("why", overflow="fold")
    for term in waterfall.terms:
        as_of = f"as of {iso(term.at)}" if term.at is not None else ""
        why = ", ".join(part for part in (term.note, as_of, " ".join(term.refs)) if part)
        style = _TOTAL if term.is_total else ""
        sign = "" if term.is_total or term.units <= 0 else "+"
        table.add_row(term.name.replace("_", " "), f"{sign}{term.units}", why, style=style)
    return table
