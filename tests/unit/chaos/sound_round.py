"""A round without a broker: the real state of a worker writes to lists, a channel accepts everything at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from faust.types import TP

from domain.facts import Micros
from schemas import avro_files
from schemas.codec import Decoder, Encoder
from schemas.policies import policy_of
from schemas.records import avro_record_of
from schemas.topics import CHANNEL_ACKS, all_topics, channel_updates_topic
from schemas.wire import SchemaRef
from streams.worker.codecs import OUTPUTS, OutputEncoders
from streams.worker.state import WorkerState
from tests.chaos.evidence import (
    AcceptedUpdate,
    ChannelEvidence,
    CommitObservation,
    Evidence,
    Intent,
    ProducedRecord,
    ProgramExit,
)
from tests.chaos.verifier.decoding import SlowDecoder
from tests.chaos.verifier.judgement import Judgement, judge
from tests.chaos.verifier.logs import Headers, Logs, Partition, Record, home_of
from tests.chaos.verifier.recomputation import SOURCES

PARTITIONS = 2
CHANNEL = "web"
POLICY: dict[str, Any] = {
    "locations": {"A": {"safety_stock": {"units": 2}}},
    "channels": {
        CHANNEL: {
            "mode": "SHARED",
            "publish": {"rate_per_s": 500, "burst": 500, "heartbeat_s": 3, "min_delta": {"units": 2}},
        }
    },
}
START: Micros = 1_770_000_000_000_000
_SECOND: Micros = 1_000_000


class _Message:
    """A record as librdkafka hands it out."""

    def __init__(self, record: Record) -> None:
        self._record = record

    def key(self) -> bytes | None:
        return self._record.key

    def value(self) -> bytes | None:
        return self._record.value

    def headers(self) -> Any:
        return list(self._record.headers) or None

    def timestamp(self) -> tuple[int, int]:
        return 1, self._record.timestamp_ms

    def offset(self) -> int:
        return self._record.offset


class SoundRound:
    """Produce, ``work``, then ``judged``. ``records`` may be spoilt in between: that is what it is there for."""

    def __init__(self, logs: Path) -> None:
        texts = {number: topic.avsc for number, topic in enumerate(all_topics((CHANNEL,))) if topic.avsc}
        self._texts = {number: avro_files.text(avsc) for number, avsc in texts.items()}
        self._ids = {avsc: number for number, avsc in texts.items()}
        self.records: dict[Partition, list[Record]] = defaultdict(list)
        self.committed: dict[Partition, int] = {}
        self.observations: list[CommitObservation] = []
        self.produced: list[ProducedRecord] = []
        self.accepted: list[AcceptedUpdate] = []
        self.exits: list[ProgramExit] = []
        self.outage = False
        self.rested: dict[tuple[str, int], int] = {}
        self.ledger = {"above_limit": 0, "accepted_older": 0, "repeated": 0, "unsigned": 0, "malformed": 0}
        self.now = START
        self._logs = logs
        self._answered = 0
        self.worker = self.new_worker(generation=1)

    # -- what happens

    def new_worker(self, generation: int) -> WorkerState:
        """A worker that recovers everything and owns all partitions."""
        ids = {topic.name: self._ids[topic.avsc] for topic in OUTPUTS if topic.avsc}
        state = WorkerState(
            Decoder(self).decode, OutputEncoders(ids), policy_of(POLICY), PARTITIONS, 1_000, lambda: self.now
        )
        for table, topic in (
            ("facts", "atstream-facts-changelog"),
            ("publications", "atstream-publications-changelog"),
        ):
            for number in range(PARTITIONS):
                rows = [(record.key or b"", record.value) for record in self.records[topic, number]]
                state.recover(table, number, rows)
        for number in range(PARTITIONS):
            ends = {TP(topic, number): len(self.records[topic, number]) for topic in SOURCES}
            state.assigned(number, generation, ends)
        self.worker = state
        return state

    def by_id(self, schema_id: int) -> str | None:
        return self._texts[schema_id]

    def by_guid(self, guid: object) -> str | None:
        raise AssertionError(f"nothing here is written with {guid}")

    def event(self, line: dict[str, Any], partition: int | None = None, intent: Intent = Intent.VALID) -> Record:
        """Produce a canonical line."""
        topic, key, fields = avro_record_of(line)
        value = Encoder(topic, self._ids[topic]).encode(fields)
        return self.raw(topic, key, value, home_of(key, PARTITIONS) if partition is None else partition, intent)

    def raw(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int = 0,
        intent: Intent = Intent.POISON,
    ) -> Record:
        """Produce bytes."""
        self.now += _SECOND // 100
        record = self.append(topic, partition, key, value)
        self.produced.append(ProducedRecord(topic, partition, record.offset, key, value, (), intent))
        return record

    def append(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        at: int = 0,
    ) -> Record:
        """A record at the end of a log."""
        log = self.records[topic, partition]
        log.append(Record(topic, partition, len(log), at or self.now // 1_000, key, value, headers))
        return log[-1]

    def work(self) -> SoundRound:
        """Epochs until everything is applied, told, accepted and answered."""
        for _ in range(20):
            if not self._epoch():
                return self
        raise AssertionError("the round does not come to rest")

    def _epoch(self, spare: Callable[[list[Any]], list[Any]] = list) -> bool:
        before = sum(map(len, self.records.values()))
        self.now += 2 * _SECOND
        for (topic, number), log in list(self.records.items()):
            batch = log[self.committed.get((topic, number), 0) :]
            if topic in SOURCES and batch:
                intake = self.worker.partition(number).intake
                intake.receive(topic, [_Message(record) for record in batch], 0, self.now)
                self.committed[topic, number] = len(log)
        self.write(self.worker, spare)
        self._tell_channel()
        self.observe()
        return sum(map(len, self.records.values())) > before

    def dies_in(self, epoch: Callable[[list[Any]], bool], lost: Callable[[Any], bool]) -> SoundRound:
        """Epochs up to the one in which the worker dies, before it wrote the ``lost`` records and committed."""
        died = False

        def spare(records: list[Any]) -> list[Any]:
            nonlocal died
            died = epoch(records)
            return [record for record in records if not (died and lost(record))]

        for _ in range(20):
            committed = dict(self.committed)
            self._epoch(spare)
            if died:
                self.committed = committed
                self.observations.pop()
                self.new_worker(generation=2)
                return self
        raise AssertionError("there was no such epoch")

    def write(self, worker: WorkerState, spare: Callable[[list[Any]], list[Any]] = list) -> None:
        """Write what a worker has to say."""
        for record in spare(list(_records(worker.collect(self.now)))):
            partition = home_of(record.key or b"", PARTITIONS) if record.partition is None else record.partition
            headers = tuple(record.headers or ())
            self.append(record.topic, partition, record.key, record.value, headers, record.timestamp_ms or 0)

    def _tell_channel(self) -> None:
        topic = channel_updates_topic(CHANNEL).name
        updates = [record for number in range(PARTITIONS) for record in self.records[topic, number]]
        updates.sort(key=lambda record: record.timestamp_ms)
        decoder = SlowDecoder(lambda ref: self.text(ref))
        for record in updates[self._answered :]:
            fields = decoder.fields("channel-updates", record)
            assert isinstance(fields, dict)
            update = AcceptedUpdate(fields["listing"], fields["publish_seq"], fields["quantity"])
            self.accepted.append(update)
            answer = {
                **update._asdict(),
                "channel": CHANNEL,
                "event_id": f"ack-{update.publish_seq}",
                "outcome": "ACCEPTED",
                "latency_ms": 1,
                "reason": None,
                "occurred_at": self.now,
            }
            value = Encoder(CHANNEL_ACKS.name, self._ids[CHANNEL_ACKS.name]).encode(answer)
            self.append(CHANNEL_ACKS.name, record.partition, record.key, value)
        self._answered = len(updates)

    def observe(self) -> None:
        """Look at the commits and at the ends."""
        ends = {place: len(log) for place, log in self.records.items()}
        self.observations.append(CommitObservation(self.now / 1e6, dict(self.committed), ends))

    # -- the judgement

    def text(self, ref: SchemaRef) -> str | None:
        return self._texts.get(ref) if isinstance(ref, int) else None

    def rewrite(self, topic: str, change: Callable[[list[Record]], list[Record]]) -> None:
        """Change every log of a topic as if it had been written so: offsets are counted again."""
        for place in [place for place in self.records if place[0] == topic]:
            changed = change(list(self.records[place]))
            self.records[place] = [record._replace(offset=number) for number, record in enumerate(changed)]

    def encoded(self, topic: str, fields: dict[str, Any]) -> bytes:
        """A value of a topic."""
        return Encoder(topic, self._ids[topic.partition(".")[0]]).encode(fields)

    def fields(self, record: Record) -> dict[str, Any]:
        """What a value of an output says."""
        return self.said_by(record.topic, record.value)

    def said_by(self, topic: str, value: bytes | None) -> dict[str, Any]:
        """The same of a value that is not in a log yet."""
        found = SlowDecoder(self.text).fields(topic.partition(".")[0], Record(topic, 0, 0, 0, None, value))
        assert isinstance(found, dict)
        return found

    def evidence(self) -> Evidence:
        channel = ChannelEvidence(CHANNEL, len(self.accepted), **self.ledger, accepted=tuple(self.accepted))
        return Evidence(
            seed=1,
            bootstrap="",
            registry_url="",
            group="atstream",
            partitions=PARTITIONS,
            channels=(channel,),
            policy=POLICY,
            policies=(POLICY,),
            produced=tuple(self.produced),
            commits=tuple(self.observations),
            exits=tuple(self.exits),
            logs=self._logs,
            outage=self.outage,
            rested=self.rested,
        )

    def judged(self) -> Judgement:
        logs = Logs(PARTITIONS, dict(self.records), dict(self.committed))
        return judge(self.evidence(), logs, self.text, self.now)

    def laws(self) -> set[str]:
        """Names of the laws that are broken."""
        return {violation.law for violation in self.judged().violations}


def _records(collected: Iterable[Any]) -> Iterator[Any]:
    """What a worker hands out in one piece or in slices."""
    for part in collected:
        yield from [part] if hasattr(part, "topic") else part
