"""``atstream produce``: canonical JSON lines to Avro to Kafka."""

from __future__ import annotations

from typing import IO

import click

from schemas.records import RecordError, avro_record_of
from streams.cli.outcome import OutageFailure, UsageFailure
from streams.cli.worker import configured

_REPORTED_LINES = 20


@click.command()
@click.argument("topic")
@click.argument("file", type=click.File("rb"), metavar="FILE|-")
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="What to do with a line that cannot be read: stop, or report and count it and go on.",
)
def produce(topic: str, file: IO[bytes], on_error: str) -> None:
    """Produce canonical JSON lines from FILE (- for standard input) to TOPIC, keyed by SKU.

    Each line's "type" must be TOPIC; TOPIC "-" takes lines of any type to the topic they name.
    """
    from streams.cli.outages import outages_reported
    from streams.data_plane.failures import Misconfigured
    from streams.operations.producing import ProduceFailed, RecordProducer
    from streams.operations.snapshot import client_of
    from streams.worker.codecs import registry_of

    settings = configured()
    skipped = 0
    try:
        with outages_reported(), RecordProducer(client_of(settings), registry_of(settings)) as producer:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    record = avro_record_of(line)
                    if topic not in ("-", record.topic):
                        raise UsageFailure(
                            f"{file.name}, line {number}: a {record.topic} does not belong on {topic}"
                        )
                    producer.produce(record)
                except RecordError as error:
                    if on_error == "stop":
                        raise UsageFailure(f"{file.name}, line {number}: {error}") from error
                    skipped += 1
                    if skipped <= _REPORTED_LINES:
                        click.echo(f"{file.name}, line {number}: skipped: {error}", err=True)
    except ProduceFailed as error:
        raise OutageFailure(str(error)) from error
    except Misconfigured as error:
        raise UsageFailure(str(error)) from error
    click.echo(
        f"produced {producer.produced} records" + (f", skipped {skipped} lines" if skipped else ""), err=True
    )
