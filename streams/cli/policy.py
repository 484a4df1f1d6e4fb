"""``atstream policy``: check a file, or put it in force."""

from __future__ import annotations

import uuid
from typing import IO

import click

from domain.policy import Policy
from schemas.policies import GLOBAL_SCOPE, PolicyError, policy_of_text
from schemas.policy_text import mapping_of_text
from schemas.records import RecordError, avro_record_of
from schemas.times import iso
from streams.cli.outcome import OutageFailure, UsageFailure
from streams.cli.worker import configured


@click.group()
def policy() -> None:
    """Check a policy file, or put it in force."""


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
    from streams.cli.outages import outages_reported
    from streams.data_plane.failures import Misconfigured
    from streams.operations.producing import ProduceFailed, RecordProducer
    from streams.operations.snapshot import client_of
    from streams.worker.codecs import registry_of
    from streams.worker.state import now_us

    text = file.read()
    found = _checked(file.name, text)
    now = now_us()
    document = mapping_of_text(text.decode())
    line = {
        "type": "availability-policy",
        "scope": scope,
        "version": version or found.version or now // 1_000_000,
        "document": dict(document),
        "event_id": str(uuid.uuid4()),
        "source": "atstream policy apply",
        "occurred_at": iso(now),
    }
    if found.effective_from is not None:
        line["effective_from"] = iso(found.effective_from)
    settings = configured()
    try:
        with outages_reported(), RecordProducer(client_of(settings), registry_of(settings)) as producer:
            producer.produce(avro_record_of(line))
    except RecordError as error:
        raise UsageFailure(f"{file.name}: {error}") from error
    except ProduceFailed as error:
        raise OutageFailure(str(error)) from error
    except Misconfigured as error:
        raise UsageFailure(str(error)) from error
    click.echo(f"{file.name}: in force as scope {scope}, version {line['version']}; {_summary(found)}")


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
