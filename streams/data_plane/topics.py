"""Check before the start that topics are there and co-partitioned; a worker never creates one."""

from __future__ import annotations

import time
from collections.abc import Iterable

import confluent_kafka
from confluent_kafka.admin import AdminClient

from streams.data_plane.failures import Misconfigured, Unavailable
from streams.data_plane.settings import PlaneSettings

_ATTEMPT_S = 5.0


def check_topics(settings: PlaneSettings, co_partitioned: Iterable[str], present: Iterable[str] = ()) -> list[str]:
    """Problems that keep a worker from starting, in words; blocking.

    ``co_partitioned`` must exist with equal numbers of partitions; ``present`` must exist. Waits up to
    ``startup_s`` for the broker and raises ``Unavailable`` then.
    """
    counts = _partition_counts(settings)
    together = sorted(set(co_partitioned))
    problems = [
        f"topic {topic} does not exist: create it with the deploy step (topics apply)"
        for topic in sorted({*together, *present})
        if topic not in counts
    ]
    found = {topic: counts[topic] for topic in together if topic in counts}
    if len(set(found.values())) > 1:
        listed = ", ".join(f"{topic}={count}" for topic, count in found.items())
        problems.append(f"these topics must have the same number of partitions: {listed}")
    return problems


def require_topics(settings: PlaneSettings, co_partitioned: Iterable[str], present: Iterable[str] = ()) -> None:
    """Raise ``Misconfigured`` with all problems, if there are any."""
    problems = check_topics(settings, co_partitioned, present)
    if problems:
        raise Misconfigured("cannot start: " + "; ".join(problems))


def _partition_counts(settings: PlaneSettings) -> dict[str, int]:
    admin = AdminClient(settings.librdkafka())
    deadline = time.monotonic() + settings.startup_s
    while True:
        try:
            listed = admin.list_topics(
                timeout=min(_ATTEMPT_S, settings.startup_s)
            )  # all of them: asking by name may create
        except confluent_kafka.KafkaException as error:
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"no broker at {settings.bootstrap_servers} within {settings.startup_s} s:"
                    f" {error.args[0].str()}"
                ) from error
        else:
            return {name: len(topic.partitions) for name, topic in listed.topics.items() if topic.error is None}
