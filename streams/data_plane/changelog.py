"""Reading changelogs to their end, in batches, and finding where source partitions end."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # public, not in __all__
from faust.types import TP

from streams.data_plane.failures import Misconfigured, Unavailable
from streams.data_plane.remembering import Extent
from streams.data_plane.settings import PlaneSettings

_REQUEST_TIMEOUT_S = 15.0
_SILENCE_S = 30.0
_ASK_AGAIN_S = 0.1
_NO_LEADER = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)

Rows = list[tuple[bytes, bytes | None]]


class ChangelogReader:
    """Reads every partition of ``changelogs`` from ``starts`` (default: the beginning) and of every one of
    ``sources`` the tail, up to the end.

    The end is where a *fetch* says it is: ListOffsets may be one batch too early on some brokers. Blocking; used
    from one thread at a time.
    """

    def __init__(
        self,
        settings: PlaneSettings,
        changelogs: Collection[TP],
        sources: Collection[TP],
        starts: Mapping[TP, int] | None = None,
    ) -> None:
        self._settings = settings
        self._changelogs = frozenset(changelogs)
        self._starts = starts or {}
        self._open = {*changelogs, *sources}
        self._consumer: Any = None
        self._heard_at = time.monotonic()
        self._listed: dict[TP, int] = {}
        self.ends: dict[TP, int] = {}
        self.remaining: dict[TP, int] = {}
        self.positions: dict[TP, int] = {}
        """Per changelog partition the offset after the last row that was read."""

    def start(self) -> None:
        """Find the ends as listed and begin to read."""
        self._consumer = confluent_kafka.Consumer(
            self._settings.librdkafka(
                {
                    "group.id": self._settings.app_id,  # required by the client, never joined
                    "enable.auto.commit": False,
                    "auto.offset.reset": "earliest",
                    "enable.partition.eof": True,
                    "allow.auto.create.topics": False,
                    "fetch.wait.max.ms": 50,
                    "fetch.queue.backoff.ms": 5,
                    "queued.max.messages.kbytes": self._settings.prefetch_max_kbytes,
                }
            )
        )
        listed = self._listed = end_offsets(self._settings, self._open)
        self.remaining = {tp: max(0, listed[tp] - self._start(tp)) for tp in self._changelogs}
        self._consumer.assign([TopicPartition(tp.topic, tp.partition, self._start(tp)) for tp in self._open])

    def _start(self, tp: TP) -> int:
        if tp in self._changelogs:
            return self._starts.get(tp, 0)
        return max(0, self._listed[tp] - 1)

    @property
    def done(self) -> bool:
        """Whether every partition was read to its end."""
        return not self._open

    def unfinished(self) -> set[int]:
        """Partitions some changelog of which was not read to its end."""
        return {tp.partition for tp in self._open if tp in self._changelogs}

    def read(self) -> dict[TP, Rows]:
        """Next rows by changelog partition; empty when nothing came for a moment."""
        first = self._consumer.poll(0.2)
        if first is None:
            if time.monotonic() - self._heard_at > _SILENCE_S:
                raise Unavailable(f"recovery: no answer for {_SILENCE_S} s; still to read: {sorted(self._open)}")
            return {}
        self._heard_at = time.monotonic()
        read: dict[tuple[str, int], list[Any]] = {}
        for message in [first, *self._consumer.consume(self._settings.recovery_batch_records - 1, 0)]:
            # Millions of times: a call more here is a second more of recovery.
            if message.error() is not None:
                self._told(message)
                continue
            place = message.topic(), message.partition()
            if place in read:
                read[place].append(message)
            elif place in self._changelogs:
                read[place] = [message]
        return {TP(*place): self._rows(TP(*place), messages) for place, messages in read.items()}

    def _rows(self, tp: TP, messages: list[Any]) -> Rows:
        self.positions[tp] = messages[-1].offset() + 1
        self.remaining[tp] = max(0, self._listed[tp] - self.positions[tp])
        return [(message.key() or b"", message.value()) for message in messages]

    def _told(self, message: Any) -> None:
        """A message that is no record: the end of a partition, or an error."""
        tp, error = TP(message.topic(), message.partition()), message.error()
        if error.code() == KafkaError._PARTITION_EOF:
            self._end(tp, message.offset())
        elif not error.retriable():
            raise Unavailable(f"recovery of {tp.topic}[{tp.partition}]: {error.str()}")

    def _end(self, tp: TP, offset: int) -> None:
        self.ends[tp] = offset
        if tp in self._open:
            self._open.discard(tp)
            self._consumer.pause([TopicPartition(tp.topic, tp.partition)])

    def close(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            self._consumer.close()


def end_offsets(settings: PlaneSettings, partitions: Collection[TP]) -> dict[TP, int]:
    """End offsets as the broker lists them; blocking.

    Raises ``Misconfigured`` for a partition that does not exist, ``Unavailable`` for anything else.
    """
    latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # ships no annotations
    return _listed_offsets(AdminClient(settings.librdkafka()), partitions, latest)


def extents(settings: PlaneSettings, partitions: Collection[TP]) -> dict[TP, Extent]:
    """What these partitions are at present; blocking. A broker that knows no topic ids gives empty ones.

    Raises ``Misconfigured`` for a partition that does not exist, ``Unavailable`` for anything else.
    """
    admin = AdminClient(settings.librdkafka())
    earliest: Any = OffsetSpec.earliest()  # type: ignore[no-untyped-call]  # ships no annotations
    latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # ships no annotations
    firsts = _listed_offsets(admin, partitions, earliest)
    ends = _listed_offsets(admin, partitions, latest)
    ids = _topic_ids(admin, {tp.topic for tp in partitions})
    return {tp: Extent(ids[tp.topic], firsts[tp], ends[tp]) for tp in partitions}


def _topic_ids(admin: AdminClient, topics: Collection[str]) -> dict[str, str]:
    described = admin.describe_topics(TopicCollection(list(topics)), request_timeout=_REQUEST_TIMEOUT_S)
    try:
        found = {name: future.result(timeout=_REQUEST_TIMEOUT_S).topic_id for name, future in described.items()}
    except (confluent_kafka.KafkaException, TimeoutError) as error:
        raise Unavailable(f"the ids of {sorted(topics)} are not known: {error!r}") from error
    return {name: str(topic_id) if any(_bits(topic_id)) else "" for name, topic_id in found.items()}


def _bits(topic_id: Any) -> tuple[int, int]:
    return topic_id.get_most_significant_bits(), topic_id.get_least_significant_bits()


def _listed_offsets(admin: AdminClient, partitions: Collection[TP], which: Any) -> dict[TP, int]:
    """Offsets of all partitions; one that has no leader at the moment is asked for again, for as long as a request
    may take: it was made just now, or its leader moves.
    """
    found: dict[TP, int] = {}
    deadline = time.monotonic() + _REQUEST_TIMEOUT_S
    pause_s = 0.0
    while missing := [tp for tp in partitions if tp not in found]:
        time.sleep(pause_s)
        pause_s = _ASK_AGAIN_S
        wanted = {TopicPartition(tp.topic, tp.partition): which for tp in missing}
        for partition, future in admin.list_offsets(wanted, request_timeout=_REQUEST_TIMEOUT_S).items():
            try:
                offset = int(future.result(timeout=_REQUEST_TIMEOUT_S).offset)
            except (confluent_kafka.KafkaException, TimeoutError) as error:
                if _has_no_leader(error) and time.monotonic() < deadline:
                    continue
                _require_present(admin, partitions)
                raise Unavailable(
                    f"the extent of {partition.topic}[{partition.partition}] is not known: {error!r}"
                ) from error
            found[TP(partition.topic, partition.partition)] = offset
    return found


def _has_no_leader(error: Exception) -> bool:
    return isinstance(error, confluent_kafka.KafkaException) and error.args[0].code() in _NO_LEADER


def _require_present(admin: AdminClient, partitions: Collection[TP]) -> None:
    """Tell an outage from a topic that was deleted."""
    try:
        topics = admin.list_topics(timeout=_REQUEST_TIMEOUT_S).topics
    except confluent_kafka.KafkaException:
        return
    gone = sorted(
        tp for tp in partitions if tp.topic not in topics or tp.partition not in topics[tp.topic].partitions
    )
    if gone:
        raise Misconfigured(
            f"{', '.join(f'{tp.topic}[{tp.partition}]' for tp in gone)}: does not exist (any more)"
        )
