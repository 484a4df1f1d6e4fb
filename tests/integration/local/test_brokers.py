"""The brokers and the Redis-compatible server: started, crashed, frozen and stopped for real."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from redis import Redis

from streams.local import ports
from streams.local.embedded import EmbeddedBroker
from streams.local.errors import LocalStackError, PortBusy, StartFailed
from streams.local.kafka import LocalKafka, cluster_id
from streams.local.readiness import answers_metadata
from streams.local.redis import LocalRedis

pytestmark = pytest.mark.integration


@pytest.fixture
def own_kafka(jar_cache: Path, tmp_path: Path) -> Iterator[LocalKafka]:
    broker = LocalKafka(tmp_path / "kafka", jar_cache=jar_cache)
    yield broker
    broker.kill()


def create_topic(bootstrap: str, topic: str) -> None:
    client = AdminClient({"bootstrap.servers": bootstrap})
    client.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])[topic].result(timeout=15)


def written(bootstrap: str, topic: str, value: bytes, timeout_ms: int) -> bool:
    accepted: list[bool] = []
    producer = Producer({"bootstrap.servers": bootstrap, "message.timeout.ms": timeout_ms})
    producer.produce(topic, value, on_delivery=lambda error, _: accepted.append(error is None))
    assert producer.flush(20) == 0
    return accepted == [True]


def write(bootstrap: str, topic: str, value: bytes) -> None:
    assert written(bootstrap, topic, value, timeout_ms=15_000)


def read_one(bootstrap: str, topic: str) -> bytes | None:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reader",
            "auto.offset.reset": "earliest",
            # The embedded broker lets a group wait for half of this before it forms.
            "session.timeout.ms": 3_000,
            "heartbeat.interval.ms": 500,
        }
    )
    try:
        consumer.subscribe([topic])
        message = consumer.poll(10)
        return message.value() if message is not None and message.error() is None else None
    finally:
        consumer.close()


def test_the_shared_kafka_keeps_what_is_written(kafka: str, unique: Callable[[str], str]) -> None:
    topic = unique("written")
    create_topic(kafka, topic)
    write(kafka, topic, b"one")
    assert read_one(kafka, topic) == b"one"


def test_the_shared_embedded_broker_keeps_what_is_written(embedded: str, unique: Callable[[str], str]) -> None:
    topic = unique("written")
    create_topic(embedded, topic)
    write(embedded, topic, b"one")
    assert read_one(embedded, topic) == b"one"


def test_the_shared_redis_keeps_what_is_written(redis_server: str, unique: Callable[[str], str]) -> None:
    with Redis.from_url(redis_server) as client:
        key = unique("key")
        client.set(key, b"one")
        assert client.get(key) == b"one"


def test_kafka_keeps_its_data_over_a_crash_and_an_orderly_restart(own_kafka: LocalKafka) -> None:
    own_kafka.start()
    create_topic(own_kafka.bootstrap, "kept")
    write(own_kafka.bootstrap, "kept", b"before the crash")
    own_kafka.kill()
    assert own_kafka.pid is None
    own_kafka.start()
    assert read_one(own_kafka.bootstrap, "kept") == b"before the crash"
    assert own_kafka.stop()
    own_kafka.start()
    write(own_kafka.bootstrap, "kept", b"after the restart")
    assert read_one(own_kafka.bootstrap, "kept") == b"after the restart", "the group's offset was kept too"


def test_kafka_does_not_create_topics_by_being_asked_for_them(own_kafka: LocalKafka) -> None:
    own_kafka.start()
    assert not written(own_kafka.bootstrap, "never-created", b"x", timeout_ms=2_000)


def test_a_second_starter_on_the_same_directory_stops_what_the_first_started(
    own_kafka: LocalKafka, jar_cache: Path
) -> None:
    own_kafka.start()
    other = LocalKafka(own_kafka.directory, jar_cache=jar_cache)
    assert other.pid == own_kafka.pid
    assert other.stop()
    assert own_kafka.pid is None
    assert ports.occupant(own_kafka.port) is None
    assert ports.occupant(own_kafka.controller_port) is None
    assert not other.stop()


def test_a_frozen_kafka_answers_nothing_until_it_is_resumed(own_kafka: LocalKafka) -> None:
    own_kafka.start()
    own_kafka.pause()
    assert not answers_metadata(own_kafka.bootstrap, timeout_s=1.0)
    own_kafka.resume()
    assert answers_metadata(own_kafka.bootstrap, timeout_s=20.0)


def test_a_frozen_kafka_can_be_stopped(own_kafka: LocalKafka) -> None:
    own_kafka.start()
    own_kafka.pause()
    assert own_kafka.stop()
    assert ports.occupant(own_kafka.port) is None


def test_a_busy_port_is_refused_with_the_name_of_its_occupant(jar_cache: Path, tmp_path: Path) -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        for broker in (
            LocalKafka(tmp_path / "kafka", port=port, jar_cache=jar_cache),
            EmbeddedBroker(tmp_path / "tansu", port=port),
            LocalRedis(tmp_path / "redis", port=port),
        ):
            with pytest.raises(PortBusy, match=f"port {port} .* pid {os.getpid()} .*choose another port with --"):
                broker.start()
            assert broker.pid is None


def test_any_cluster_id_is_accepted(own_kafka: LocalKafka, monkeypatch: pytest.MonkeyPatch) -> None:
    awkward = uuid.UUID("fbefbefb-efbe-4fbe-bbef-befbefbefbef")
    assert cluster_id(awkward).startswith("--")
    monkeypatch.setattr(uuid, "uuid4", lambda: awkward)
    own_kafka.start()
    assert f"cluster.id={cluster_id(awkward)}" in (own_kafka.directory / "data" / "meta.properties").read_text()


def test_a_broker_that_cannot_start_says_what_its_log_says(jar_cache: Path, tmp_path: Path) -> None:
    broker = LocalKafka(tmp_path, jar_cache=jar_cache, settings={"log.retention.bytes": "not-a-number"})
    with pytest.raises(StartFailed, match="not-a-number"):
        broker.start()
    assert broker.pid is None


def test_a_broker_that_runs_is_not_started_twice(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path)
    broker.start()
    try:
        with pytest.raises(LocalStackError):
            EmbeddedBroker(tmp_path).start()
        assert broker.pid is not None
    finally:
        broker.stop()


def test_the_embedded_broker_forgets_everything_when_it_stops(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path)
    broker.start()
    try:
        create_topic(broker.bootstrap, "forgotten")
        broker.kill()
        broker.start()
        topics = AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=10).topics
        assert "forgotten" not in topics
    finally:
        broker.stop()
    assert ports.occupant(broker.port) is None


def test_redis_keeps_its_data_over_an_orderly_restart(tmp_path: Path) -> None:
    server = LocalRedis(tmp_path)
    server.start()
    try:
        with Redis.from_url(server.url) as client:
            client.set("kept", b"1")
        assert server.stop()
        server.start()
        with Redis.from_url(server.url) as client:
            assert client.get("kept") == b"1"
    finally:
        server.stop()
    assert ports.occupant(server.port) is None
