"""Bytes to what they say, by fastavro and the builders: the readers that workers generate are not used here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from domain.facts import Acknowledgement, Event
from domain.listing_map import Listed
from schemas import wire
from schemas.intake import AssumeAsOf, builders, never
from schemas.intake_control import acknowledgement, policy_document
from schemas.intake_listings import dated, listed, taken_down
from schemas.listing_exchange import Exchanged, exchanged_of
from schemas.plans import Plan, plan_for
from schemas.policies import PolicyDocument
from schemas.rejections import KEY_MISMATCH, OVERSIZED, UNKNOWN_SCHEMA, UNKNOWN_TYPE, Rejection, rejection
from schemas.topics import AVAILABILITY_POLICY, CHANNEL_ACKS, LISTING_EXCHANGE, LISTINGS, topic
from schemas.wire import SchemaRef
from tests.chaos.verifier.logs import Record

Keyed: TypeAlias = Event | Acknowledgement | PolicyDocument | Listed
"""What the keys of input topics name."""
Said: TypeAlias = Keyed | Exchanged | Rejection
TextOf: TypeAlias = Callable[[SchemaRef], str | None]
"""The text of a schema, None if the registry has none. May ask the registry and wait."""


class SlowDecoder:
    """Decodes one record after another. ``assume_as_of`` as for the worker: a matter of the policy."""

    def __init__(self, text_of: TextOf, assume_as_of: AssumeAsOf = never) -> None:
        self._text_of = text_of
        self._builders: dict[str, Callable[[Mapping[str, Any]], Keyed | Rejection]] = {
            **builders(assume_as_of),
            CHANNEL_ACKS.name: acknowledgement,
            AVAILABILITY_POLICY.name: policy_document,
            LISTINGS.name: listed,
        }
        self._plans: dict[tuple[str, SchemaRef], Plan | Rejection] = {}

    def decode(self, record: Record) -> Said:
        """What a record of an input topic says."""
        if record.topic == LISTING_EXCHANGE.name:
            return exchanged_of(record.value)
        if record.topic == LISTINGS.name and record.value is None:
            ended = taken_down(record.key)
            return ended if isinstance(ended, Rejection) else dated(ended, record.timestamp_ms)
        fields = self.fields(record.topic, record)
        if isinstance(fields, Rejection):
            return fields
        said = self._builders[record.topic](fields)
        if isinstance(said, Rejection):
            return said
        name = _name_of(said)
        if record.key != name.encode():
            return rejection(KEY_MISMATCH, "", f"the key is {record.key!r}, the value speaks of {name!r}")
        return said

    def fields(self, family: str, record: Record) -> dict[str, Any] | Rejection:
        """The fields of a record of a topic, or of a family of topics, that has a schema."""
        described = topic(family)
        if described.avsc is None:
            return rejection(UNKNOWN_TYPE, "", f"{family} has no schema")
        frame = wire.frame_of(record.value, record.headers)
        if isinstance(frame, Rejection):
            return frame
        assert record.value is not None
        if len(record.value) > described.max_message_bytes:
            return rejection(OVERSIZED, "", f"{len(record.value)} bytes")
        plan = self._plan(described.avsc, wire.ref_of(frame.stamp))
        return plan if isinstance(plan, Rejection) else plan.read(record.value, frame.start)

    def _plan(self, avsc: str, ref: SchemaRef) -> Plan | Rejection:
        plan = self._plans.get((avsc, ref))
        if plan is None:
            text = self._text_of(ref)
            absent = rejection(UNKNOWN_SCHEMA, "", f"the registry has no schema {ref}")
            plan = self._plans[avsc, ref] = absent if text is None else plan_for(avsc, text)
        return plan


def _name_of(said: Keyed) -> str:
    if isinstance(said, Event):
        return said.sku
    if isinstance(said, Listed):
        return f"{said.channel}:{said.listing}"
    return said.listing if isinstance(said, Acknowledgement) else said.scope
