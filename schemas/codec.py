"""Bytes to facts and back, in Confluent wire format.

``Decoder.decode`` is a function of one record and the schemas at hand. It never waits and raises nothing but
``SchemaNotLoaded``: whoever calls it loads that schema and tries again. Whatever else is wrong is a ``Rejection``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from domain.facts import Acknowledgement, Event
from domain.listing_map import Listed
from schemas import wire
from schemas.encoder import Encoder
from schemas.intake import AssumeAsOf, builders, never
from schemas.intake_control import acknowledgement, policy_document, withdrawn
from schemas.intake_listings import listed, taken_down
from schemas.listing_exchange import Exchanged, exchanged_of
from schemas.policies import PolicyDocument
from schemas.readings import Reading
from schemas.rejections import (
    KEY_MISMATCH,
    OVERSIZED,
    UNKNOWN_SCHEMA,
    UNKNOWN_TYPE,
    Rejection,
    quoted,
    rejection,
)
from schemas.topics import AVAILABILITY_POLICY, CHANNEL_ACKS, LISTING_EXCHANGE, LISTINGS, Topic, topic
from schemas.wire import PREFIX_LENGTH, Headers, SchemaAbsent, SchemaNotLoaded, SchemaRef, SchemaSource

__all__ = ["Decoded", "Decoder", "Encoder", "SchemaAbsent", "SchemaNotLoaded", "SchemaSource"]

Decoded: TypeAlias = Event | Acknowledgement | PolicyDocument | Exchanged | Rejection

MAX_PLANS = 10_000
"""Schemas remembered per topic; a topic with more writers starts over."""


class Decoder:
    """Decodes records of every topic that has a schema.

    ``assume_as_of`` says of a source whether its balances without ``as_of`` are true at ``occurred_at``.
    """

    def __init__(self, source: SchemaSource, assume_as_of: AssumeAsOf = never) -> None:
        self._source = source
        inputs: dict[str, Callable[[Mapping[str, Any]], Decoded]] = {
            **builders(assume_as_of),
            CHANNEL_ACKS.name: acknowledgement,
            AVAILABILITY_POLICY.name: policy_document,
            LISTINGS.name: listed,
        }
        self._inputs = {name: _Lane(topic(name), source, build) for name, build in inputs.items()}
        self._outputs: dict[str, _Lane] = {}

    def decode(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers | None = None
    ) -> Decoded:
        """What one record of an input topic says. Raises SchemaNotLoaded, and nothing else."""
        lane = self._inputs.get(topic)
        if lane is None:
            if topic == LISTING_EXCHANGE.name:
                return exchanged_of(value)
            return rejection(UNKNOWN_TYPE, "", f"{quoted(topic)} is no input topic")
        reading = None
        if value is not None and not headers and len(value) <= lane.max_bytes:
            # The usual: a prefix that was met before. Only a stamp of an id equals the first bytes of a value.
            reading = lane.readings.get(value[:PREFIX_LENGTH])
        start = PREFIX_LENGTH
        if reading is None:
            if value is None and topic == AVAILABILITY_POLICY.name:
                return withdrawn(key)
            if value is None and topic == LISTINGS.name:
                return taken_down(key)
            found = lane.find(value, headers)
            if isinstance(found, Rejection):
                return found
            reading, value, start = found
        assert value is not None
        decoded = reading.decode(value, start)
        if type(decoded) is Event:
            return decoded if key == decoded.sku.encode() else _key_mismatch(key, "sku", decoded.sku)
        if type(decoded) is Acknowledgement:
            return decoded if key == decoded.listing.encode() else _key_mismatch(key, "listing", decoded.listing)
        if type(decoded) is PolicyDocument and key != decoded.scope.encode():
            return _key_mismatch(key, "scope", decoded.scope)
        if type(decoded) is Listed and key != (name := f"{decoded.channel}:{decoded.listing}").encode():
            return _key_mismatch(key, "channel:listing", name)
        return decoded

    def decode_fields(
        self, topic: str, value: bytes | None, headers: Headers | None = None
    ) -> dict[str, Any] | Rejection:
        """The fields of a record of any topic with a schema, outputs included; times as integer microseconds.

        Checks the bytes against the schema and nothing more. Raises SchemaNotLoaded.
        """
        try:
            lane = self._lane(topic)
        except KeyError:
            return rejection(UNKNOWN_TYPE, "", f"{quoted(topic)} is no topic with a schema")
        found = lane.find(value, headers)
        if isinstance(found, Rejection):
            return found
        reading, value, start = found
        return reading.fields(value, start)

    def uncompiled(self) -> dict[tuple[str, SchemaRef], str]:
        """Topic and schema of everything that is read without a generated reader, and why."""
        lanes = {**self._inputs, **self._outputs}
        return {
            (name, wire.ref_of(stamp)): reading.uncompiled
            for name, lane in lanes.items()
            for stamp, reading in lane.readings.items()
            if reading.uncompiled
        }

    def _lane(self, name: str) -> _Lane:
        lane = self._inputs.get(name) or self._outputs.get(name)
        if lane is None:
            lane = self._outputs[name] = _Lane(topic(name), self._source, _as_fields)
        return lane


def _as_fields(_fields: Mapping[str, Any]) -> Rejection:
    return rejection(UNKNOWN_TYPE, "", "the topic is an output, it has no facts")


class _Lane:
    """How to read the values of one topic; remembered per schema that it has met."""

    def __init__(self, topic: Topic, source: SchemaSource, build: Callable[[Mapping[str, Any]], Decoded]) -> None:
        if topic.avsc is None:
            raise KeyError(f"{topic.name} has no schema")
        self._schema = topic.avsc
        self.max_bytes = topic.max_message_bytes
        self._source = source
        self._build = build
        self.readings: dict[bytes, Reading[Decoded]] = {}

    def find(
        self, value: bytes | None, headers: Headers | None
    ) -> tuple[Reading[Decoded], bytes, int] | Rejection:
        """How to read a value, the value, and where its Avro bytes begin. Raises SchemaNotLoaded."""
        frame = wire.frame_of(value, headers)
        if isinstance(frame, Rejection):
            return frame
        stamp, start = frame
        assert value is not None
        if len(value) > self.max_bytes:
            return rejection(OVERSIZED, "", f"the value has {len(value)} bytes, {self.max_bytes} are allowed")
        reading = self.readings.get(stamp) or self._new_reading(stamp)
        return reading if isinstance(reading, Rejection) else (reading, value, start)

    def _new_reading(self, stamp: bytes) -> Reading[Decoded] | Rejection:
        ref = wire.ref_of(stamp)
        try:
            text = self._source.by_id(ref) if isinstance(ref, int) else self._source.by_guid(ref)
        except SchemaAbsent:
            return rejection(UNKNOWN_SCHEMA, "", f"the registry has no schema {ref}")
        if text is None:
            raise SchemaNotLoaded(ref)
        if len(self.readings) >= MAX_PLANS:
            self.readings.clear()
        reading = self.readings[stamp] = Reading(self._schema, text, self._build)
        return reading


def _key_mismatch(key: bytes | None, field: str, expected: str) -> Rejection:
    return rejection(KEY_MISMATCH, field, f"the key is {quoted(key)}, the {field} is {quoted(expected)}")
