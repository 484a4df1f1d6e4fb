"""What must be done so that a cluster has the topics of ``schemas.topics``, and doing it without losing anything.

Missing topics are created, differing settings are set. The number of partitions of a topic that exists is never
changed: keys would go to other partitions than their history, so a difference is reported and left to people.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, not in __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from schemas.topics import SINGLE, Topic, all_topics
from streams.settings import Settings

CREATE, CONFIGURE, CONFLICT = "create", "configure", "conflict"
_REQUEST_S = 10.0
_LOOK_AGAIN_S = 0.1


class ClusterUnavailable(Exception):
    """The cluster did not answer, or refused; the message says what was asked of it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One difference between what is wanted and what is there. A CONFLICT is for people: nothing is done."""

    action: str
    topic: Topic
    detail: str
    settings: tuple[tuple[str, str], ...] = ()


def wanted_topics(settings: Settings, channels: Iterable[str] = ()) -> tuple[Topic, ...]:
    """Every topic that these settings need, with the channels of the settings and the given ones."""
    names = tuple(dict.fromkeys((*settings.topics.channels, *channels)))
    return tuple(
        each if each.group == SINGLE else replace(each, partitions=settings.topics.partitions)
        for each in all_topics(names)
    )


def admin_client(settings: Settings) -> AdminClient:
    """An administration client of the cluster that the settings name."""
    return AdminClient(
        {"bootstrap.servers": settings.kafka.bootstrap_servers, "log_level": 2, **settings.kafka.client()}
    )


def partition_counts(admin: AdminClient, timeout_s: float = _REQUEST_S) -> dict[str, int]:
    """The topics that exist with their numbers of partitions. Raises ClusterUnavailable."""
    try:
        listed = admin.list_topics(timeout=timeout_s)  # all of them: asking by name may create
    except KafkaException as error:
        raise ClusterUnavailable(f"the broker does not answer: {error.args[0].str()}") from error
    return {name: len(topic.partitions) for name, topic in listed.topics.items() if topic.error is None}


def plan(admin: AdminClient, wanted: Sequence[Topic]) -> list[Step]:
    """The steps from what is there to what is wanted, in the order of `wanted`. Raises ClusterUnavailable."""
    counts = partition_counts(admin)
    present = [each for each in wanted if each.name in counts]
    settings = _settings(admin, present)
    steps = []
    for topic in wanted:
        if topic.name not in counts:
            steps.append(Step(CREATE, topic, f"{topic.partitions} partitions, {topic.cleanup}"))
            continue
        if counts[topic.name] != topic.partitions:
            steps.append(Step(CONFLICT, topic, f"has {counts[topic.name]} partitions, wanted {topic.partitions}"))
        found = settings.get(topic.name, {})
        differing = {name: value for name, value in topic.kafka_config().items() if found.get(name) != value}
        if differing:
            told = ", ".join(f"{name} {found.get(name, 'unset')} -> {value}" for name, value in differing.items())
            steps.append(Step(CONFIGURE, topic, told, tuple(differing.items())))
    return steps


def apply(admin: AdminClient, steps: Iterable[Step], replication: int) -> list[Step]:
    """Carry the steps out and return, when the cluster shows the result, the conflicts that are left.

    Raises ClusterUnavailable when the cluster refuses, or does not show the result in 10 s.
    """
    steps = list(steps)
    new = [_creation(each.topic, replication) for each in steps if each.action == CREATE]
    changes = [_alteration(each) for each in steps if each.action == CONFIGURE]
    if new:
        for name, creation in admin.create_topics(new, operation_timeout=_REQUEST_S).items():
            _result(creation, f"creating {name}")
    if changes:
        for resource, change in admin.incremental_alter_configs(changes).items():
            _result(change, f"configuring {resource.name}")
    return _settled(admin, list(dict.fromkeys(each.topic for each in steps)))


def _settled(admin: AdminClient, topics: Sequence[Topic]) -> list[Step]:
    # A controller confirms before its brokers answer with the change.
    deadline = time.monotonic() + _REQUEST_S
    while True:
        left = plan(admin, topics)
        if all(each.action == CONFLICT for each in left):
            return left
        if time.monotonic() > deadline:
            names = ", ".join(sorted({each.topic.name for each in left}))
            raise ClusterUnavailable(f"the changes were accepted, but the cluster does not show them: {names}")
        time.sleep(_LOOK_AGAIN_S)


def _creation(topic: Topic, replication: int) -> NewTopic:
    return NewTopic(
        topic.name, num_partitions=topic.partitions, replication_factor=replication, config=topic.kafka_config()
    )


def _alteration(step: Step) -> ConfigResource:
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in step.settings
    ]
    return ConfigResource(ResourceType.TOPIC, step.topic.name, incremental_configs=entries)


def _settings(admin: AdminClient, topics: Sequence[Topic]) -> dict[str, dict[str, str]]:
    """The settings of topics that exist, by topic.

    A broker that has not heard yet of a topic made a moment ago answers without settings, which librdkafka cannot
    read; the question is then asked again.
    """
    if not topics:
        return {}
    deadline = time.monotonic() + _REQUEST_S
    while True:
        try:
            return _described(admin, topics)
        except ClusterUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_AGAIN_S)


def _described(admin: AdminClient, topics: Sequence[Topic]) -> dict[str, dict[str, str]]:
    asked = admin.describe_configs([ConfigResource(ResourceType.TOPIC, each.name) for each in topics])
    return {
        resource.name: {
            name: entry.value for name, entry in _result(answer, f"asking for {resource.name}").items()
        }
        for resource, answer in asked.items()
    }


def _result(answer: Future[Any], what: str) -> Any:
    try:
        return answer.result(timeout=_REQUEST_S)
    except (KafkaException, TimeoutError) as error:
        raise ClusterUnavailable(f"{what}: {error}") from error
