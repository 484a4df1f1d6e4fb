"""``atstream schemas check|register``: registration as a deploy step, never at run time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

import click
from rich.console import Console
from rich.table import Table

from connectors.registry import RegistryRefused, RegistryUnavailable, SchemaRegistry
from schemas.topics import Topic
from streams.cli.outcome import ANSWER_IS_NO, DONE, OutageFailure, UsageFailure
from streams.cli.worker import configured
from streams.operations import schema_registration
from streams.operations.schema_registration import INCOMPATIBLE, NEW, Standing
from streams.worker.codecs import registry_of


@click.group()
def schemas() -> None:
    """Check or register the schemas of all topics."""


_channels = click.option("--channel", "channels", multiple=True, help="Also this channel's updates; repeatable.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@schemas.command()
@_channels
@_json
def check(channels: tuple[str, ...], as_json: bool) -> None:
    """Say how the committed schemas stand in the registry; exit code 1 unless all are registered."""
    standings = _work(schema_registration.check, channels)
    _print(standings, as_json)
    _finish(any(each.state in (NEW, INCOMPATIBLE) for each in standings))


@schemas.command()
@_channels
@_json
def register(channels: tuple[str, ...], as_json: bool) -> None:
    """Register the committed schemas with their compatibility; exit code 1 when one is incompatible."""
    standings = _work(schema_registration.register, channels)
    _print(standings, as_json)
    _finish(any(each.state == INCOMPATIBLE for each in standings))


def _work(
    operation: Callable[[SchemaRegistry, Iterable[Topic]], list[Standing]], channels: tuple[str, ...]
) -> list[Standing]:
    settings = configured()
    try:
        topics = schema_registration.registered_topics((*settings.topics.channels, *channels))
        return operation(registry_of(settings), topics)
    except KeyError as error:
        raise UsageFailure(str(error.args[0])) from error
    except (RegistryUnavailable, RegistryRefused) as error:
        raise OutageFailure(str(error)) from error


def _print(standings: Sequence[Standing], as_json: bool) -> None:
    if as_json:
        told = [{"subject": each.subject, "state": each.state, "detail": each.detail} for each in standings]
        click.echo(json.dumps(told))
        return
    table = Table("subject", "state", "detail", box=None)
    for each in standings:
        table.add_row(
            each.subject, f"[red]{each.state}[/]" if each.state == INCOMPATIBLE else each.state, each.detail
        )
    Console().print(table)


def _finish(answer_is_no: bool) -> None:
    click.get_current_context().exit(ANSWER_IS_NO if answer_is_no else DONE)
