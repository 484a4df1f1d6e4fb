"""What the broker knows of a consumer group: its committed offsets, its state, and who owns which partition."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple

from confluent_kafka import Consumer, ConsumerGroupState, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.operations.reading import TopicUnreadable

CHANGELOG_SUFFIX = "-changelog"
"""Faust's assignor gives changelogs to members as well; nobody commits offsets of them."""

Partition = tuple[str, int]
_LOOK_AGAIN_S = 0.2


class Group(NamedTuple):
    """One look at a group. ``committed``: offset by partition, None where nothing was committed yet.

    ``owners``: member by partition; None when the broker does not tell.
    """

    name: str
    state: str
    members: int
    committed: Mapping[Partition, int | None]
    owners: Mapping[Partition, str] | None

    def owned(self, place: Partition) -> bool | None:
        """Whether a member has the partition; None when the broker does not tell."""
        return None if self.owners is None else place in self.owners


class GroupReader:
    """Asks one broker about groups. Blocking."""

    def __init__(self, client: Mapping[str, Any], timeout_s: float = 10.0) -> None:
        self._client = dict(client)
        self._admin = AdminClient(self._client)
        self._timeout_s = timeout_s

    def read(self, name: str, expected: Collection[str] = ()) -> Group:
        """The group as it is now.

        Its topics are those it committed offsets of, those its members own, and the ``expected`` ones. Moments
        without a coordinator are waited out. Raises ``TopicUnreadable`` when an expected topic is missing, and
        ``KafkaException`` when the broker does not answer.
        """
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                return self._read(name, expected)
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_LOOK_AGAIN_S)

    def _read(self, name: str, expected: Collection[str]) -> Group:
        committed = self._committed(name)
        described = self._answer(
            self._admin.describe_consumer_groups([name], request_timeout=self._timeout_s)[name]
        )
        owners = _owners(described)
        topics = {topic for topic, _ in [*committed, *(owners or ())]} | set(expected)
        topics = {topic for topic in topics if not topic.endswith(CHANGELOG_SUFFIX)}
        return Group(
            name,
            described.state.name,
            len(described.members or ()),
            {place: committed.get(place) for place in self._partitions(topics, expected)},
            owners,
        )

    def _committed(self, name: str) -> dict[Partition, int]:
        """Offsets the group committed, by partition.

        Asked as a consumer that never joins: the admin client of librdkafka 2.16 crashes the process when the
        coordinator is still loading.
        """
        topics = self._admin.list_topics(timeout=self._timeout_s).topics
        asked = [TopicPartition(topic, number) for topic, each in topics.items() for number in each.partitions]
        if not asked:
            return {}
        consumer = Consumer({**self._client, "group.id": name, "enable.auto.commit": False, "log_level": 2})
        try:
            found = consumer.committed(asked, timeout=self._timeout_s)
            return {(one.topic, one.partition): one.offset for one in found if one.offset >= 0}
        finally:
            consumer.close()

    def _partitions(self, topics: Collection[str], expected: Collection[str]) -> list[Partition]:
        known = self._admin.list_topics(timeout=self._timeout_s).topics
        missing = sorted(set(expected) - known.keys())
        if missing:
            raise TopicUnreadable(f"missing topics: {', '.join(missing)}; create them with atstream topics apply")
        # A topic that was deleted keeps its offsets for a while; nothing waits there.
        return sorted((topic, number) for topic in topics if topic in known for number in known[topic].partitions)

    def _answer(self, future: Future[Any]) -> Any:
        try:
            return future.result(self._timeout_s)
        except TimeoutError as error:
            raise TopicUnreadable(f"the broker did not answer within {self._timeout_s} s") from error


def _owners(described: Any) -> dict[Partition, str] | None:
    """Who owns what; None while members are moving, and where the broker does not name them."""
    if described.state in (ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD):
        return {}
    if described.state is not ConsumerGroupState.STABLE or not described.members:
        return None
    return {
        (partition.topic, partition.partition): f"{member.client_id} ({member.host.lstrip('/')})"
        for member in described.members
        for partition in member.assignment.topic_partitions
    }
