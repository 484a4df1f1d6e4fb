"""A channel on a real broker with a real registry: its topics, updates, sinks as processes, and answers."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from connectors.channels.base import Update
from connectors.registry import SchemaRegistry
from connectors.registry_http import RegistryHttp
from domain.facts import SECOND, Acknowledgement
from schemas import avro_files
from schemas.codec import Decoder, Encoder, SchemaNotLoaded
from schemas.topics import CHANNEL_ACKS, channel_updates_topic, dead_letter_twin
from tests.integration.worker.deployment import Program

SECRET = "whsec_bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldw=="
SESSION_S = 6.0


class Channel:
    """The topics of one channel and whatever runs for it."""

    def __init__(self, bootstrap: str, registry_url: str, name: str, directory: Path, partitions: int = 3) -> None:
        self.name = name
        self.topic = channel_updates_topic(name).name
        self.dead_letters = dead_letter_twin(self.topic).name
        self.partitions = partitions
        self._bootstrap = bootstrap
        self._registry_url = registry_url
        self._directory = directory
        self._programs: list[Program] = []
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        self._producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random"})
        self._registry = SchemaRegistry(RegistryHttp(registry_url))
        self._create(self.topic, self.dead_letters, CHANNEL_ACKS.name)
        self._registry.register(f"{CHANNEL_ACKS.name}-value", avro_files.text("channel-acks"))
        registered = self._registry.register(f"{self.topic}-value", avro_files.text("channel-updates"))
        self._encoder = Encoder(self.topic, registered.schema_id)

    # -- what the worker does

    def update(
        self, listing: str, publish_seq: int, quantity: int, priority: str = "P2", expires_in_s: float = 600
    ) -> Update:
        now = time.time_ns() // 1000
        return Update(
            channel=self.name,
            listing=listing,
            sku=listing,
            quantity=quantity,
            publish_seq=publish_seq,
            expires_at=now + round(expires_in_s * SECOND),
            expected_previous=None,
            idempotency_key=f"{self.name}:{listing}:{publish_seq}",
            priority=priority,
            reason="CHANGED",
            caused_by=("ev-1",),
            occurred_at=now,
            planned_at=now,
        )

    def publish(self, updates: Iterable[Update]) -> None:
        for update in updates:
            self.publish_raw(update.listing.encode(), self._encoder.encode(update._asdict()))
        self.flush()

    def publish_raw(
        self, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]] | None = None
    ) -> None:
        while True:
            try:
                self._producer.produce(self.topic, key=key, value=value, headers=list(headers or ()))
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def flush(self) -> None:
        assert self._producer.flush(20) == 0

    # -- sinks

    def sink(self, url: str, **settings: object) -> Program:
        environment = {
            **os.environ,
            "ATSTREAM_KAFKA__BOOTSTRAP_SERVERS": self._bootstrap,
            "ATSTREAM_REGISTRY__URL": self._registry_url,
            "ATSTREAM_LOG_LEVEL": "INFO",
            "ATSTREAM_SINK__KIND": "webhook",
            "ATSTREAM_SINK__URL": url,
            "ATSTREAM_SINK__SECRETS": SECRET,
            "ATSTREAM_SINK__RATE_PER_S": "500",
            "ATSTREAM_SINK__BURST": "500",
            "ATSTREAM_SINK__BACKOFF_BASE_S": "0.1",
            "ATSTREAM_SINK__BACKOFF_CAP_S": "0.5",
            "ATSTREAM_SINK__SESSION_TIMEOUT_S": str(SESSION_S),
            **{f"ATSTREAM_SINK__{name.upper()}": str(value) for name, value in settings.items()},
        }
        log = self._directory / f"sink-{len(self._programs)}.log"
        program = Program(["sink", self.name], environment, log)
        self._programs.append(program)
        return program

    def close(self) -> None:
        for program in self._programs:
            if program.running:
                program.signal(signal.SIGCONT)
                program.kill()

    # -- what came out

    def acknowledgements(self) -> list[Acknowledgement]:
        """Everything the channel's sinks acknowledged so far."""
        decoder = Decoder(self._registry)
        found = []
        for message in self.read(CHANNEL_ACKS.name):
            arguments = (CHANNEL_ACKS.name, message.key(), message.value(), None)
            try:
                decoded = decoder.decode(*arguments)
            except SchemaNotLoaded as missing:
                self._registry.load(missing.ref)
                decoded = decoder.decode(*arguments)
            assert isinstance(decoded, Acknowledgement), decoded
            if decoded.channel == self.name:
                found.append(decoded)
        return found

    def read(self, topic: str) -> list[Message]:
        """Every record of a topic now."""
        consumer = Consumer(
            {"bootstrap.servers": self._bootstrap, "group.id": "read", "enable.auto.commit": False}
        )
        try:
            count = len(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
            ends = {}
            for partition in range(count):
                low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
                if high > low:
                    ends[partition] = high
            consumer.assign([TopicPartition(topic, partition, 0) for partition in ends])
            records = []
            while ends:
                message = consumer.poll(10)
                assert message is not None
                assert message.error() is None
                records.append(message)
                if message.offset() + 1 >= ends.get(message.partition(), 0):
                    ends.pop(message.partition(), None)
            return records
        finally:
            consumer.close()

    def lag(self) -> int:
        """Updates after what the sinks' group has committed."""
        consumer = Consumer({"bootstrap.servers": self._bootstrap, "group.id": f"atstream-sink-{self.name}"})
        try:
            places = [TopicPartition(self.topic, partition) for partition in range(self.partitions)]
            behind = 0
            for place in consumer.committed(places, timeout=10):
                low, high = consumer.get_watermark_offsets(place, timeout=10)
                behind += high - max(place.offset, low)
            return behind
        finally:
            consumer.close()

    async def settles(self, within_s: float = 60) -> None:
        """Wait until everything is committed."""
        await self.becomes(self._settled, within_s)

    def _settled(self) -> bool:
        try:
            return self.lag() == 0
        except KafkaException:
            # The broker was too busy to say.
            return False

    async def becomes(self, condition: Callable[[], bool], within_s: float = 60) -> None:
        deadline = time.monotonic() + within_s
        while not await asyncio.to_thread(condition):
            assert time.monotonic() < deadline, self._logs()
            await asyncio.sleep(0.05)

    def _logs(self) -> str:
        return "\n".join(program.log.read_text(errors="replace")[-3000:] for program in self._programs)

    def _create(self, *names: str) -> None:
        present = self._admin.list_topics(timeout=10).topics
        wanted = [NewTopic(name, num_partitions=self.partitions) for name in names if name not in present]
        for created in self._admin.create_topics(wanted).values() if wanted else ():
            created.result(20)
