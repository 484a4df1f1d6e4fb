"""``python -m tests.chaos.broken.suite``: shows that the judge of chaos notices each broken build, and only those.

Ends with 1 when a broken build got away, or the sound one was accused.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from streams.local import jars
from tests.chaos.broken.builds import BUILDS
from tests.chaos.broken.rounds import schedule_of
from tests.chaos.disk import unmount
from tests.chaos.evidence import Violation
from tests.chaos.verifier import verify_round

HOME = Path(__file__).resolve().parents[3] / ".atstream"
WITHIN = 5
"""Rounds within which a broken build must be caught."""
_SHOWN = 3


def violations_of(breakage: str, seed: int, directory: Path, *, sound: bool) -> Sequence[Violation]:
    """Play one round and judge it."""
    unmount(directory / "store")
    shutil.rmtree(directory, ignore_errors=True)
    played = schedule_of(breakage, seed, directory, HOME / "kafka", sound=sound)
    try:
        played.open()
        outcome = played.play()
        return [*outcome.violations, *verify_round(outcome.evidence)]
    finally:
        played.close()


def caught(breakage: str, within: int, directory: Path) -> dict[str, Any]:
    """Play rounds with the broken build until it is caught, then one with the sound build."""
    found: Sequence[Violation] = ()
    rounds = 0
    while not found and rounds < within:
        rounds += 1
        found = violations_of(breakage, rounds, directory / f"{breakage}-{rounds}", sound=False)
    laws = Counter(each.law for each in found)
    told = ", ".join(f"{law} x{times}" for law, times in laws.most_common())
    click.echo(f"{breakage}: {'caught by ' + told if found else 'NOT caught'} in round {rounds}")
    for each in found[:_SHOWN]:
        click.echo(f"    {each.law}: {each.where}: {each.detail}")
    sound = violations_of(breakage, rounds, directory / f"{breakage}-sound", sound=True)
    click.echo(f"    the sound build under the same schedule: {len(sound)} violations")
    for each in sound[:_SHOWN]:
        click.echo(f"    {each.law}: {each.where}: {each.detail}")
    return {
        "build": breakage,
        "caught": bool(found),
        "rounds": rounds,
        "laws": dict(laws),
        "first": found[0]._asdict() if found else None,
        "sound_violations": [each._asdict() for each in sound],
    }


@click.command()
@click.argument("builds", nargs=-1, type=click.Choice(list(BUILDS)))
@click.option("--within", type=click.IntRange(1, 100), default=WITHIN, show_default=True, help="Rounds at most.")
@click.option("--report", type=click.Path(path_type=Path), default=HOME / "chaos" / "broken.json")
def main(builds: tuple[str, ...], within: int, report: Path) -> None:
    """Play each BUILD (default: all) until it is caught, and the sound build under the same schedule."""
    jars.resolve(HOME / "kafka", click.echo)
    results = []
    for breakage in builds or tuple(BUILDS):
        results.append(caught(breakage, within, HOME / "chaos" / "broken"))
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(json.dumps({"command": " ".join(sys.argv), "builds": results}, indent=1) + "\n")
    click.echo(f"report: {report}")
    sys.exit(0 if all(each["caught"] and not each["sound_violations"] for each in results) else 1)


if __name__ == "__main__":
    main()
