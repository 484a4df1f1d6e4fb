"""Bytewax as a side of the comparison: totals of shipments per SKU, one output for each SKU of a batch.

The variables are explained in benchmarks/peers/README.md, the settings in side.toml beside this file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main
from fastavro import parse_schema, schemaless_reader

FRAME = 5  # magic byte 0 and a 4-byte schema id
BATCH = int(os.environ.get("BENCH_BYTEWAX_BATCH", "10000"))
SNAPSHOT = timedelta(seconds=float(os.environ.get("BENCH_BYTEWAX_SNAPSHOT_S", "10")))
# The recovery store is one SQLite file for each of these; workers share them.
RECOVERY_PARTITIONS = 1

# Of every partition's consumer: the source has one for each.
CONSUMER = {
    "queued.min.messages": "20000",
    "queued.max.messages.kbytes": "16384",
    "fetch.message.max.bytes": "4194304",
}
PRODUCER = {
    "batch.size": "1000000",
    "queue.buffering.max.messages": "1000000",
    "compression.type": "none",
    "enable.idempotence": "true",
    "partitioner": "murmur2",
}

Change = tuple[int, int]
"""What a shipment says of its SKU: units, and when they left (microseconds)."""


class Totals(StatefulBatchLogic[Change, bytes, tuple[int, int, int]]):
    """Units, newest time and number of the shipments of one SKU."""

    def __init__(self, resumed: tuple[int, int, int] | None) -> None:
        self.units, self.newest, self.events = resumed or (0, 0, 0)

    def on_batch(self, values: list[Change]) -> tuple[Iterable[bytes], bool]:
        """Fold what has arrived for the SKU; one output for all of it."""
        for units, occurred_at in values:
            self.units += units
            if occurred_at > self.newest:
                self.newest = occurred_at
        self.events += len(values)
        return (b'{"units":%d,"newest":%d,"events":%d}' % (self.units, self.newest, self.events),), self.RETAIN

    def snapshot(self) -> tuple[int, int, int]:
        """What the recovery store keeps."""
        return self.units, self.newest, self.events


def reader_schema(path: Path) -> Any:
    """The schema as fastavro wants it; times stay integers of microseconds, as they do on every side."""
    schema = json.loads(path.read_text())
    for field in schema["fields"]:
        if isinstance(field["type"], dict) and "logicalType" in field["type"]:
            field["type"] = field["type"]["type"]
    return parse_schema(schema)


def flow() -> Dataflow:
    """Kafka, decode, fold, Kafka; whole batches where an operator takes them."""
    schema = reader_schema(Path(os.environ["BENCH_SCHEMA"]))
    brokers = [os.environ["BENCH_BOOTSTRAP"]]

    def decode(batch: list[KafkaSourceMessage[bytes, bytes]]) -> Iterable[tuple[str, Change]]:
        for message in batch:
            data = BytesIO(message.value)
            data.seek(FRAME)
            shipment: Any = schemaless_reader(data, schema, None)
            yield message.key.decode(), (shipment["quantity"], shipment["occurred_at"])

    def encode(batch: list[tuple[str, bytes]]) -> Iterable[KafkaSinkMessage[bytes, bytes]]:
        return [KafkaSinkMessage(sku.encode(), totals) for sku, totals in batch]

    dataflow = Dataflow("totals")
    source = KafkaSource(brokers, [os.environ["BENCH_TOPIC"]], add_config=CONSUMER, batch_size=BATCH)
    records = op.input("shipments", dataflow, source)
    changes = op.flat_map_batch("decode", records, decode)
    totals = op.stateful_batch("fold", changes, Totals)
    outputs = op.flat_map_batch("encode", totals, encode)
    op.output("totals", outputs, KafkaSink(brokers, os.environ["BENCH_OUT"], add_config=PRODUCER))
    return dataflow


def main() -> None:
    """Run until SIGTERM, which ends the process where it is; the next start resumes from the last snapshot."""
    store = Path(os.environ["BENCH_STATE_DIR"]) / "recovery"
    if not store.exists():
        store.mkdir()
        init_db_dir(store, RECOVERY_PARTITIONS)
    cli_main(flow(), epoch_interval=SNAPSHOT, recovery_config=RecoveryConfig(store, timedelta(0)))


if __name__ == "__main__":
    main()
