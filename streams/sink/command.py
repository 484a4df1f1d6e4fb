"""``atstream sink``."""

from __future__ import annotations

import asyncio
import logging
import sys

import click

from schemas.topics import is_channel_name
from streams.cli.outcome import UsageFailure
from streams.settings import InvalidSettings, load_settings
from streams.sink.settings import load_sink_settings


@click.command()
@click.argument("channel")
def sink(channel: str) -> None:
    """Tell CHANNEL what may be sold, until SIGTERM or SIGINT.

    Consumes `channel-updates.CHANNEL`, calls the channel, and acknowledges to `channel-acks`. Start several
    to share the partitions. Settings: ATSTREAM_SINK__KIND (file, webhook, or a vendor's name) and its
    companions, or the tables [sink] and [sink.channels.CHANNEL] in atstream.toml. Exit codes: 0 stopped, 2
    misconfigured, 3 outage of broker or registry, 70 failed.
    """
    if not is_channel_name(channel):
        raise UsageFailure(f"{channel!r} is no channel: use 1 to 100 of the characters A-Z a-z 0-9 _ -")
    try:
        settings, configuration = load_settings(), load_sink_settings(channel)
    except InvalidSettings as error:
        raise UsageFailure(str(error)) from error
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    from agents.brake import BrakePulled
    from connectors.channels.latest import TooManyListings
    from streams.data_plane.failures import PlaneFailure
    from streams.sink.run import run

    try:
        asyncio.run(run(channel, settings, configuration))
    except (PlaneFailure, BrakePulled) as failure:
        click.echo(f"Error: {failure}", err=True)
        sys.exit(failure.exit_code if isinstance(failure, PlaneFailure) else PlaneFailure.exit_code)
    except (InvalidSettings, TooManyListings) as error:
        raise UsageFailure(str(error)) from error
