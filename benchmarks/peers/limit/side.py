"""The limit: what librdkafka, fastavro and a dict can do in one Python process without any framework."""

from __future__ import annotations

import json
import os
import signal
from io import BytesIO
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from fastavro import parse_schema, schemaless_reader

BATCH = 5_000
PREFIX = 5

State = dict[bytes, list[int]]


def raw_times(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without logical types: times stay integers."""
    for field in schema["fields"]:
        if isinstance(field["type"], dict) and "logicalType" in field["type"]:
            field["type"] = field["type"]["type"]
    return schema


class Loop:
    """Consume, fold, write, flush, commit."""

    def __init__(self) -> None:
        tell = os.environ
        self.topic, self.out = tell["BENCH_TOPIC"], tell["BENCH_OUT"]
        self.changelog = f"{tell['BENCH_GROUP']}-changelog"
        self.partitions = int(tell["BENCH_PARTITIONS"])
        with open(tell["BENCH_SCHEMA"]) as file:
            self.schema = parse_schema(raw_times(json.load(file)))
        self.client = {"bootstrap.servers": tell["BENCH_BOOTSTRAP"]}
        self.group = tell["BENCH_GROUP"]
        self.running = True
        self.state: State = {}

    def run(self) -> None:
        """Until told to stop."""
        self.recover()
        consumer = self.consumer(self.group)
        mine = [TopicPartition(self.topic, number) for number in range(self.partitions)]
        for one in consumer.committed(mine, timeout=10):
            one.offset = max(0, one.offset)
            consumer.incremental_assign([one])
        self.producer = Producer(
            {
                **self.client,
                "partitioner": "murmur2_random",
                "linger.ms": 2,
                "queue.buffering.max.messages": 1_000_000,
            }
        )
        while self.running:
            messages = consumer.consume(BATCH, 0.01)
            if messages:
                self.write(self.fold(messages))
                consumer.commit(offsets=positions(messages), asynchronous=False)
        consumer.close()

    def fold(self, messages: list[Any]) -> set[bytes]:
        """Fold a batch into the state; the keys it touched."""
        state, schema, touched = self.state, self.schema, set()
        for message in messages:
            if message.error() is not None:
                raise KafkaException(message.error())
            data = BytesIO(message.value())
            data.seek(PREFIX)
            event: Any = schemaless_reader(data, schema, None)
            key = message.key()
            known = state.get(key)
            if known is None:
                known = state[key] = [0, 0, 0]
            known[0] += event["quantity"]
            known[1] = max(known[1], event["occurred_at"])
            known[2] += 1
            touched.add(key)
        return touched

    def write(self, touched: set[bytes]) -> None:
        """A changelog row and an output per touched key, all of them with the broker before this returns."""
        produce, state = self.producer.produce, self.state
        for key in touched:
            units, newest, events = state[key]
            value = b'{"units":%d,"newest":%d,"events":%d}' % (units, newest, events)
            produce(self.changelog, value, key, on_delivery=require_delivered)
            produce(self.out, value, key, on_delivery=require_delivered)
        if self.producer.flush(30):
            raise SystemExit("outputs were not taken within 30 s")

    def recover(self) -> None:
        """Make the changelog, or read it: the last row of a key holds."""
        admin = AdminClient(self.client)
        if self.changelog not in admin.list_topics(timeout=10).topics:
            topic = NewTopic(self.changelog, self.partitions, 1, config={"cleanup.policy": "compact"})
            admin.create_topics([topic])[self.changelog].result(10)
            return
        reader = self.consumer(f"{self.group}-recovery")
        ends = {}
        for number in range(self.partitions):
            place = TopicPartition(self.changelog, number, 0)
            ends[number] = reader.get_watermark_offsets(place, timeout=10)[1]
            reader.incremental_assign([place])
        rows = sum(ends.values())
        while rows > 0:
            for message in reader.consume(BATCH, 0.2):
                row = json.loads(message.value())
                self.state[message.key()] = [row["units"], row["newest"], row["events"]]
                rows -= 1
        reader.close()

    def consumer(self, group: str) -> Consumer:
        """A consumer that fetches ahead."""
        return Consumer(
            {
                **self.client,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 10,
                "queued.min.messages": 200_000,
            }
        )

    def stop(self, *_: object) -> None:
        """End after the batch in hand."""
        self.running = False


def require_delivered(error: Any, _message: Any) -> None:
    if error is not None:
        raise KafkaException(error)


def positions(messages: list[Any]) -> list[TopicPartition]:
    """The offsets after the last message of each partition."""
    last = {(message.topic(), message.partition()): message.offset() + 1 for message in messages}
    return [TopicPartition(topic, number, offset) for (topic, number), offset in last.items()]


if __name__ == "__main__":
    loop = Loop()
    signal.signal(signal.SIGTERM, loop.stop)
    loop.run()
