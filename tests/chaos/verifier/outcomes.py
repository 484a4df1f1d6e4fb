"""What became of every input record, and where in the logs its effect lies: shared by accounting and commits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from domain.facts import Acknowledgement, Event, Fact
from domain.listing_map import Listed, Subscription, Supply, mapped, subscribed
from domain.listings import UNKNOWN
from schemas.topics import (
    FACTS_CHANGELOG,
    LISTING_EXCHANGE,
    MAX_MESSAGE_BYTES,
    PUBLICATIONS_CHANGELOG,
    dead_letter_twin,
)
from tables.publications import listing_key, listing_of
from tables.rows import row_key
from tests.chaos.verifier.logs import Headers, Logs, Partition, Record, home_of
from tests.chaos.verifier.recomputation import SOURCES, Input, Kind, Recomputation

ERRORS = "__atstream.errors."


class Fate(Enum):
    """What became of an input record."""

    APPLIED = "applied"
    SUPERSEDED = "superseded"
    """Counts for nothing: a fact with its key is preferred to it, two newer balances are known, or a later word
    about its listing or subscription is.
    """
    DUPLICATE = "duplicate"
    """Says what an earlier record said."""
    DEAD_LETTERED = "dead-lettered"
    FORWARDED = "forwarded"
    ACKNOWLEDGED = "acknowledged"
    SUPPLIED = "supplied"
    """Tells a home what a SKU has; what the home makes of it shows in the last outputs."""
    LOST = "lost"


class Effect(NamedTuple):
    """The first record that shows what became of an input record."""

    partition: Partition
    offset: int


class Outcome(NamedTuple):
    """An input record, what became of it, and where that shows: at the first of its effects that was written.

    One effect in most cases; dead letters of a record without key may lie in several partitions, of which nobody
    knows the order. An answer that changes nothing has none. Nor has a supply: one that repeats the units has no
    row, and its version is written down with something else, later.
    """

    input: Input
    fate: Fate
    effects: tuple[Effect, ...] = ()


class Letter(NamedTuple):
    """A dead letter with the place that it says it comes from."""

    record: Record
    origin: tuple[str, int, int] | None
    reason: str


class Outcomes:
    """The outcome of every input record, partition by partition in offset order."""

    def __init__(self, recomputed: Recomputation) -> None:
        self._recomputed = recomputed
        self.letters = list(letters(recomputed.logs))
        self._letters: dict[tuple[str, int, int], list[Letter]] = defaultdict(list)
        for letter in self.letters:
            if letter.origin is not None:
                self._letters[letter.origin].append(letter)
        self._answered = _answered_rows(recomputed.logs)
        self._seen: set[tuple[str, Fact] | Listed | Subscription] = set()
        self._copies: dict[Partition, dict[object, int]] = {}
        self.by_partition: dict[Partition, list[Outcome]] = {
            place: [self._of(each) for each in inputs] for place, inputs in recomputed.inputs.items()
        }

    def __iter__(self) -> Iterator[Outcome]:
        for outcomes in self.by_partition.values():
            yield from outcomes

    def _of(self, each: Input) -> Outcome:
        if each.kind is Kind.REFUSED:
            return self._refused(each)
        if each.kind is Kind.MISROUTED:
            return self._misrouted(each)
        if isinstance(each.said, Acknowledgement):
            return self._answer(each, each.said)
        if isinstance(each.said, Listed):
            return self._statement(each, each.said)
        if isinstance(each.said, Subscription):
            return self._subscription(each, each.said)
        if isinstance(each.said, Supply):
            return Outcome(each, Fate.SUPPLIED)
        assert isinstance(each.said, Event)
        return self._event(each, each.said)

    def _refused(self, each: Input) -> Outcome:
        record = each.record
        first: dict[Partition, Effect] = {}
        for letter in self._letters[record.topic, record.partition, record.offset]:
            if keeps(letter.record, record):
                place = (letter.record.topic, letter.record.partition)
                first.setdefault(place, Effect(place, letter.record.offset))
        return Outcome(each, Fate.DEAD_LETTERED if first else Fate.LOST, tuple(first.values()))

    def _misrouted(self, each: Input) -> Outcome:
        record = each.record
        logs = self._recomputed.logs
        place = (record.topic, home_of(record.key or b"", logs.partitions))
        if place not in self._copies:
            self._copies[place] = {one.content: one.offset for one in reversed(logs.records.get(place, ()))}
        offset = self._copies[place].get(record.content)
        if offset is None:
            return Outcome(each, Fate.LOST)
        return Outcome(each, Fate.FORWARDED, (Effect(place, offset),))

    def _answer(self, each: Input, answer: Acknowledgement) -> Outcome:
        if answer.outcome == UNKNOWN or answer.channel not in self._recomputed.policy.channels:
            return Outcome(each, Fate.ACKNOWLEDGED)
        rows = self._answered.get((each.record.partition, listing_key(answer.channel, answer.listing)), ())
        for offset, acked_seq in rows:
            if acked_seq >= answer.publish_seq:
                place = (PUBLICATIONS_CHANGELOG.name, each.record.partition)
                return Outcome(each, Fate.ACKNOWLEDGED, (Effect(place, offset),))
        return Outcome(each, Fate.LOST)

    def _event(self, each: Input, event: Event) -> Outcome:
        written = self._recomputed.changelog.written(event.sku, row_key(event.sku, event.fact), event.fact)
        if written is None:
            return Outcome(each, Fate.LOST)
        offset, counts = written
        effect = Effect((FACTS_CHANGELOG.name, each.record.partition), offset)
        return self._counted(each, (event.sku, event.fact), effect, counts=counts)

    def _statement(self, each: Input, statement: Listed) -> Outcome:
        """At its home the rows know it, or a later one; anywhere else it is passed on."""
        home = home_of(statement.listing.encode(), self._recomputed.logs.partitions)
        if each.record.partition != home:
            offset = self._recomputed.statements.copies.get((home, statement))
            if offset is None or each.record.topic == LISTING_EXCHANGE.name:
                return Outcome(each, Fate.LOST)
            return Outcome(each, Fate.FORWARDED, (Effect((LISTING_EXCHANGE.name, home), offset),))
        for row in self._recomputed.listing_rows.mapped.get((statement.channel, statement.listing), ()):
            if mapped(row.said, statement, row.said.number) is None:
                effect = Effect((PUBLICATIONS_CHANGELOG.name, row.partition), row.offset)
                counts = row.said[:3] == (statement.sku, statement.pack_size, statement.as_of)
                return self._counted(each, statement, effect, counts=counts)
        return Outcome(each, Fate.LOST)

    def _subscription(self, each: Input, message: Subscription) -> Outcome:
        by_listing = self._recomputed.listing_rows.subscriptions.get((message.channel, message.sku), {})
        for row in by_listing.get(message.listing, ()):
            if row.partition == each.record.partition and subscribed(row.said, message) == row.said:
                effect = Effect((PUBLICATIONS_CHANGELOG.name, row.partition), row.offset)
                return self._counted(each, message, effect, counts=row.said == message)
        return Outcome(each, Fate.LOST)

    def _counted(
        self, each: Input, said: tuple[str, Fact] | Listed | Subscription, effect: Effect, *, counts: bool
    ) -> Outcome:
        if said in self._seen:
            return Outcome(each, Fate.DUPLICATE, (effect,))
        self._seen.add(said)
        return Outcome(each, Fate.APPLIED if counts else Fate.SUPERSEDED, (effect,))


def letters(logs: Logs) -> Iterator[Letter]:
    """Every dead letter of the workers' sources."""
    for source in SOURCES:
        for record in logs.all_of(dead_letter_twin(source).name):
            errors = {
                name.removeprefix(ERRORS): value for name, value in record.headers if name.startswith(ERRORS)
            }
            yield Letter(record, _origin(errors), (errors.get("reason") or b"").decode())


