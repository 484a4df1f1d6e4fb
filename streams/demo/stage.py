"""What the demo plays on: a broker and a registry of its own, with topics, schemas and policy in place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from connectors.registry import SchemaRegistry
from schemas.policy_text import mapping_of_text
from schemas.records import avro_record_of
from schemas.topics import AVAILABILITY_POLICY
from streams.data_plane.failures import Misconfigured
from streams.demo.rules import POLICY_FILE, demo_policy
from streams.local.ports import free_port
from streams.local.stack import Ports, Stack
from streams.operations.producing import ProduceFailed, RecordProducer
from streams.operations.schema_registration import INCOMPATIBLE, register, registered_topics
from streams.operations.snapshot import client_of
from streams.operations.topic_plan import admin_client, apply, plan, wanted_topics
from streams.settings import Settings, load_settings
from streams.worker.codecs import registry_of

PARTITIONS = 4
SESSION_S = 6.0
"""A killed worker is missed after this time: short, because the demo waits for it."""


class StageFailed(RuntimeError):
    """The stage could not be set up; the message says which part and why."""


class Stage(NamedTuple):
    """Where everything is. ``environment`` is what programs need to find it, ``profile`` is the stack's."""

    settings: Settings
    registry: SchemaRegistry
    environment: Mapping[str, str]
    profile: str


@contextmanager
def stage(directory: Path, jars: Path, keep: bool, say: Callable[[str], None]) -> Iterator[Stage]:
    """Set the stage; strike it at the end, with ``keep`` only after an error. Raises ``LocalStackError``.

    ``jars`` is where Apache Kafka's jars are kept from one demo to the next.
    """
    stack = Stack(directory, say)
    _share_jars(directory, jars)
    try:
        record = stack.up(ports=_free_ports())
        environment = record.environment() | _worker_environment(directory)
        settings = load_settings(
            home=directory,
            kafka={"bootstrap_servers": record.bootstrap_servers},
            registry={"url": record.registry_url},
            topics={"partitions": PARTITIONS},
            worker={"session_timeout_s": SESSION_S},
        )
        yield Stage(settings, registry_of(settings), environment, record.profile)
    except BaseException:
        stack.down()
        raise
    if not keep:
        stack.down()


def furnish(settings: Settings, registry: SchemaRegistry) -> None:
    """Topics, schemas and policy, as the three deploy steps do. Raises ``StageFailed``."""
    admin = admin_client(settings)
    channels = tuple(demo_policy().channels)
    conflicts = apply(admin, plan(admin, wanted_topics(settings, channels)), settings.topics.replication)
    if conflicts:
        raise StageFailed(f"topics are there already and differ: {conflicts[0].topic.name} {conflicts[0].detail}")
    refused = [each for each in register(registry, registered_topics()) if each.state == INCOMPATIBLE]
    if refused:
        raise StageFailed(f"schema {refused[0].subject} was refused: {refused[0].detail}")
    publish(settings, registry, [_policy_record()])


def _share_jars(directory: Path, jars: Path) -> None:
    jars.mkdir(parents=True, exist_ok=True)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "kafka").symlink_to(jars.resolve(), target_is_directory=True)


def _free_ports() -> Ports:
    found: set[int] = set()
    while len(found) < 4:
        found.add(free_port())
    return Ports(*found)


def _worker_environment(directory: Path) -> dict[str, str]:
    return {
        "ATSTREAM_HOME": str(directory),
        "ATSTREAM_TOPICS__PARTITIONS": str(PARTITIONS),
        "ATSTREAM_WORKER__SESSION_TIMEOUT_S": str(SESSION_S),
        "ATSTREAM_LOG_LEVEL": "INFO",
        "PYTHONUNBUFFERED": "1",
    }


def publish(settings: Settings, registry: SchemaRegistry, records: Iterable[Mapping[str, Any]]) -> None:
    """Write canonical records to their topics and wait until the broker has them. Raises ``StageFailed``."""
    try:
        with RecordProducer(client_of(settings), registry) as producer:
            for record in records:
                producer.produce(avro_record_of(record))
    except (ProduceFailed, Misconfigured) as error:
        raise StageFailed(str(error)) from error


def _policy_record() -> Mapping[str, Any]:
    return {
        "type": AVAILABILITY_POLICY.name,
        "scope": "global",
        "version": 1,
        "document": mapping_of_text(POLICY_FILE.read_text(encoding="utf-8")),
        "event_id": f"demo-policy-{time.time_ns()}",
        "source": "demo",
    }
