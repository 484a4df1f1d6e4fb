"""Watches the group's committed offsets and the ends of the topics all the time, through every outage."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from tests.chaos.evidence import CommitObservation

Place = tuple[str, int]
_EVERY_S = 0.25
_ANSWER_S = 3.0
_PATIENCE = 4
OLD_S = 1.0
"""Under traffic, whoever has handled everything older than this has caught up."""


class Watch:
    """``sources`` are what the group consumes, ``effects`` where its effects go; all with their partitions."""

    def __init__(self, bootstrap: str, group: str, sources: Iterable[Place], effects: Iterable[Place]) -> None:
        self._sources = [TopicPartition(*place) for place in sources]
        self._all = [*self._sources, *(TopicPartition(*place) for place in effects)]
        self._client = {"bootstrap.servers": bootstrap, "log_level": 2}
        self._group = group
        self._connect()
        self._started = time.monotonic()
        self._stop = threading.Event()
        self.observations: list[CommitObservation] = []
        self.trouble = ""
        """Why the last look failed; empty when it did not."""
        self._thread = threading.Thread(target=self._run, name=f"chaos-watch-{group}", daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """Seconds since the watch began; times of observations are on the same clock."""
        return time.monotonic() - self._started

    def close(self) -> None:
        """Watch no longer."""
        self._stop.set()
        self._thread.join(60)
        self._consumer.close()

    def lag(self) -> int | None:
        """Records after the committed offsets as last seen; None before anything was seen."""
        return lag_of(self.observations[-1], self._source_places()) if self.observations else None

    def caught_up_at(self, after: float) -> float | None:
        """When everything that was at least ``OLD_S`` old was first committed, after a moment; None: not yet."""
        places = self._source_places()
        late = [each for each in self.observations if each.seconds >= after]
        earlier = 0
        for now in late:
            if lag_of(now, places) == 0:
                return now.seconds
            while earlier + 1 < len(late) and late[earlier + 1].seconds <= now.seconds - OLD_S:
                earlier += 1
            ends = late[earlier]
            if ends.seconds <= now.seconds - OLD_S and _reached(now.committed, ends.ends, places):
                return now.seconds
        return None

    def _source_places(self) -> list[Place]:
        return [(each.topic, each.partition) for each in self._sources]

    def _connect(self) -> None:
        settings = {"group.id": self._group, "enable.auto.commit": False}
        self._consumer = Consumer({**self._client, **settings})
        self._admin = AdminClient(self._client)

    def _run(self) -> None:
        failed = 0
        while not self._stop.wait(_EVERY_S):
            try:
                self.trouble = ""
                self._look()
                failed = 0
            except (KafkaException, TimeoutError) as error:  # the broker is away on purpose
                failed, self.trouble = failed + 1, str(error)
            if failed >= _PATIENCE:
                # A client that was cut off in the middle of a request may wait for its answer for long.
                self._consumer.close()
                self._connect()
                failed = 0

    def _look(self) -> None:
        seconds = self.seconds
        found = self._consumer.committed(self._sources, timeout=_ANSWER_S)
        committed = {(each.topic, each.partition): max(0, each.offset) for each in found}
        for each in found:
            if each.error is not None:
                raise KafkaException(each.error)
        wanted = {each: OffsetSpec.latest() for each in self._all}
        answers = self._admin.list_offsets(wanted, request_timeout=_ANSWER_S)
        ends = {
            (place.topic, place.partition): answer.result(_ANSWER_S).offset for place, answer in answers.items()
        }
        if min(ends.values()) < 0:  # a partition without a leader: its end is not known
            self.trouble = "a partition has no leader"
            return
        self.observations.append(CommitObservation(seconds, committed, ends))


def lag_of(seen: CommitObservation, places: Iterable[Place]) -> int:
    """Records of these partitions that are not committed."""
    return sum(max(0, seen.ends[place] - seen.committed.get(place, 0)) for place in places)


def _reached(committed: Mapping[Place, int], ends: Mapping[Place, int], places: Iterable[Place]) -> bool:
    return all(committed.get(place, 0) >= ends[place] for place in places)
