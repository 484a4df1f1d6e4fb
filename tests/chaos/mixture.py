"""What reaches Kafka in the place of clean events: doubled, disordered, broken, too large, at the wrong door."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from schemas.records import avro_record_of
from schemas.topics import MAX_MESSAGE_BYTES, event_topics
from schemas.wire import prefix
from streams.worker.partitioning import partition_of_key
from tests.chaos.evidence import Intent
from tests.chaos.writers import Writers, Written

TWICE, BROKEN, TOO_LARGE, ASTRAY = 0.05, 0.012, 0.003, 0.02
"""Shares of records that come a second time, cannot succeed, are too large, and land in a wrong partition.

What is broken stays far below the 5 % at which the workers' brake stops them.
"""
OUT_OF_ORDER = 60
"""Events are shuffled within windows of this many."""
REPEATS_WITHIN = 1_500
"""A repetition comes at most so many records later."""
NOWHERE_ID = 0x7FFF_FFF0
"""A schema id that no registry gives out."""


class Planned(NamedTuple):
    """A record to be produced. ``partition`` None: by its key, as every Java client does."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    intent: Intent


class Mixture:
    """Turns canonical lines into records, and spoils some of them.

    ``large`` is the part of ``TOO_LARGE`` that is made.
    """

    def __init__(
        self, seed: int, partitions: int, writers: Writers, newest: bool = False, large: float = 1.0
    ) -> None:
        self._chance = random.Random(f"mixture-{seed}-{newest}")
        self._partitions = partitions
        self._writers = writers
        self._newest = newest
        self._too_large_share = TOO_LARGE * large
        self._poisons = poisons(writers)

    def records(self, lines: Iterable[dict[str, Any]]) -> Iterator[Planned]:
        """All lines in some order, with everything that comes on top."""
        chance = self._chance
        recent: list[Planned] = []
        for window in _windows(lines, OUT_OF_ORDER):
            records = [record for line in window for record in self._around(line)]
            records += [
                again._replace(intent=Intent.DUPLICATE, partition=None)
                for again in chance.sample(recent, min(len(recent), round(TWICE * OUT_OF_ORDER)))
            ]
            chance.shuffle(records)
            recent = [*recent, *(each for each in records if each.intent is Intent.VALID)][-REPEATS_WITHIN:]
            yield from records

    def _around(self, line: dict[str, Any]) -> Iterator[Planned]:
        """A line's record, perhaps at the wrong door, perhaps with something broken beside it."""
        chance, (topic, key, fields) = self._chance, avro_record_of(line)
        written = (
            self._writers.write_newest(topic, fields)
            if self._newest
            else self._writers.write(topic, fields, chance)
        )
        record = Planned(topic, None, key, written.value, written.headers, Intent.VALID)
        if chance.random() < ASTRAY:
            step = 1 + chance.randrange(self._partitions - 1)
            astray = (partition_of_key(key, self._partitions) + step) % self._partitions
            record = record._replace(partition=astray, intent=Intent.MISROUTED)
        yield record
        if chance.random() < BROKEN:
            yield self._broken(topic, key, fields)
        if chance.random() < self._too_large_share:
            yield self._too_large(topic, key, fields)

    def _broken(self, topic: str, key: bytes, fields: dict[str, Any]) -> Planned:
        spoiled = self._chance.choice(self._poisons)(topic, key, {**fields, "event_id": "never"})
        return Planned(topic, None, *spoiled, (), Intent.POISON)

    def _too_large(self, topic: str, key: bytes, fields: dict[str, Any]) -> Planned:
        kind = self._chance.choice((_long_text, _long_value))
        written = kind(self._writers, topic, {**fields, "event_id": "never"}, self._chance)
        return Planned(topic, None, key, written.value, written.headers, Intent.OVERSIZED)


Poison = Callable[[str, bytes, dict[str, Any]], tuple[bytes | None, bytes | None]]


def poisons(writers: Writers) -> list[Poison]:
    """Every way in which a record is made that can never succeed: (topic, key, fields) -> key and value."""
    topics = [topic.name for topic in event_topics()]

    def present(topic: str, fields: dict[str, Any]) -> bytes:
        return writers.write_present(topic, fields).value

    def foreign(topic: str) -> bytes:
        return prefix(writers.schema_id(topics[topics.index(topic) - 1]))

    return [
        lambda topic, key, fields: (key, None),
        lambda topic, key, fields: (key, b""),
        lambda topic, key, fields: (key, b"\0\0"),
        lambda topic, key, fields: (key, b'{"sku": "no avro"}'),
        lambda topic, key, fields: (key, prefix(NOWHERE_ID) + b"x"),
        lambda topic, key, fields: (key, prefix(writers.schema_id(topic)) + b"\xff" * 30),
        lambda topic, key, fields: (key, present(topic, fields)[:-4]),
        lambda topic, key, fields: (key, present(topic, fields) + b"\0\0"),
        lambda topic, key, fields: (b"not-" + key, present(topic, fields)),
        lambda topic, key, fields: (None, present(topic, fields)),
        lambda topic, key, fields: (key, foreign(topic) + present(topic, fields)[5:]),
        lambda topic, key, fields: (key, present(topic, {**fields, "source": "a\0b"})),
        lambda topic, key, fields: (key, present(topic, {**fields, "event_id": ""})),
    ]


def _long_text(writers: Writers, topic: str, fields: dict[str, Any], chance: random.Random) -> Written:
    return writers.write(topic, {**fields, "source": "x" * 300}, chance)


def _long_value(writers: Writers, topic: str, fields: dict[str, Any], chance: random.Random) -> Written:
    """More than the broker would take, had the producer not compressed it."""
    return writers.write_present(topic, {**fields, "ext": {"x": "y" * MAX_MESSAGE_BYTES}})


def _windows(lines: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    window = []
    for line in lines:
        window.append(line)
        if len(window) == size:
            yield window
            window = []
    if window:
        yield window
