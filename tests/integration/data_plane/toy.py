"""A toy application: per key the set of records seen, one row per record, one versioned output per touched key."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from faust.types import TP

from streams.data_plane.batch import Batch
from streams.data_plane.effects import Produced

Fact = tuple[str, int]  # source topic and offset


@dataclass(frozen=True)
class Names:
    """Topics of one run."""

    run: str

    @property
    def sources(self) -> tuple[str, str]:
        return f"{self.run}-a", f"{self.run}-b"

    @property
    def changelog(self) -> str:
        return f"{self.run}-facts"

    @property
    def output(self) -> str:
        return f"{self.run}-out"


def digest(facts: Mapping[Fact, str]) -> str:
    """What an output says about a key, short."""
    text = json.dumps(sorted((topic[-1], offset, value) for (topic, offset), value in facts.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass
class _Partition:
    facts: dict[bytes, dict[Fact, str]] = field(default_factory=lambda: defaultdict(dict))
    new: list[tuple[bytes, Fact, str]] = field(default_factory=list)
    touched: set[bytes] = field(default_factory=set)
    generation: int = 0
    ends: Mapping[TP, int] = field(default_factory=dict)


class ToyState:
    """Implements ``streams.data_plane.effects.State``."""

    tables = ("facts",)

    def __init__(self, names: Names) -> None:
        self.names = names
        self.partitions: dict[int, _Partition] = {}
        self._counter = 0

    def recover(self, table: str, partition: int, rows: Sequence[tuple[bytes, bytes | None]]) -> None:
        assert table == "facts"
        held = self.partitions.setdefault(partition, _Partition())
        for row_key, value in rows:
            key, topic, offset = row_key.split(b"\0")
            assert value is not None
            held.facts[key][(topic.decode(), int(offset))] = value.decode()

    def assigned(self, partition: int, generation: int, end_offsets: Mapping[TP, int]) -> None:
        held = self.partitions.setdefault(partition, _Partition())
        held.generation, held.ends = generation, {**held.ends, **end_offsets}

    def drop(self, partition: int) -> None:
        self.partitions.pop(partition, None)

    async def take(self, batch: Batch) -> None:
        async with batch.turn():
            self._take(batch)

    def _take(self, batch: Batch) -> None:
        held = self.partitions[batch.tp.partition]
        end = held.ends.get(batch.tp, 0)
        for record in batch.records:
            key, value, offset = record.key(), record.value(), record.offset()
            assert key is not None
            assert value is not None
            facts = held.facts[key]
            fact = (batch.tp.topic, offset)
            if fact not in facts:
                facts[fact] = value.decode()
                held.new.append((key, fact, facts[fact]))
                held.touched.add(key)
            elif offset < end:
                held.touched.add(key)  # an earlier owner may have published it, or not: publish it again

    def collect(self, now_us: int) -> Iterator[Sequence[Produced]]:
        for number, held in self.partitions.items():
            produced = []
            for key, (topic, offset), value in held.new:
                row_key = b"\0".join((key, topic.encode(), str(offset).encode()))
                produced.append(Produced(self.names.changelog, number, row_key, value.encode()))
            for key in held.touched:
                self._counter += 1
                version = (held.generation << 32) + self._counter
                said = {"version": version, "digest": digest(held.facts[key]), "count": len(held.facts[key])}
                produced.append(Produced(self.names.output, number, key, json.dumps(said).encode()))
                if b"oversized" in key:
                    produced.append(Produced(self.names.output, number, key, bytes(5_000_000)))
            held.new = []
            held.touched = set()
            yield produced

    def concluded(self) -> Sequence[Produced]:
        return ()

    def next_wake(self) -> int | None:
        return None
