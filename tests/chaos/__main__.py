"""``python -m tests.chaos``: seeded rounds one after the other; ends with 1 when one broke a law."""

from __future__ import annotations

import json
import shutil
import sys
import time
import traceback
from functools import partial
from pathlib import Path

import click

from streams.local import jars
from tests.chaos.disk import unmount
from tests.chaos.plan import BACKLOG, WEIGHTS, Fault, Plan, backlog_plan_of, plan_of
from tests.chaos.report import RoundReport, summary, write
from tests.chaos.round import Round
from tests.chaos.verifier import verify_round

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".atstream"


def play(current: Round, following: Round | None = None) -> RoundReport:
    """One round from beginning to verdict. When it has caught up, the following one gets its cluster ready."""
    began = time.monotonic()
    try:
        current.open()
        outcome = current.play(following.prepare if following else lambda: None)
        violations = (*outcome.violations, *verify_round(outcome.evidence))
    finally:
        current.close()
    return RoundReport(current.plan, outcome, violations, time.monotonic() - began)


def set_out(plan: Plan, libraries: Path) -> Round:
    """A round in its own directory, which is made empty."""
    directory = HOME / "chaos" / f"round-{plan.seed}"
    unmount(directory / "store")
    shutil.rmtree(directory, ignore_errors=True)
    return Round(plan, directory, libraries)


@click.command()
@click.option("--rounds", type=click.IntRange(1, 10_000), default=3, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Seed of the first round.")
@click.option(
    "--only", multiple=True, type=click.Choice([fault.value for fault in WEIGHTS]), help="Only these faults."
)
@click.option(
    "--backlog",
    is_flag=True,
    help=f"Begin with {BACKLOG:,} records, and kill workers in the middle of the long epochs that work them off.",
)
@click.option("--keep", is_flag=True, help="Keep data and logs of rounds that went well, too.")
@click.option("--plans", is_flag=True, help="Print the plans and do nothing.")
@click.option(
    "--report", type=click.Path(path_type=Path), help="Default: report.json, or backlog.json, in .atstream/chaos."
)
def main(
    rounds: int, seed: int, only: tuple[str, ...], backlog: bool, keep: bool, plans: bool, report: Path | None
) -> None:
    """Play rounds of chaos on a real Kafka and judge them."""
    if backlog and only:
        raise click.UsageError("--backlog has faults of its own, --only cannot narrow them: leave one of them out")
    faults = frozenset(map(Fault, only))
    plan = backlog_plan_of if backlog else partial(plan_of, only=faults)
    report = report or HOME / "chaos" / ("backlog.json" if backlog else "report.json")
    if plans:
        for number in range(seed, seed + rounds):
            click.echo(f"{number}: {plan(number)}")
        return
    libraries = HOME / "kafka"
    jars.resolve(libraries, click.echo)
    options = " ".join((*(f"--only {each}" for each in only), *(["--backlog"] if backlog else [])))
    narrowed = f" ARGS='{options}'" if options else ""
    done: list[RoundReport] = []
    broken: list[int] = []
    following: Round | None = set_out(plan(seed), libraries)
    while following is not None:
        current, number = following, following.plan.seed
        following = set_out(plan(number + 1), libraries) if number + 1 < seed + rounds else None
        again = f"make chaos ROUNDS=1 SEED={number}{narrowed}"
        try:
            played = play(current, following)
        except Exception:  # noqa: BLE001 - the other rounds are worth playing
            click.echo(f"round {number}: the harness failed\n{traceback.format_exc()}\n  again: {again}")
            broken.append(number)
            continue
        except BaseException:
            if following is not None:
                following.close()
            raise
        done.append(played)
        write(report, done, " ".join(sys.argv))
        click.echo("\n".join(played.lines()))
        if played.violations:
            click.echo(f"  logs: {current.directory / 'logs'}\n  again: {again}")
        elif not keep:
            shutil.rmtree(current.directory, ignore_errors=True)
    click.echo(json.dumps(summary([each.as_json() for each in done]), indent=1))
    click.echo(f"report: {report}" + (f"; the harness failed in {broken}" if broken else ""))
    sys.exit(1 if broken or any(each.violations for each in done) else 0)


if __name__ == "__main__":
    main()
