"""``atstream topics plan|apply``: the topics as the deploy step that makes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from schemas.policies import PolicyError, policy_of_text
from streams.cli.outcome import ANSWER_IS_NO, DONE, OutageFailure, UsageFailure
from streams.cli.worker import configured
from streams.operations import topic_plan
from streams.operations.topic_plan import CONFLICT, ClusterUnavailable, Step

_CONFLICT_ADVICE = (
    "A number of partitions is never changed here: keys would go to other partitions than their history. "
    "Set ATSTREAM_TOPICS__PARTITIONS to what the topics have, or create them anew."
)


@click.group()
def topics() -> None:
    """Plan or apply the topics that this version needs."""


_channels = click.option("--channel", "channels", multiple=True, help="A channel to have topics for; repeatable.")
_policy = click.option(
    "--policy",
    "policy_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Also the channels of this policy file.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@topics.command()
@_channels
@_policy
@_json
def plan(channels: tuple[str, ...], policy_file: Path | None, as_json: bool) -> None:
    """Say what differs between the cluster and what is wanted; change nothing.

    Exit code 1 when a difference remains that only people can settle.
    """
    steps = _work(channels, policy_file, carry_out=False)
    _print(steps, as_json, "would be done")
    _finish(steps)


@topics.command()
@_channels
@_policy
@_json
def apply(channels: tuple[str, ...], policy_file: Path | None, as_json: bool) -> None:
    """Create the missing topics and set differing settings; nothing is ever removed or repartitioned.

    Exit code 1 when a difference remains that only people can settle.
    """
    steps = _work(channels, policy_file, carry_out=True)
    _print(steps, as_json, "done")
    _finish(steps)


def _work(channels: tuple[str, ...], policy_file: Path | None, *, carry_out: bool) -> list[Step]:
    settings = configured()
    try:
        wanted = topic_plan.wanted_topics(settings, (*channels, *_channels_of(policy_file)))
    except KeyError as error:
        raise UsageFailure(str(error.args[0])) from error
    admin = topic_plan.admin_client(settings)
    try:
        steps = topic_plan.plan(admin, wanted)
        if carry_out:
            topic_plan.apply(admin, steps, settings.topics.replication)
    except ClusterUnavailable as error:
        raise OutageFailure(f"{settings.kafka.bootstrap_servers}: {error}") from error
    return steps


def _channels_of(policy_file: Path | None) -> tuple[str, ...]:
    if policy_file is None:
        return ()
    try:
        return tuple(policy_of_text(policy_file.read_text(encoding="utf-8")).channels)
    except (PolicyError, UnicodeDecodeError) as error:
        raise UsageFailure(f"policy {policy_file}: {error}") from error


def _print(steps: Sequence[Step], as_json: bool, done: str) -> None:
    if as_json:
        click.echo(json.dumps([{"action": s.action, "topic": s.topic.name, "detail": s.detail} for s in steps]))
        return
    if not steps:
        click.echo("the topics are as they should be")
        return
    table = Table("action", "topic", "detail", box=None)
    for step in steps:
        table.add_row(
            f"[red]{step.action}[/]" if step.action == CONFLICT else step.action, step.topic.name, step.detail
        )
    Console().print(table)
    conflicts = sum(step.action == CONFLICT for step in steps)
    click.echo(f"{len(steps) - conflicts} of {len(steps)} {done}" + (f"; {_CONFLICT_ADVICE}" if conflicts else ""))


def _finish(steps: Sequence[Step]) -> None:
    remaining = any(step.action == CONFLICT for step in steps)
    click.get_current_context().exit(ANSWER_IS_NO if remaining else DONE)
