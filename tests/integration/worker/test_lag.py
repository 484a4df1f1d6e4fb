"""How far behind a group is, on real brokers: measured right, judged right, and told by the exit code."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from streams.operations.lag import LagMeter
from streams.operations.waiting import WaitingReader
from tests.integration.worker.deployment import Deployment
from tests.integration.worker.traffic import traffic

pytestmark = pytest.mark.integration

WINDOW_S = "2"


def lag(deployment: Deployment, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = deployment.command("lag", "--json", "--window", WINDOW_S, *arguments)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def until_caught_up(deployment: Deployment, within_s: float = 60.0) -> dict[str, Any]:
    deadline = time.monotonic() + within_s
    while True:
        code, told = lag(deployment)
        if told["records"] == 0 or time.monotonic() > deadline:
            assert (code, told["verdict"], told["seconds"]) == (0, "OK", 0)
            return told


def test_a_worker_that_runs_is_ok_one_that_hangs_is_stalled_and_none_is_stopped(deployment: Deployment) -> None:
    # It hangs for as long as a command takes to start: on a busy machine longer than the usual session.
    worker = deployment.worker(ATSTREAM_WORKER__SESSION_TIMEOUT_S="30")
    worker.heard("handling partitions", within_s=60)
    deployment.produce(traffic(1, 500))
    told = until_caught_up(deployment)
    assert told["members"] == 1
    assert all(each["owner"] for each in told["partitions"])

    worker.signal(signal.SIGSTOP)
    deployment.produce(traffic(2, 200))
    code, told = lag(deployment)
    worker.signal(signal.SIGCONT)
    assert (code, told["verdict"]) == (1, "STALLED")
    assert told["records"] >= 200
    assert told["seconds"] > 0

    until_caught_up(deployment)
    worker.stop()
    before = deployment.produced
    deployment.produce(traffic(3, 300))
    code, told = lag(deployment)
    assert (code, told["verdict"], told["members"]) == (1, "STOPPED", 0)
    assert told["records"] == deployment.produced - before
    assert told["records"] == sum(each["end"] - (each["committed"] or 0) for each in told["partitions"])


def test_a_group_that_nobody_knows_is_a_mistake_and_no_broker_is_an_outage(deployment: Deployment) -> None:
    unknown = deployment.command("lag", "--group", "nobody")
    assert unknown.returncode == 2
    assert "nobody" in unknown.stderr
    known = deployment.environment["ATSTREAM_KAFKA__BOOTSTRAP_SERVERS"]
    deployment.environment["ATSTREAM_KAFKA__BOOTSTRAP_SERVERS"] = "127.0.0.1:9"
    try:
        assert deployment.command("lag", "--timeout", "2").returncode == 3
    finally:
        deployment.environment["ATSTREAM_KAFKA__BOOTSTRAP_SERVERS"] = known


def filled(bootstrap: str, topic: str, at_ms: list[int]) -> dict[str, Any]:
    """A topic of two partitions; the first one gets a record for each time stamp."""
    client = {"bootstrap.servers": bootstrap}
    admin = AdminClient(client)  # to be kept until the answer is there
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(20)
    producer = Producer(client)
    for each in at_ms:
        producer.produce(topic, value=b"x", partition=0, timestamp=each)
    assert producer.flush(20) == 0
    return client


@pytest.mark.parametrize("broker", ["kafka", "embedded"])
def test_what_waits_is_counted_from_the_committed_record_on(
    broker: str, request: pytest.FixtureRequest, unique: Callable[[str], str]
) -> None:
    bootstrap, topic = request.getfixturevalue(broker), unique("waiting")
    now = 1_767_225_600.0
    at_ms = [int(now * 1000) - 1000 * age for age in (50, 40, 30, 20, 10)]
    client = filled(bootstrap, topic, at_ms)
    reader = WaitingReader(client, clock=lambda: now)
    try:
        found = reader.look({(topic, 0): 2, (topic, 1): None}, 30)
        assert found == {(topic, 0): (5, 3, 30.0), (topic, 1): (0, 0, 0.0)}
        found = reader.look({(topic, 0): 5, (topic, 1): 0}, 30)
        assert found == {(topic, 0): (5, 0, 0.0), (topic, 1): (0, 0, 0.0)}
        assert reader.look({(topic, 0): None}, 30) == {(topic, 0): (5, 5, 50.0)}
        assert reader.look({}, 30) == {}
    finally:
        reader.close()


@pytest.mark.parametrize("broker", ["kafka", "embedded"])
def test_any_group_that_committed_can_be_looked_at(
    broker: str, request: pytest.FixtureRequest, unique: Callable[[str], str]
) -> None:
    bootstrap, topic, group = request.getfixturevalue(broker), unique("any"), unique("group")
    client = filled(bootstrap, topic, [int(time.time() * 1000) - 60_000] * 4)
    consumer = Consumer({**client, "group.id": group, "enable.auto.commit": False})
    consumer.commit(offsets=[TopicPartition(topic, 0, 3)], asynchronous=False)
    consumer.close()
    meter = LagMeter(client, group, (), 30)
    try:
        report = meter.judge(1.0)
    finally:
        meter.close()
    first, second = report.partitions
    assert (first.committed, first.end, first.records, first.verdict) == (3, 4, 1, "STOPPED")
    assert first.seconds >= 60
    assert (second.committed, second.records, second.verdict) == (None, 0, "OK")
    assert report.verdict == "STOPPED"


def test_markers_of_transactions_are_nothing_that_waits(kafka: str, unique: Callable[[str], str]) -> None:
    topic = unique("transactions")
    client = filled(kafka, topic, [])
    producer = Producer({**client, "transactional.id": unique("t")})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, value=b"x", partition=0)
    producer.commit_transaction(30)
    reader = WaitingReader(client)
    try:
        found = reader.look({(topic, 0): 1}, 30)
    finally:
        reader.close()
    assert found == {(topic, 0): (2, 0, 0.0)}  # offset 1 is the marker: the group will never get past it


def test_many_partitions_with_large_batches_are_looked_at_in_one_go(
    kafka: str, unique: Callable[[str], str]
) -> None:
    topic, client = unique("large"), {"bootstrap.servers": kafka}
    admin = AdminClient(client)
    admin.create_topics([NewTopic(topic, 48, 1)])[topic].result(20)
    producer = Producer({**client, "linger.ms": 200, "batch.size": 900_000})
    for number in range(48 * 800):
        producer.produce(topic, value=b"x" * 300, partition=number % 48)
        producer.poll(0)
    assert producer.flush(30) == 0
    reader = WaitingReader(client)
    try:
        found = reader.look({(topic, number): 100 for number in range(48)}, 15)
    finally:
        reader.close()
    assert {(waiting.end, waiting.records) for waiting in found.values()} == {(800, 700)}