def keeps(letter: Record, record: Record) -> bool:
    """Whether a dead letter has key, value, time and all headers but the reasons, byte for byte.

    One that says it is cut must be of a record that is larger than its topic takes uncompressed, and have the
    beginning of its value.
    """
    if any(name == f"{ERRORS}cut" for name, _ in letter.headers):
        return _begins_as(letter, record)
    return letter._replace(headers=_without_errors(letter)).content == (
        record._replace(headers=_without_errors(record)).content
    )


def _begins_as(letter: Record, record: Record) -> bool:
    ours, theirs = _without_errors(letter), _without_errors(record)
    key, value = letter.key or b"", letter.value or b""
    size = len(record.key or b"") + len(record.value or b"") + sum(len(n) + len(v or b"") + 8 for n, v in theirs)
    return (
        size > MAX_MESSAGE_BYTES
        and len(key) + len(value) >= MAX_MESSAGE_BYTES // 2
        and (record.key or b"").startswith(key)
        and (record.value or b"").startswith(value)
        and ours in (theirs, ())
        and letter.timestamp_ms == record.timestamp_ms
    )


def _without_errors(record: Record) -> Headers:
    return tuple(header for header in record.headers if not header[0].startswith(ERRORS))


def _origin(errors: dict[str, bytes | None]) -> tuple[str, int, int] | None:
    try:
        topic, partition, offset = (errors[name] or b"" for name in ("topic", "partition", "offset"))
        return topic.decode(), int(partition), int(offset)
    except (KeyError, ValueError):
        return None


def _answered_rows(logs: Logs) -> dict[tuple[int, bytes], list[tuple[int, int]]]:
    """Offsets and answered updates of the publications' rows, by partition and key."""
    rows: dict[tuple[int, bytes], list[tuple[int, int]]] = defaultdict(list)
    for record in logs.all_of(PUBLICATIONS_CHANGELOG.name):
        key = record.key or b""
        if record.value is not None and not key.startswith(b"\0"):
            rows[record.partition, key].append((record.offset, listing_of(record.value).acked_seq))
    return rows
