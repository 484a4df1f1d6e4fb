"""A worker's state without a broker: canonical lines in, produced records out, rows replayable.

The codec, the core, the tables and the agents are the real ones; only Kafka is a list.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from faust.types import TP

from domain.facts import SECOND, Micros
from domain.policy import Policy
from schemas import avro_files
from schemas.codec import Decoder, Encoder
from schemas.policies import policy_of
from schemas.records import avro_record_of
from schemas.topics import FACTS_CHANGELOG, PUBLICATIONS_CHANGELOG, TOPICS, event_topics
from streams.data_plane.remembering import Extent
from streams.worker.codecs import OutputEncoders
from streams.worker.partitioning import partition_of_key
from streams.worker.state import DECODED_SKUS, FACTS, PUBLICATIONS, WorkerState
from streams.worker.stores import RocksStores

PARTITIONS = 4
T0: Micros = 1_767_225_600 * SECOND
"""2026-01-01T00:00:00Z."""

SCHEMA_IDS = {topic.name: number for number, topic in enumerate(TOPICS, start=1) if topic.avsc}


class Registered:
    """A schema source that knows our own schemas; ``loaded`` False: each must be loaded first."""

    def __init__(self, loaded: bool = True) -> None:
        texts = {topic.name: avro_files.text(topic.avsc) for topic in TOPICS if topic.avsc}
        self._texts = {SCHEMA_IDS[name]: text for name, text in texts.items()}
        self._loaded = set(self._texts) if loaded else set()

    def by_id(self, schema_id: int) -> str | None:
        return self._texts[schema_id] if schema_id in self._loaded else None

    def by_guid(self, guid: object) -> str | None:
        return None

    def load(self, ref: Any) -> None:
        self._loaded.add(ref)


class Record:
    """A consumed record."""

    def __init__(
        self,
        key: bytes | None,
        value: bytes | None,
        offset: int = 0,
        headers: list[tuple[str, bytes]] | None = None,
        timestamp_ms: int = 1,
    ) -> None:
        self._key, self._value, self._offset = key, value, offset
        self._headers, self._timestamp_ms = headers, timestamp_ms

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> list[tuple[str, bytes]] | None:
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        return 1, self._timestamp_ms

    def offset(self) -> int:
        return self._offset


def record_of(line: Mapping[str, Any], offset: int = 0) -> tuple[str, Record]:
    """The topic and record of a canonical line."""
    topic, key, fields = avro_record_of(line)
    return topic, Record(key, Encoder(topic, SCHEMA_IDS[topic]).encode(fields), offset)


class World:
    """One worker, all partitions, and a log of everything it produced.

    With ``disk`` its facts are in RocksDB, in a directory there.
    """

    def __init__(
        self,
        policy: Mapping[str, Any] | Policy | None = None,
        generation: int = 1,
        loaded: bool = True,
        disk: Path | None = None,
        decoded_skus: int = DECODED_SKUS,
    ) -> None:
        self.source = Registered(loaded)
        self.decoder = Decoder(self.source)
        self.encoders = OutputEncoders(SCHEMA_IDS)
        given = policy if isinstance(policy, Policy) else policy_of(policy or {})
        self.disk, self.decoded_skus = disk, decoded_skus
        self.log: list[Any] = []
        self.offsets = itertools.count()
        self.spared = 0
        """Rows of the changelogs that need not be read again, so far."""
        self.state = self._worker(given)
        self._recover()
        self.assign(generation)
        self.epoch()
        self.epoch()  # which knows that the first one is written

    _clock: Micros = T0

    def assign(self, generation: int, end_offset: int = 0) -> None:
        """All partitions become ours; records before ``end_offset`` may be redelivered ones."""
        # A while before the first epoch, so that budgets have filled.
        self._clock = T0 - 60 * SECOND
        sources = {TP(topic.name, 0): end_offset for topic in event_topics()}
        for number in range(PARTITIONS):
            self.state.assigned(number, generation, sources)

    def deliver(self, *lines: Mapping[str, Any], now: Micros = T0) -> list[Any]:
        """Consume lines, end the epoch, and return what it produced."""
        for line in lines:
            topic, record = record_of(line, next(self.offsets))
            self.consume(topic, record, now)
        return self.epoch(now)

    def consume(self, topic: str, record: Record, now: Micros = T0) -> None:
        partition = partition_of_key(record.key() or b"", PARTITIONS)
        self.state.partition(partition).intake.receive(topic, [record], 0, now)

    def epoch(self, now: Micros = T0) -> list[Any]:
        produced = [record for part in self.state.collect(now) for record in part]
        self.log += produced
        return produced

    def end(self) -> None:
        """Stop in order after the last epoch, as before a rebalance."""
        self.log += self.state.concluded()
        self.state.close()

    def successor(self, generation: int = 2, lost: Iterable[Any] = (), end_offset: int = 0) -> World:
        """Another worker that recovers from the changelogs, without the records that were ``lost``."""
        world = World.__new__(World)
        world.source, world.decoder, world.encoders = self.source, self.decoder, self.encoders
        world.disk, world.decoded_skus = self._disk_after_kill(), self.decoded_skus
        world.state = world._worker(self.state.policy)
        gone = set(map(id, lost))
        world.log = [record for record in self.log if id(record) not in gone]
        world.offsets = itertools.count()
        world.spared = self.spared
        world._recover()
        world.assign(generation, end_offset)
        return world

    def _worker(self, policy: Policy) -> WorkerState:
        return WorkerState(
            self.decoder.decode,
            self.encoders,
            policy,
            PARTITIONS,
            1_000,
            lambda: self._clock,
            stores=None if self.disk is None else RocksStores(self.disk),
            decoded_skus=self.decoded_skus,
        )

    def _disk_after_kill(self) -> Path | None:
        """What a successor finds where this process, killed now, had its databases: a copy of the open files."""
        if self.disk is None:
            return None
        found = self.disk.with_name(f"{self.disk.name}+")
        shutil.copytree(self.disk, found, ignore=shutil.ignore_patterns("LOCK"))
        return found

    def _recover(self) -> None:
        """As the plane does: rows of each changelog partition in order, from where the state wants them."""
        for topic, table in ((FACTS_CHANGELOG.name, FACTS), (PUBLICATIONS_CHANGELOG.name, PUBLICATIONS)):
            logs: list[list[tuple[bytes, bytes | None]]] = [[] for _ in range(PARTITIONS)]
            for record in self.log:
                if record.topic == topic:
                    logs[record.partition].append((record.key, record.value))
            for number, rows in enumerate(logs):
                start = 0
                if table in self.state.remembers:
                    start = self.state.resume(table, number, Extent("changelog", 0, len(rows)))
                    self.spared += start
                for position in range(start, len(rows)):
                    self.state.recover(table, number, rows[position : position + 1])
                    if table in self.state.remembers:
                        self.state.reached(table, number, position + 1)

    def told(self, produced: Iterable[Any], topic: str) -> list[dict[str, Any]]:
        """The decoded records of an output topic."""
        records = []
        for record in produced:
            if record.topic == topic:
                fields = self.decoder.decode_fields(topic, record.value)
                assert isinstance(fields, dict), fields
                records.append(fields)
        return records


def balance(
    quantity: int, sku: str = "SKU-1", as_of: str = "2026-01-01T00:00:10Z", **fields: Any
) -> dict[str, Any]:
    line = {
        "type": "stock-adjusted",
        "kind": "BALANCE",
        "event_id": f"b-{sku}-{as_of}-{quantity}",
        "source": "erp",
    }
    line |= {"sku": sku, "location": "A", "quantity": quantity, "as_of": as_of, "basis": "PHYSICAL"}
    return {**line, "occurred_at": as_of, **fields}


def release(quantity: int, order_id: str = "O1", sku: str = "SKU-1", **fields: Any) -> dict[str, Any]:
    line = {
        "type": "order-released",
        "event_id": f"r-{order_id}",
        "source": "oms",
        "sku": sku,
        "order_id": order_id,
    }
    line |= {"line_id": "1", "version": 1, "quantity": quantity, "cancelled_quantity": 0, "state": "OPEN"}
    line |= {"location": "A", "channel": "web", "reservation_id": None, "occurred_at": "2026-01-01T00:00:12Z"}
    return {**line, **fields}


def reservation(quantity: int, expires_at: str, sku: str = "SKU-1") -> dict[str, Any]:
    line = {"type": "reservation-changed", "event_id": "v1", "source": "shop", "sku": sku, "reservation_id": "V1"}
    line |= {"action": "REQUESTED", "quantity": quantity, "location": "A", "expires_at": expires_at}
    return {**line, "occurred_at": "2026-01-01T00:00:11Z"}


def answer(update: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """The channel accepts an update."""
    line = {name: update[name] for name in ("channel", "listing", "publish_seq", "quantity")}
    line |= {"type": "channel-acks", "event_id": f"k{update['publish_seq']}", "outcome": "ACCEPTED"}
    return {**line, "latency_ms": 1, "occurred_at": "2026-01-01T00:00:00Z", **fields}
