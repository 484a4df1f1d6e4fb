"""``atstream worker``."""

from __future__ import annotations

import logging
import signal
import sys

import click

from streams.cli.outcome import DONE, UsageFailure
from streams.settings import InvalidSettings, Settings, load_settings


def configured() -> Settings:
    """The settings, or a usage failure that names each mistake."""
    try:
        return load_settings()
    except InvalidSettings as error:
        raise UsageFailure(str(error)) from error


@click.command()
def worker() -> None:
    """Run a worker until SIGTERM or SIGINT: consume the event topics, keep the facts, publish what changed.

    Start as many as there are partitions to share; they divide the work. Checks topics, schemas and policy first
    and refuses to start with the reason. Exit codes: 0 stopped, 2 misconfigured, 3 outage, 70 failed, 75 fenced
    (membership lapsed), 76 gap in a topic, 77 stalled.
    """
    # Until the data plane takes over, a stop is just an exit: nothing was consumed yet.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(DONE))
    settings = configured()
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    from streams.worker.run import run

    sys.exit(run(settings))
