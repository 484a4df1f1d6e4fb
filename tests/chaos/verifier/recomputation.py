"""What the input says, offset by offset, and the states that it folds to, by the pure core alone."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any, NamedTuple

from domain.facts import Acknowledgement, Event, Micros
from domain.listing_map import Listed, Subscription, Supply
from domain.policy import Policy
from domain.state import SkuState
from schemas.rejections import Rejection
from schemas.topics import (
    ATS_CHANGED,
    CHANNEL_ACKS,
    CHANNEL_UPDATES,
    LISTING_EXCHANGE,
    LISTINGS,
    channel_updates_topic,
    event_topics,
)
from tests.chaos.verifier.changelog import Changelog
from tests.chaos.verifier.decoding import SlowDecoder
from tests.chaos.verifier.listing_rows import ListingRows
from tests.chaos.verifier.logs import Logs, Partition, Record, home_of
from tests.chaos.verifier.statements import Statements, Told

SOURCES = tuple(each.name for each in (*event_topics(), CHANNEL_ACKS, LISTINGS, LISTING_EXCHANGE))
"""The topics whose offsets the workers' group commits."""


class Kind(Enum):
    """What an input record asks for."""

    FACT = "fact"
    ANSWER = "answer"
    MISROUTED = "misrouted"
    STATED = "stated"
    """Says what a listing sells, in its topic or on the way to the listing's home."""
    EXCHANGED = "exchanged"
    """Homes of listings and SKUs speak about a subscription."""
    REFUSED = "refused"


class Input(NamedTuple):
    """One input record with what it says."""

    record: Record
    kind: Kind
    said: Event | Acknowledgement | Told | Rejection


class Output(NamedTuple):
    """A record of ``ats-changed`` or of a channel's updates. ``collected_at`` names the epoch that wrote it."""

    record: Record
    name: str
    version: int
    collected_at: Micros
    fields: dict[str, Any]

    @property
    def generation(self) -> int:
        """The group generation of whoever wrote it."""
        return self.version >> 32


class Recomputation:
    """Everything the laws ask, made from the logs once. ``policy`` is the last one, ``now`` after the round."""

    def __init__(self, logs: Logs, decoder: SlowDecoder, policy: Policy, now: Micros) -> None:
        self.logs = logs
        self.policy = policy
        self.now = now
        self.changelog = Changelog(logs)
        self.listing_rows = ListingRows(logs)
        self.inputs: dict[Partition, list[Input]] = {
            (topic, number): [self._input(decoder, record) for record in records]
            for topic in SOURCES
            for number, records in logs.of(topic)
        }
        self.statements = Statements(self._told_of_listings())
        self.due = self._folded(committed_only=True)
        """States that must be remembered: of what is below the committed offsets."""
        self.possible = self._folded(committed_only=False)
        """States that may be remembered: of everything."""
        self.told = [
            _output(decoder, ATS_CHANGED.name, record, "sku", "version", "computed_at")
            for record in logs.all_of(ATS_CHANGED.name)
        ]
        self.planned = {
            channel: [
                _output(decoder, CHANNEL_UPDATES, record, "listing", "publish_seq", "planned_at")
                for record in logs.all_of(channel_updates_topic(channel).name)
            ]
            for channel in policy.channels
        }

    def events(self) -> Iterator[tuple[Record, Event]]:
        """Valid events in the partition of their SKU."""
        for inputs in self.inputs.values():
            for each in inputs:
                if each.kind is Kind.FACT and isinstance(each.said, Event):
                    yield each.record, each.said

    def _told_of_listings(self) -> Iterator[tuple[Record, Told]]:
        for inputs in self.inputs.values():
            for each in inputs:
                if isinstance(each.said, Listed | Subscription | Supply):
                    yield each.record, each.said

    def _input(self, decoder: SlowDecoder, record: Record) -> Input:
        said = decoder.decode(record)
        if isinstance(said, Acknowledgement):
            return Input(record, Kind.ANSWER, said)
        if isinstance(said, Listed):
            return Input(record, Kind.STATED, said)
        if isinstance(said, Subscription | Supply):
            return Input(record, Kind.EXCHANGED, said)
        if not isinstance(said, Event):
            assert isinstance(said, Rejection)
            return Input(record, Kind.REFUSED, said)
        at_home = home_of(said.sku.encode(), self.logs.partitions) == record.partition
        return Input(record, Kind.FACT if at_home else Kind.MISROUTED, said)

    def _folded(self, *, committed_only: bool) -> dict[str, SkuState]:
        states: dict[str, SkuState] = {}
        for record, event in self.events():
            if not committed_only or self.logs.is_committed(record):
                states.setdefault(event.sku, SkuState(event.sku)).fold(event.fact)
        return states


def newest(outputs: list[Output]) -> dict[str, Output]:
    """What a consumer that drops lower versions ends with, by SKU or listing."""
    found: dict[str, Output] = {}
    for each in outputs:
        known = found.get(each.name)
        if known is None or each.version >= known.version:
            found[each.name] = each
    return found


def _output(
    decoder: SlowDecoder, family: str, record: Record, name: str, version: str, collected_at: str
) -> Output:
    fields = decoder.fields(family, record)
    if isinstance(fields, Rejection):
        raise ValueError(f"{record.where}: an output cannot be read: {fields.code}: {fields.message}")
    return Output(record, fields[name], fields[version], fields[collected_at], fields)
