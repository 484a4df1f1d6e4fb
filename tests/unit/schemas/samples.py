"""Valid lines of every kind, a shelf of schemas, and the two ways a line can arrive: as JSON and as bytes."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any
from uuid import UUID

from fastavro import parse_schema, schemaless_writer

from schemas import avro_files
from schemas.codec import Decoded, Decoder, SchemaAbsent
from schemas.records import avro_record_of, event_of
from schemas.rejections import Rejection
from schemas.wire import prefix

AT = "2026-01-01T00:00:10Z"
AT_MICROS = 1_767_225_610_000_000
SCHEMA_ID = 7
GUID = UUID("89791762-2336-4186-9674-299b90a802e2")

COMMON = {"event_id": "ev-1", "source": "erp", "sku": "SKU-1", "occurred_at": AT}

BALANCE = {
    "type": "stock-adjusted",
    "kind": "BALANCE",
    "location": "A",
    "quantity": 100,
    "as_of": AT,
    "sequence": 1,
    "basis": "PHYSICAL",
    **COMMON,
}
DELTA = {
    "type": "stock-adjusted",
    "kind": "DELTA",
    "adjustment_id": "ADJ-1",
    "location": "A",
    "quantity": -5,
    "reason": "DAMAGE",
    "document_ref": "S-1",
    **COMMON,
}
ORDER_LINE = {
    "type": "order-released",
    "order_id": "O-1",
    "line_id": "1",
    "version": 1,
    "quantity": 5,
    "cancelled_quantity": 1,
    "state": "OPEN",
    "location": "A",
    "channel": "web",
    "reservation_id": "R-1",
    "kit_ref": "K-1",
    **COMMON,
}
SHIPMENT = {
    "type": "shipment-confirmed",
    "shipment_id": "S-1",
    "order_id": "O-1",
    "line_id": "1",
    "location": "A",
    "quantity": 5,
    "final": True,
    **COMMON,
}
REQUESTED = {
    "type": "reservation-changed",
    "action": "REQUESTED",
    "reservation_id": "R-1",
    "quantity": 2,
    "location": "A",
    "channel": "web",
    "expires_at": "2026-01-01T00:15:00Z",
    **COMMON,
}
RELEASED = {
    "type": "reservation-changed",
    "action": "RELEASED",
    "reservation_id": "R-1",
    "release_id": "RL-1",
    "quantity": 1,
    **COMMON,
}
RETURN_RECEIVED = {
    "type": "return-recorded",
    "return_id": "RT-1",
    "step": "RECEIVED",
    "location": "A",
    "quantity": 2,
    **COMMON,
}
RETURN_DISPOSED = {
    "type": "return-recorded",
    "return_id": "RT-1",
    "step": "DISPOSED",
    "location": "A",
    "restocked": 1,
    "scrapped": 1,
    **COMMON,
}
TRANSFER_SHIPPED = {
    "type": "transfer-recorded",
    "transfer_id": "T-1",
    "step": "SHIPPED",
    "part": "1",
    "from_location": "A",
    "to_location": "B",
    "quantity": 6,
    **COMMON,
}
TRANSFER_RECEIVED = {**TRANSFER_SHIPPED, "step": "RECEIVED"}
TRANSFER_CLOSED = {"type": "transfer-recorded", "transfer_id": "T-1", "step": "CLOSED", **COMMON}
ACKNOWLEDGEMENT = {
    "type": "channel-acks",
    "event_id": "web:SKU-1:5",
    "channel": "web",
    "listing": "SKU-1",
    "publish_seq": 5,
    "outcome": "ACCEPTED",
    "quantity": 3,
    "latency_ms": 120,
    "occurred_at": AT,
}
POLICY = {
    "type": "availability-policy",
    "scope": "global",
    "version": 1,
    "document": {"locations": {"A": {"safety_stock": {"percent": 12.5}}}},
}

EVENTS: dict[str, dict[str, Any]] = {
    "balance": BALANCE,
    "delta": DELTA,
    "order line": ORDER_LINE,
    "shipment": SHIPMENT,
    "reservation": REQUESTED,
    "release": RELEASED,
    "return received": RETURN_RECEIVED,
    "return disposed": RETURN_DISPOSED,
    "transfer shipped": TRANSFER_SHIPPED,
    "transfer received": TRANSFER_RECEIVED,
    "transfer closed": TRANSFER_CLOSED,
}
LISTING = {"type": "listings", "channel": "web", "listing": "L-1", "sku": "SKU-1", "pack_size": 6, "as_of": AT}
LISTING |= {"price": 1999, "currency": "EUR"}

LINES = {**EVENTS, "acknowledgement": ACKNOWLEDGEMENT, "policy": POLICY, "listing": LISTING}


class Shelf:
    """A SchemaSource with the texts it was given; ``absent`` are refs that the registry denied."""

    def __init__(self, texts: Mapping[int | UUID, str] | None = None, absent: frozenset[int | UUID] = frozenset()):
        self.texts = dict(texts or {})
        self.absent = absent

    def by_id(self, schema_id: int) -> str | None:
        return self._find(schema_id)

    def by_guid(self, guid: UUID) -> str | None:
        return self._find(guid)

    def _find(self, ref: int | UUID) -> str | None:
        if ref in self.absent:
            raise SchemaAbsent(str(ref))
        return self.texts.get(ref)


def schema_of(topic: str) -> dict[str, Any]:
    """A copy of the topic's Avro schema, to be edited into another version of it."""
    return json.loads(avro_files.text(topic))


def field(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """One field of a record schema."""
    return next(each for each in schema["fields"] if each["name"] == name)


def without(line: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The line without some fields."""
    return {name: value for name, value in line.items() if name not in names}


def fields_of_line(line: Mapping[str, Any]) -> dict[str, Any]:
    """All Avro fields of a valid line."""
    return dict(avro_record_of(line).fields)


def key_of_line(line: Mapping[str, Any]) -> bytes:
    """The key of a valid line's message."""
    return avro_record_of(line).key


def body(schema: Any, fields: Mapping[str, Any]) -> bytes:
    """Fields as Avro bytes, written with any schema."""
    out = BytesIO()
    schemaless_writer(out, parse_schema(avro_files.without_logical_types(copy.deepcopy(schema)), {}), fields)
    return out.getvalue()


def value(topic: str, fields: Mapping[str, Any], schema: Any = None) -> bytes:
    """Fields as a value with prefix, written with the topic's schema or another one."""
    return prefix(SCHEMA_ID) + body(schema or schema_of(topic), fields)


def decoder(topic: str, schema: Any = None, assume_as_of: Any = None) -> Decoder:
    """A decoder that knows one schema, by id and by GUID."""
    text = avro_files.text(topic) if schema is None else json.dumps(schema)
    shelf = Shelf({SCHEMA_ID: text, GUID: text})
    return Decoder(shelf) if assume_as_of is None else Decoder(shelf, assume_as_of)


def decoded(line: Mapping[str, Any], **changes: Any) -> Decoded:
    """What comes of a valid line whose Avro fields were changed after all checks of JSON."""
    topic = str(line["type"])
    fields = fields_of_line(line) | changes
    return decoder(topic).decode(topic, key_of_line(line), value(topic, fields), None)


def rejected(line: Mapping[str, Any], **changes: Any) -> tuple[str, str]:
    """Code and field of the rejection of such a line."""
    outcome = decoded(line, **changes)
    assert isinstance(outcome, Rejection), outcome
    return outcome.code, outcome.field


def said(line: Mapping[str, Any]) -> Any:
    """What a line says, by way of JSON."""
    return event_of(json.dumps(line))
