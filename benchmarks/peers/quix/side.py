"""Quix Streams as a side of the comparison: totals of shipments per SKU, one output record for each event.

The variables are explained in benchmarks/peers/README.md, the settings in side.toml beside this file.
"""

from __future__ import annotations

import json
import os
from io import BytesIO
from pathlib import Path
from typing import Any

from fastavro import parse_schema, schemaless_reader
from quixstreams import Application, State
from quixstreams.models import TopicConfig
from quixstreams.models.serializers import Deserializer, SerializationContext

FRAME = 5  # magic byte 0 and a 4-byte schema id
EMPTY = {"units": 0, "newest": 0, "events": 0}

# How much is read ahead and batched; the same for every side that uses librdkafka.
CONSUMER = {
    "queued.min.messages": 100_000,
    "queued.max.messages.kbytes": 65_536,
    "fetch.message.max.bytes": 4_194_304,
    "session.timeout.ms": int(os.environ.get("BENCH_SESSION_MS", "10000")),
}
PRODUCER = {
    "linger.ms": 5,
    "batch.size": 1_000_000,
    "queue.buffering.max.messages": 1_000_000,
    "compression.type": "none",
}


class ShipmentDeserializer(Deserializer):
    """Reads Confluent-framed Avro with the given schema; Quix's own reads unframed Avro or asks a registry."""

    def __init__(self, schema: Any) -> None:
        super().__init__()
        self._schema = schema

    def __call__(self, value: bytes, ctx: SerializationContext) -> Any:
        """The record as a dict."""
        data = BytesIO(value)
        data.seek(FRAME)
        return schemaless_reader(data, self._schema, None)


def reader_schema(path: Path) -> Any:
    """The schema as fastavro wants it; times stay integers of microseconds, as they do on every side."""
    schema = json.loads(path.read_text())
    for field in schema["fields"]:
        if isinstance(field["type"], dict) and "logicalType" in field["type"]:
            field["type"] = field["type"]["type"]
    return parse_schema(schema)


def add(shipment: dict[str, Any], state: State) -> dict[str, int]:
    """The totals of the shipment's SKU with the shipment in them, which are also the new state."""
    totals = state.get("totals", EMPTY)
    totals = {
        "units": totals["units"] + shipment["quantity"],
        "newest": max(totals["newest"], shipment["occurred_at"]),
        "events": totals["events"] + 1,
    }
    state.set("totals", totals)
    return totals


def application() -> Application:
    """An application with the settings that side.toml explains."""
    return Application(
        broker_address=os.environ["BENCH_BOOTSTRAP"],
        consumer_group=os.environ["BENCH_GROUP"],
        state_dir=os.environ["BENCH_STATE_DIR"],
        auto_offset_reset="earliest",
        loglevel="WARNING",
        commit_interval=int(os.environ.get("BENCH_COMMIT_MS", "1000")) / 1000,
        consumer_extra_config=CONSUMER,
        producer_extra_config=PRODUCER,
    )


def main() -> None:
    """Run until SIGTERM."""
    app = application()
    copies = TopicConfig(num_partitions=int(os.environ["BENCH_PARTITIONS"]), replication_factor=1)
    schema = reader_schema(Path(os.environ["BENCH_SCHEMA"]))
    shipments = app.topic(
        os.environ["BENCH_TOPIC"],
        key_deserializer="bytes",
        value_deserializer=ShipmentDeserializer(schema),
        config=copies,
    )
    totals = app.topic(os.environ["BENCH_OUT"], key_serializer="bytes", value_serializer="json", config=copies)
    app.dataframe(shipments).apply(add, stateful=True).to_topic(totals)
    app.run()


if __name__ == "__main__":
    main()
