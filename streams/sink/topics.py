"""The topics of a sink: what must be there before it starts, and the one that it keeps for itself.

``sink-positions.<channel>`` holds the newest acknowledgement of each listing, compacted. A row is written to the
partition that its update came from, so that whoever is given a partition of the updates finds the positions of
exactly its listings in the partition of the same number.
"""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.topics import (
    CHANNEL_ACKS,
    channel_updates_topic,
    dead_letter_twin,
    sink_positions_topic,
)
from schemas.topics import topic as topic_named
from streams.data_plane.failures import Misconfigured, Unavailable


def require_topics(admin: AdminClient, channel: str, timeout_s: float) -> int:
    """The partition count of the channel's updates; creates the positions topic when it is not there.

    Raises ``Misconfigured`` naming the missing topics, or when the partition counts differ, and ``Unavailable``
    when the broker does not answer within ``timeout_s``.
    """
    updates = channel_updates_topic(channel).name
    needed = (updates, dead_letter_twin(updates).name, CHANNEL_ACKS.name)
    counts, replication = _present(admin, timeout_s, updates)
    missing = [name for name in needed if name not in counts]
    if missing:
        raise Misconfigured(f"topics are missing: {', '.join(missing)}; create them with `atstream topics apply`")
    positions = sink_positions_topic(channel).name
    if positions not in counts:
        _create(admin, positions, counts[updates], replication, timeout_s)
        return counts[updates]
    if counts[positions] != counts[updates]:
        raise Misconfigured(
            f"{updates} has {counts[updates]} partitions and {positions} {counts[positions]}: listings moved to "
            f"other partitions. Stop the sinks of {channel}, delete {positions}, and start them again"
        )
    return counts[updates]


def _present(admin: AdminClient, timeout_s: float, updates: str) -> tuple[dict[str, int], int]:
    try:
        topics = admin.list_topics(timeout=timeout_s).topics
    except KafkaException as error:
        raise Unavailable(f"the broker does not answer: {error.args[0].str()}") from error
    found = {name: len(topic.partitions) for name, topic in topics.items() if topic.error is None}
    partitions = topics[updates].partitions.values() if updates in found else ()
    return found, min((len(one.replicas) for one in partitions), default=1)


def _create(admin: AdminClient, name: str, partitions: int, replication: int, timeout_s: float) -> None:
    made = NewTopic(
        name, num_partitions=partitions, replication_factor=replication, config=topic_named(name).kafka_config()
    )
    try:
        admin.create_topics([made], operation_timeout=timeout_s)[name].result(timeout_s)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise Misconfigured(f"cannot create {name}: {error.args[0].str()}; create it, compacted") from error
