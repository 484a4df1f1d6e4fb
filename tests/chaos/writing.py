"""How much of an epoch is written and not committed: looked at closely, to strike in the middle of it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import closing

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from tests.chaos.watch import Place

_EVERY_S = 0.02
_ANSWER_S = 3.0


class Writing:
    """What a group that consumes ``sources`` has written to ``rows``, the partitions of a changelog."""

    def __init__(self, bootstrap: str, group: str, sources: Iterable[Place], rows: Iterable[Place]) -> None:
        self._sources = [TopicPartition(*place) for place in sources]
        self._rows = {TopicPartition(*place): OffsetSpec.latest() for place in rows}
        self._client = {"bootstrap.servers": bootstrap, "log_level": 2}
        self._group = group

    def wait(self, least: int, within_s: float) -> int:
        """Wait until so many rows were written since offsets were last committed. How many; 0: it did not happen.

        Of several workers the rows are counted together, and a commit of one begins the count anew.
        """
        deadline = time.monotonic() + within_s
        admin = AdminClient(self._client)
        committed, written_then = -1, 0
        settings = {"group.id": self._group, "enable.auto.commit": False}
        with closing(Consumer({**self._client, **settings})) as consumer:
            while time.monotonic() < deadline:
                try:
                    now, written = self._committed(consumer), self._written(admin)
                except (KafkaException, TimeoutError):  # the broker is away on purpose
                    time.sleep(_EVERY_S)
                    continue
                if now != committed:
                    committed, written_then = now, written
                elif written - written_then >= least:
                    return written - written_then
                time.sleep(_EVERY_S)
        return 0

    def _committed(self, consumer: Consumer) -> int:
        found = consumer.committed(self._sources, timeout=_ANSWER_S)
        return sum(max(0, each.offset) for each in found)

    def _written(self, admin: AdminClient) -> int:
        answers = admin.list_offsets(self._rows, request_timeout=_ANSWER_S)
        return sum(answer.result(_ANSWER_S).offset for answer in answers.values())
