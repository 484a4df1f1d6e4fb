"""The fold of the peers on atstream's data plane."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from struct import Struct
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic
from fastavro import parse_schema, schemaless_reader

from streams.data_plane.app import add_agent, create_plane_app
from streams.data_plane.batch import Batch, Record
from streams.data_plane.effects import Produced
from streams.data_plane.settings import PlaneSettings
from streams.data_plane.worker import run_worker

PREFIX = 5
TURN = 250
"""Records folded in one go, a few milliseconds."""
SLICE = 1_000
"""Keys written in one go."""
ROW = Struct("<qqqq")
TABLE = "totals"


class Totals:
    """The state: units, newest, events and the last offset that is in them, by partition and SKU."""

    tables = (TABLE,)

    def __init__(self, schema: Any, changelog: str, out: str) -> None:
        self._schema = schema
        self._changelog = changelog
        self._out = out
        self._partitions: defaultdict[int, dict[bytes, list[int]]] = defaultdict(dict)
        self._touched: defaultdict[int, set[bytes]] = defaultdict(set)

    def recover(self, table: str, partition: int, rows: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Of two rows of a key the one that contains more holds."""
        held = self._partitions[partition]
        for key, value in rows:
            row = list(ROW.unpack(value or b""))
            known = held.get(key)
            if known is None or row[3] > known[3]:
                held[key] = row

    def assigned(self, partition: int, generation: int, end_offsets: Mapping[Any, int]) -> None:
        """Nothing to do: what is in a row was published, or is published again with the next event."""

    def drop(self, partition: int) -> None:
        """Forget the partition."""
        self._partitions.pop(partition, None)
        self._touched.pop(partition, None)

    async def take(self, batch: Batch) -> None:
        """Fold a batch, a few milliseconds at a time."""
        for start in range(0, len(batch), TURN):
            async with batch.turn():
                self._fold(batch.tp.partition, batch.records[start : start + TURN])

    def _fold(self, partition: int, records: Sequence[Record]) -> None:
        held, touch, schema = self._partitions[partition], self._touched[partition].add, self._schema
        for record in records:
            data = BytesIO(record.value())
            data.seek(PREFIX)
            event: Any = schemaless_reader(data, schema, None)
            key, offset = record.key(), record.offset()
            known = held.get(key)
            if known is None:
                known = held[key] = [0, 0, 0, -1]
            touch(key)  # also when it is in already: its output may be missing
            if offset > known[3]:
                known[0] += event["quantity"]
                known[1] = max(known[1], event["occurred_at"])
                known[2] += 1
                known[3] = offset

    def collect(self, now_us: int) -> Iterator[Sequence[Produced]]:
        """A row and an output per touched key."""
        for partition, touched in self._touched.items():
            keys, held = list(touched), self._partitions[partition]
            touched.clear()
            for start in range(0, len(keys), SLICE):
                produced = []
                for key in keys[start : start + SLICE]:
                    row = held[key]
                    value = b'{"units":%d,"newest":%d,"events":%d}' % (row[0], row[1], row[2])
                    produced.append(Produced(self._changelog, partition, key, ROW.pack(*row)))
                    produced.append(Produced(self._out, partition, key, value))
                yield produced

    def concluded(self) -> Sequence[Produced]:
        """Every row of ours can be believed."""
        return ()

    def next_wake(self) -> int | None:
        """Nothing happens by the clock."""
        return None


def schema() -> Any:
    """The schema without logical types: times stay integers."""
    with open(os.environ["BENCH_SCHEMA"]) as file:
        text = json.load(file)
    for field in text["fields"]:
        if isinstance(field["type"], dict) and "logicalType" in field["type"]:
            field["type"] = field["type"]["type"]
    return parse_schema(text)


def main() -> int:
    """Make the changelog if it is not there, then run until SIGTERM."""
    logging.basicConfig(level="WARNING", stream=sys.stderr)
    tell = os.environ
    bootstrap, group, partitions = tell["BENCH_BOOTSTRAP"], tell["BENCH_GROUP"], int(tell["BENCH_PARTITIONS"])
    changelog = f"{group}-changelog"
    admin = AdminClient({"bootstrap.servers": bootstrap})
    if changelog not in admin.list_topics(timeout=10).topics:
        topic = NewTopic(changelog, partitions, 1, config={"cleanup.policy": "compact"})
        admin.create_topics([topic])[changelog].result(10)
    totals = Totals(schema(), changelog, tell["BENCH_OUT"])
    settings = PlaneSettings(
        app_id=group, bootstrap_servers=bootstrap, session_timeout_s=int(tell["BENCH_SESSION_MS"]) / 1000
    )
    app = create_plane_app(
        settings, totals, sources=[tell["BENCH_TOPIC"]], partitions=partitions, changelogs={TABLE: changelog}
    )
    add_agent(app, "totals", [tell["BENCH_TOPIC"]], totals.take)
    return run_worker(app, outputs=[tell["BENCH_OUT"]])


if __name__ == "__main__":
    sys.exit(main())
