"""The topics of a round as plain lists: all that the laws are judged by. Nothing here knows a broker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from aiokafka.partitioner import murmur2

Partition: TypeAlias = tuple[str, int]
"""Topic and number."""
Headers: TypeAlias = tuple[tuple[str, bytes | None], ...]


class Record(NamedTuple):
    """One record of a topic, byte for byte. ``timestamp_ms`` was set by its producer."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    @property
    def where(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"

    @property
    def content(self) -> tuple[bytes | None, bytes | None, Headers, int]:
        """What a copy of it must have, too."""
        return self.key, self.value, self.headers, self.timestamp_ms


@dataclass
class Logs:
    """Records by partition, in offset order, and the offsets that the workers' group committed."""

    partitions: int
    records: Mapping[Partition, Sequence[Record]] = field(default_factory=dict)
    committed: Mapping[Partition, int] = field(default_factory=dict)

    def of(self, topic: str) -> Iterator[tuple[int, Sequence[Record]]]:
        """Numbers of the topic's partitions with their records."""
        for (name, number), records in sorted(self.records.items()):
            if name == topic:
                yield number, records

    def all_of(self, topic: str) -> Iterator[Record]:
        """Every record of the topic, partition by partition."""
        for _, records in self.of(topic):
            yield from records

    def is_committed(self, record: Record) -> bool:
        return record.offset < self.committed.get((record.topic, record.partition), 0)


def home_of(key: bytes, partitions: int) -> int:
    """The partition that Kafka's default partitioner puts a key into; not the worker's own computation."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)
