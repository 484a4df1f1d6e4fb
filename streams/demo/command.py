"""``atstream demo``."""

from __future__ import annotations

import sys

import click
from rich.console import Console

from streams.cli.outages import outages_reported
from streams.cli.outcome import ANSWER_IS_NO, OutageFailure, UsageFailure
from streams.demo.story import FEWEST_EVENTS, MOST_EVENTS

INTERRUPTED = 130
REPORT_COLUMNS = 110


@click.command()
@click.option(
    "--events",
    type=click.IntRange(FEWEST_EVENTS, MOST_EVENTS),
    default=30_000,
    show_default=True,
    help="About how many events to feed.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(20, 3_600),
    default=60.0,
    show_default=True,
    help="About how long it takes, the proof included.",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed tells another story.")
@click.option("--keep", is_flag=True, help="Leave everything running, and say how to reach and end it.")
@click.option("--plain", is_flag=True, help="Lines instead of the live view.")
def demo(events: int, seconds: float, seed: int, keep: bool, plain: bool) -> None:
    """The whole system on real retail sales: live view, a crash, a report and a proof.

    Starts a broker, a registry, two workers and three shops of its own on free ports of this machine, kills a
    worker on the way, and stops everything in the end. Exit codes: 0 proven, 1 a difference was found,
    2 something is not installed, 3 a part of the stack failed.
    """
    from streams.demo.children import ChildFailed
    from streams.demo.feed import FeedFailed
    from streams.demo.observer import ObserverFailed
    from streams.demo.play import TooLate
    from streams.demo.run import Options, run
    from streams.demo.shopfronts import ShopsMissing
    from streams.demo.stage import StageFailed
    from streams.demo.transactions import DemoDataMissing
    from streams.local.errors import LocalStackError, Unavailable

    try:
        with outages_reported():
            proven = run(Options(events, seconds, seed, keep, plain), _console())
    except (DemoDataMissing, ShopsMissing, Unavailable) as error:
        raise UsageFailure(str(error)) from error
    except (LocalStackError, StageFailed, ChildFailed, FeedFailed, ObserverFailed, TooLate) as error:
        raise OutageFailure(str(error)) from error
    except KeyboardInterrupt:
        click.echo("interrupted; everything was stopped", err=True)
        sys.exit(INTERRUPTED)
    if not proven:
        sys.exit(ANSWER_IS_NO)


def _console() -> Console:
    """The terminal; where there is none, a width that the report fits."""
    console = Console()
    return console if console.is_terminal else Console(width=REPORT_COLUMNS)
