"""Stock Faust: an agent, a table, an output, as its documentation teaches it."""

from __future__ import annotations

import json
import os
from io import BytesIO
from typing import Any

import faust
from fastavro import parse_schema, schemaless_reader

PREFIX = 5
TELL = os.environ
PARTITIONS = int(TELL["BENCH_PARTITIONS"])
SESSION_S = int(TELL["BENCH_SESSION_MS"]) / 1000


def schema() -> Any:
    """The schema without logical types: times stay integers."""
    with open(TELL["BENCH_SCHEMA"]) as file:
        text = json.load(file)
    for field in text["fields"]:
        if isinstance(field["type"], dict) and "logicalType" in field["type"]:
            field["type"] = field["type"]["type"]
    return parse_schema(text)


SCHEMA = schema()

app = faust.App(
    TELL["BENCH_GROUP"],
    broker=f"kafka://{TELL['BENCH_BOOTSTRAP']}",
    store="memory://",
    datadir=TELL["BENCH_STATE_DIR"],
    topic_partitions=PARTITIONS,
    topic_replication_factor=1,
    topic_disable_leader=True,
    web_enabled=False,
    consumer_auto_offset_reset="earliest",
    broker_session_timeout=SESSION_S,
    broker_rebalance_timeout=SESSION_S,
    broker_heartbeat_interval=1.0,
    producer_linger=0.005,
)
RAW = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
shipments = app.topic(TELL["BENCH_TOPIC"], **RAW)
counted = app.topic(TELL["BENCH_OUT"], **RAW)
totals = app.Table("totals", partitions=PARTITIONS, key_type=bytes, default=lambda: [0, 0, 0])


@app.agent(shipments)
async def count(stream: Any) -> None:
    """Fold each shipment into the totals of its SKU and tell them."""
    async for key, value in stream.items():
        data = BytesIO(value)
        data.seek(PREFIX)
        event: Any = schemaless_reader(data, SCHEMA, None)
        units, newest, events = totals[key]
        state = [units + event["quantity"], max(newest, event["occurred_at"]), events + 1]
        totals[key] = state
        told = {"units": state[0], "newest": state[1], "events": state[2]}
        await counted.send(key=key, value=json.dumps(told).encode())


if __name__ == "__main__":
    app.main()
