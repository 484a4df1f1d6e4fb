"""The proof: recompute every SKU from the topics with the pure core, and compare with all that was written.

Five comparisons a SKU: facts of the changelog, numbers of the changelog, numbers last told to ``ats-changed``, the
quantity last planned for each channel, and the quantity each channel accepted last. The verifier shares the pure
core with the worker and nothing else: it reads topics, it folds, it compares.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from confluent_kafka import Message

from connectors.registry import SchemaRegistry
from domain.availability import assess
from domain.facts import Acknowledgement, Event, Micros
from domain.listing_map import Listed, ListingMap
from domain.listings import ACCEPTED, P3, classify
from domain.numbers import Assessment
from domain.policy import Policy
from domain.state import SkuState
from schemas.codec import Decoder, SchemaNotLoaded
from schemas.intake_listings import dated
from schemas.rejections import Rejection
from schemas.topics import (
    ATS_CHANGED,
    CHANNEL_ACKS,
    CHANNEL_UPDATES,
    LISTINGS,
    channel_updates_topic,
    event_topics,
)
from schemas.wire import Headers
from streams.operations.reading import read_to_end
from streams.operations.snapshot import client_of, read_facts, read_policy
from streams.operations.told_guards import guards_told
from streams.settings import Settings
from streams.worker.codecs import registry_of
from streams.worker.state import now_us
from tables.facts import FactTable

SHOWN_DIFFERENCES = 20


@dataclass
class VerifyReport:
    """How much was compared and what differed. ``pending`` planned values wait for a debounce or a heartbeat."""

    events: int = 0
    rejected: int = 0
    skus: int = 0
    channels: int = 0
    planned: int = 0
    accepted: int = 0
    pending: int = 0
    stale_accepts: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def proven(self) -> bool:
        """Whether something was compared and nothing differed."""
        return self.skus > 0 and not self.differences


@dataclass
class _Evidence:
    """What the topics say, folded."""

    states: dict[str, SkuState] = field(default_factory=dict)
    told: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    planned: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    accepted: dict[tuple[str, str], Acknowledgement] = field(default_factory=dict)
    listings: ListingMap = field(default_factory=ListingMap)


def verify(settings: Settings, timeout_s: float = 60.0) -> VerifyReport:
    """Read everything and compare. The system should be at rest: no lag, no unacknowledged update.

    Raises what the readers raise: ``TopicUnreadable``, ``PolicyError``, ``RegistryUnavailable``.
    """
    policy = read_policy(settings, now_us)
    report = VerifyReport()
    reader = _Reader(client_of(settings), registry_of(settings), policy, timeout_s)
    evidence = reader.evidence(report)
    table = read_facts(client_of(settings), timeout_s)
    now = now_us()
    sold = evidence.listings.by_sku()
    checked: set[tuple[str, str]] = set()
    for sku, state in sorted(evidence.states.items()):
        guards = guards_told(sku, policy, evidence.told.get(sku))
        expected = assess(state, policy, now, guards)
        report.skus += 1
        report.differences += _table_differences(sku, state, table, expected, policy, now, guards)
        report.differences += _told_differences(sku, expected, evidence.told.get(sku))
        for channel, quantity in expected.channels.items():
            for listing, pack_size in sold.get((channel, sku), {sku: 1}).items():
                report.channels += 1
                checked.add((channel, listing))
                shown = quantity // pack_size
                report.differences += _channel_differences(
                    report, policy, now, (channel, listing), sku, shown, evidence
                )
    report.differences += [
        f"{listing} on {channel}: it sells nothing, planned {planned['quantity']}"
        for (channel, listing), planned in sorted(evidence.planned.items())
        if (channel, listing) not in checked and planned["quantity"]
    ]
    unknown = sorted(set(table.skus()) - set(evidence.states))
    report.differences += [f"{sku}: in the changelog, but no event topic mentions it" for sku in unknown]
    return report


class _Reader:
    """Reads topics with the codec, loading schemas as they come."""

    def __init__(
        self, client: Mapping[str, Any], registry: SchemaRegistry, policy: Policy, timeout_s: float
    ) -> None:
        self._client = client
        self._registry = registry
        self._policy = policy
        self._timeout_s = timeout_s
        self._decoder = Decoder(registry, lambda source: policy.source(source).assume_as_of)

    def evidence(self, report: VerifyReport) -> _Evidence:
        found = _Evidence()
        for message in self._messages(*(topic.name for topic in event_topics())):
            decoded = self._decoded(message)
            if isinstance(decoded, Event):
                report.events += 1
                found.states.setdefault(decoded.sku, SkuState(decoded.sku)).fold(decoded.fact)
            else:
                report.rejected += 1
        for message in self._messages(LISTINGS.name):
            decoded = self._decoded(message)
            if isinstance(decoded, Listed):
                found.listings.take(dated(decoded, message.timestamp()[1]))
            else:
                report.rejected += 1
        for message in self._messages(ATS_CHANGED.name):
            self._newest(found.told, message, "sku", "version")
        for channel in self._policy.channels:
            for message in self._messages(channel_updates_topic(channel).name):
                self._newest(found.planned, message, "listing", "publish_seq", channel)
        for message in self._messages(CHANNEL_ACKS.name):
            decoded = self._decoded(message)
            if isinstance(decoded, Acknowledgement) and decoded.outcome == ACCEPTED:
                name = (decoded.channel, decoded.listing)
                before = found.accepted.get(name)
                if before is None or decoded.publish_seq >= before.publish_seq:
                    found.accepted[name] = decoded
                else:
                    report.stale_accepts += 1
        return found

    def _messages(self, *topics: str) -> Iterator[Message]:
        return read_to_end(self._client, topics, self._timeout_s)

    def _decoded(self, message: Message) -> object:
        while True:
            try:
                return self._decoder.decode(
                    message.topic() or "",
                    message.key(),
                    message.value(),
                    cast(Headers, message.headers()),
                )
            except SchemaNotLoaded as missing:
                self._registry.load(missing.ref)

    def _newest(
        self, found: dict[Any, Mapping[str, Any]], message: Message, key: str, version: str, channel: str = ""
    ) -> None:
        topic = message.topic() or ""
        family = CHANNEL_UPDATES if channel else topic
        while True:
            try:
                fields = self._decoder.decode_fields(family, message.value(), cast(Headers, message.headers()))
                break
            except SchemaNotLoaded as missing:
                self._registry.load(missing.ref)
        if isinstance(fields, Rejection):
            raise ValueError(f"{topic} offset {message.offset()}: {fields.code}: {fields.message}")
        name = (channel, fields[key]) if channel else fields[key]
        if name not in found or fields[version] > found[name][version]:
            found[name] = fields


def _table_differences(
    sku: str,
    state: SkuState,
    table: FactTable,
    expected: Assessment,
    policy: Policy,
    now: Micros,
    guards: Mapping[str, int],
) -> list[str]:
    if sku not in table:
        return [f"{sku}: events were read, but the changelog has no facts of it"]
    kept = table.peek(sku)
    strangers = set(kept.facts()) - set(state.facts())
    if strangers:
        return [
            f"{sku}: the changelog has {len(strangers)} facts that no event states, "
            f"such as {min(map(str, strangers))}"
        ]
    found = assess(kept, policy, now, guards)
    return (
        [f"{sku}: the changelog gives {found}, the topics {expected}"]
        if _numbers(found) != _numbers(expected)
        else []
    )


def _numbers(assessment: Assessment) -> tuple[object, ...]:
    return assessment.locations, assessment.pools, assessment.channels, assessment.variances


def _told_differences(sku: str, expected: Assessment, told: Mapping[str, Any] | None) -> list[str]:
    if told is None:
        return [f"{sku}: never told to {ATS_CHANGED.name}"]
    numbers = {name: each._asdict() for name, each in expected.locations.items()}
    pools = {name: each._asdict() for name, each in expected.pools.items()}
    differences = []
    for what, ours, theirs in (
        ("locations", numbers, told["locations"]),
        ("pools", pools, told["pools"]),
        ("channels", dict(expected.channels), told["channels"]),
    ):
        if ours != theirs:
            differences.append(f"{sku}: {ATS_CHANGED.name} tells {what} {theirs}, recomputed {ours}")
    return differences


def _channel_differences(
    report: VerifyReport,
    policy: Policy,
    now: Micros,
    name: tuple[str, str],
    sku: str,
    quantity: int,
    evidence: _Evidence,
) -> list[str]:
    channel, listing = name
    planned = evidence.planned.get(name)
    if planned is None:
        return [f"{listing} on {channel}: {quantity} was never planned"]
    report.planned += 1
    differences = []
    if planned["quantity"] != quantity:
        if _waits(policy, now, channel, sku, planned, quantity):
            report.pending += 1
        else:
            differences.append(f"{listing} on {channel}: planned {planned['quantity']}, recomputed {quantity}")
    accepted = evidence.accepted.get(name)
    if accepted is None or accepted.publish_seq < planned["publish_seq"]:
        differences.append(f"{listing} on {channel}: update {planned['publish_seq']} was not accepted")
    elif accepted.quantity != planned["quantity"]:
        differences.append(f"{listing} on {channel}: accepted {accepted.quantity}, planned {planned['quantity']}")
    else:
        report.accepted += 1
    return differences


def _waits(policy: Policy, now: Micros, channel: str, sku: str, planned: Mapping[str, Any], quantity: int) -> bool:
    """Whether the publish policy holds the new value back for the moment: a small change, or a debounced rise."""
    publish = policy.channel_of(sku, channel).publish
    since: int = now - planned["planned_at"]
    if classify(planned["quantity"], quantity, publish) == P3:
        return since < publish.heartbeat + publish.rise_debounce
    rises: bool = quantity > planned["quantity"]
    return rises and publish.rise_debounce > 0
