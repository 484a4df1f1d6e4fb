"""``atstream policy``: check a file, put it in force, or ask for a full sync of a channel."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import IO, Any

import click

from domain.facts import SECOND, Micros
from domain.policy import Policy
from schemas.policies import GLOBAL_SCOPE, PolicyError, full_sync_scope, policy_of_text
from schemas.policy_text import mapping_of_text
from schemas.policy_values import instant
from schemas.records import RecordError, avro_record_of
from schemas.times import iso
from streams.cli.outcome import OutageFailure, UsageFailure
from streams.cli.worker import configured

_READ_WITHIN_S = 15.0


@click.group()
def policy() -> None:
    """Check a policy file, put it in force, or ask for a full sync of a channel."""


@policy.command()
@click.argument("file", type=click.File("rb"))
def check(file: IO[bytes]) -> None:
    """Say whether FILE (YAML or JSON) is a valid policy; every mistake with its path. Exit code 2 if it is not."""
    found = _checked(file.name, file.read())
    click.echo(f"{file.name}: valid; {_summary(found)}")


@policy.command("apply")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--scope", default=GLOBAL_SCOPE, show_default=True, help="Which part this is; others stay as they are."
)
@click.option("--version", type=int, help="Version of the document; default: the present, in seconds.")
def apply_(file: IO[bytes], scope: str, version: int | None) -> None:
    """Check FILE and put it in force: running workers assess the affected SKUs again."""
    from streams.worker.state import now_us

    text = file.read()
    found = _checked(file.name, text)
    now = now_us()
    document = mapping_of_text(text.decode())
    line = _line(scope, version or found.version or now // SECOND, document, now, "atstream policy apply")
    if found.effective_from is not None:
        line["effective_from"] = iso(found.effective_from)
    try:
        _publish(line)
    except RecordError as error:
        raise UsageFailure(f"{file.name}: {error}") from error
    click.echo(f"{file.name}: in force as scope {scope}, version {line['version']}; {_summary(found)}")


@policy.command("full-sync")
@click.argument("channel")
@click.option("--at", metavar="ISO", help="Not before this time, such as 2026-01-01T22:00:00Z; default: now.")
def full_sync(channel: str, at: str | None) -> None:
    """Ask for a full sync: CHANNEL is told every listing once more, with what other updates leave of its budget.

    Needs no policy file: the request is a scope of its own, and takes the place of the last one. Exit code 2 for a
    channel that the policy in force does not have.
    """
    from streams.cli.outages import outages_reported
    from streams.operations.snapshot import read_policy
    from streams.worker.state import now_us

    now = now_us()
    asked_at = now if at is None else _instant(at)
    with outages_reported():
        channels = read_policy(configured(), now_us, _READ_WITHIN_S).channels
    if channel not in channels:
        known = ", ".join(sorted(channels)) or "none; atstream policy apply FILE puts one in force"
        raise UsageFailure(f"{channel} is no channel of the policy in force (known: {known})")
    before = channels[channel].publish.full_sync_at
    document = {"channels": {channel: {"publish": {"full_sync_at": iso(asked_at)}}}}
    scope = full_sync_scope(channel)
    _publish(_line(scope, now // SECOND, document, now, "atstream policy full-sync"))
    instead = "" if before is None or before <= now else f", instead of the one at {iso(before)}"
    click.echo(
        f"{channel}: a full sync is asked for at {iso(asked_at)}{instead} (scope {scope}); "
        "atstream_full_sync_complete_since_seconds of the workers says when everything was told"
    )


def _instant(text: str) -> Micros:
    try:
        return instant(text)
    except ValueError as error:
        raise UsageFailure(f"--at {text}: {error}") from error


def _line(scope: str, version: int, document: Mapping[str, Any], now: Micros, source: str) -> dict[str, Any]:
    """The canonical line of a scope."""
    return {
        "type": "availability-policy",
        "scope": scope,
        "version": version,
        "document": dict(document),
        "event_id": str(uuid.uuid4()),
        "source": source,
        "occurred_at": iso(now),
    }


def _publish(line: Mapping[str, Any]) -> None:
    """Put a scope in force. Raises RecordError for one that is refused."""
    from streams.cli.outages import outages_reported
    from streams.data_plane.failures import Misconfigured
    from streams.operations.producing import ProduceFailed, RecordProducer
    from streams.operations.snapshot import client_of
    from streams.worker.codecs import registry_of

    settings = configured()
    try:
        with outages_reported(), RecordProducer(client_of(settings), registry_of(settings)) as producer:
            producer.produce(avro_record_of(line))
    except ProduceFailed as error:
        raise OutageFailure(str(error)) from error
    except Misconfigured as error:
        raise UsageFailure(str(error)) from error


def _checked(name: str, text: bytes) -> Policy:
    try:
        return policy_of_text(text.decode())
    except (PolicyError, UnicodeDecodeError) as error:
        raise UsageFailure(f"{name}: {error}") from error


def _summary(found: Policy) -> str:
    parts = (
        (len(found.locations), "locations"),
        (len(found.pools_or_default()), "pools"),
        (len(found.channels), "channels"),
        (len(found.items), "items"),
    )
    return ", ".join(f"{count} {name}" for count, name in parts)
