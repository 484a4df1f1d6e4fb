"""Records of one partition in, changed facts out: decode, check the partition, fold, or reject."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from agents.brake import Brake
from agents.causes import Cause
from agents.dead_letters import dead_letter, size_of
from agents.ports import Incoming, Outgoing, Ports
from domain import findings
from domain.facts import Acknowledgement, Event, Micros, fact_key
from domain.listing_map import Listed, Subscription, Supply
from domain.numbers import Finding
from domain.quick import new
from schemas.codec import SchemaNotLoaded
from schemas.intake_listings import dated
from schemas.listing_exchange import Exchanged
from schemas.rejections import OVERSIZED, UNKNOWN_TYPE, Rejection, rejection
from schemas.topics import FACTS_CHANGELOG, MAX_MESSAGE_BYTES
from tables.facts import FactTable
from tables.rows import row_key, row_key_of, row_value

APPLIED = "applied"
DUPLICATE = "duplicate"
REJECTED = "rejected"
FORWARDED = "forwarded"
ACKNOWLEDGED = "acknowledged"
OUTCOMES = (APPLIED, DUPLICATE, REJECTED, FORWARDED, ACKNOWLEDGED)
"""What becomes of an event; every one has exactly one."""

LARGEST_FORWARDED_BYTES = MAX_MESSAGE_BYTES - 128
"""A record that was compressed can be larger than its topic takes from us. Kafka adds less than 128 bytes."""


class Received(NamedTuple):
    """How far a batch was taken: the index of the next record, and the schema it waits for, if any."""

    next: int
    missing: SchemaNotLoaded | None = None


class Arrival(NamedTuple):
    """A finding that only the arrival of an event shows, with the event."""

    sku: str
    finding: Finding
    event_id: str


class Intake:
    """Folds the events of one partition into its facts and remembers what that touched.

    ``number`` is the partition; an event whose key belongs to another one is forwarded there, never applied.
    ``repair_until`` gives per topic the end offset at assignment: earlier records may be redelivered ones.
    """

    def __init__(self, number: int, facts: FactTable, ports: Ports) -> None:
        self.number = number
        self.facts = facts
        self.ports = ports
        self.repair_until: dict[str, int] = {}
        self.touched: dict[str, Cause] = {}
        self.arrivals: list[Arrival] = []
        self.acknowledgements: list[Acknowledgement] = []
        self.exchanged: list[Exchanged] = []
        """What was said about listings."""
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """Per topic: how many events had which outcome."""
        self.rejections: Counter[tuple[str, str]] = Counter()
        self._outgoing: list[Outgoing] = []
        self._brakes: dict[str, Brake] = {}

    def receive(self, topic: str, records: Sequence[Incoming], start: int, now: Micros) -> Received:
        """Take the records of a batch from index ``start`` on.

        Stops before a record whose schema is not loaded yet, so that the caller can wait for it. Raises
        ``BrakePulled`` when so much is rejected that the fault is not in single records.
        """
        decode = self.ports.decode
        brake = self._brakes.get(topic)
        if brake is None:
            brake = self._brakes[topic] = Brake(topic)
        repair_until = self.repair_until.get(topic, 0)
        repairing = start < len(records) and records[start].offset() < repair_until
        counts = self.counts[topic]
        accepted = 0
        for index in range(start, len(records)):
            record = records[index]
            try:
                decoded = decode(topic, record.key(), record.value(), record.headers())
            except SchemaNotLoaded as missing:
                brake.accepted(accepted)
                return Received(index, missing)
            if type(decoded) is Event:
                counts[self._take(decoded, record, repairing and record.offset() < repair_until, now)] += 1
                accepted += 1
            elif type(decoded) is Acknowledgement:
                self.acknowledgements.append(decoded)
                counts[ACKNOWLEDGED] += 1
                accepted += 1
            elif isinstance(decoded, Listed | Subscription | Supply):
                said = dated(decoded, record.timestamp()[1]) if isinstance(decoded, Listed) else decoded
                self.exchanged.append(said)
                counts[APPLIED] += 1
                accepted += 1
            else:
                brake.accepted(accepted)
                accepted = 0
                counts[REJECTED] += 1
                self._reject(topic, record, decoded, now)
                brake.rejected(decoded.code if isinstance(decoded, Rejection) else UNKNOWN_TYPE)
        brake.accepted(accepted)
        return Received(len(records))

    def touch(self, sku: str) -> Cause:
        """Have a SKU assessed at the end of the epoch."""
        cause = self.touched.get(sku)
        if cause is None:
            cause = self.touched[sku] = Cause()
        return cause

    def touch_known(self, sku: str) -> bool:
        """The same for a SKU of which something is known; False: nothing is."""
        known = sku in self.facts
        if known:
            self.touch(sku)
        return known

    def take(self) -> tuple[list[Outgoing], dict[str, Cause], list[Arrival], list[Acknowledgement]]:
        """Everything gathered since the last call."""
        taken = self._outgoing, self.touched, self.arrivals, self.acknowledgements
        self._outgoing, self.touched, self.arrivals, self.acknowledgements = [], {}, [], []
        return taken

    def take_exchanged(self) -> list[Exchanged]:
        """Everything said about listings since the last call."""
        taken, self.exchanged = self.exchanged, []
        return taken

    def _take(self, event: Event, record: Incoming, redelivered: bool, now: Micros) -> str:
        topic, sku, event_id, _, fact = event
        cause = self.touched.get(sku)
        if cause is None:
            if sku not in self.facts:
                owner = self.ports.partition_of(sku.encode())
                if owner != self.number:
                    return self._forward(topic, owner, record, now)
            cause = self.touch(sku)
        kept, finding, dropped = self.facts.state(sku).fold(fact)
        cause.add(event_id, fact.occurred_at)
        if redelivered:
            cause.repair = True
        if finding and not (redelivered and finding == findings.DUPLICATE):
            location = getattr(fact, "location", None) or ""
            self.arrivals.append(Arrival(sku, Finding(finding, location, fact_key(fact)), event_id))
        if kept is None:
            return DUPLICATE
        row = (_FACTS, self.number, row_key(sku, kept), row_value(kept), None, None)
        self._outgoing.append(new(Outgoing, row))
        for key in dropped:
            self._outgoing.append(facts_row(self.number, row_key_of(sku, key), None))
        return APPLIED

    def _forward(self, topic: str, owner: int, record: Incoming, now: Micros) -> str:
        key, value, headers = record.key(), record.value(), record.headers()
        size = size_of(key, value, headers)
        if size > LARGEST_FORWARDED_BYTES:
            self._reject(topic, record, rejection(OVERSIZED, "", f"{size} bytes cannot be forwarded"), now)
            return REJECTED
        self._outgoing.append(Outgoing(topic, owner, key, value, headers, record.timestamp()[1]))
        return FORWARDED

    def _reject(self, topic: str, record: Incoming, decoded: object, now: Micros) -> None:
        if not isinstance(decoded, Rejection):
            decoded = Rejection(UNKNOWN_TYPE, "", f"a {type(decoded).__name__} does not belong on {topic}")
        self._outgoing.append(dead_letter(topic, self.number, record, decoded, "decode", now))
        self.rejections[topic, decoded.code] += 1


def facts_row(partition: int, key: bytes, value: bytes | None) -> Outgoing:
    """A row of the facts changelog; without a value, the end of one."""
    return new(Outgoing, (_FACTS, partition, key, value, None, None))


_FACTS = FACTS_CHANGELOG.name
