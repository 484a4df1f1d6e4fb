"""Workers killed, paused, restarted and joined, on a real broker; after each fault the verifier agrees."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.local.kafka import LocalKafka
from streams.operations.reading import read_to_end
from streams.operations.snapshot import client_of
from streams.worker.partitioning import partition_of_key
from tests.integration.worker.deployment import SESSION_S, Deployment, Program
from tests.integration.worker.traffic import traffic

pytestmark = pytest.mark.integration

EVENTS = 3_000
SETTLED_S = 60.0


@pytest.fixture(scope="module", params=["memory", "rocksdb"])
def store(request: pytest.FixtureRequest) -> str:
    """Every fault twice: with facts in memory, and on disk."""
    kind: str = request.param
    return kind


@pytest.fixture(scope="module")
def broker(store: str, jar_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """A Kafka for each: the same events a second time would change nothing, and so prove nothing."""
    broker = LocalKafka(tmp_path_factory.mktemp("kafka"), jar_cache=jar_cache)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(autouse=True)
def _stored(deployment: Deployment, store: str) -> None:
    deployment.environment["ATSTREAM_WORKER__STORE"] = store


def start(deployment: Deployment, workers: int = 1) -> list[Program]:
    deployment.sink("web")
    deployment.sink("amazon")
    return [deployment.worker() for _ in range(workers)]


def assert_proven(deployment: Deployment) -> None:
    report = deployment.proof(SETTLED_S)
    assert report.differences == []
    assert report.events >= deployment.produced
    assert report.skus > 0
    assert report.accepted == report.channels
    assert report.stale_accepts == 0


def test_one_worker_tells_every_channel_the_right_number(deployment: Deployment) -> None:
    start(deployment)
    deployment.produce(traffic(1, EVENTS))
    assert_proven(deployment)


def test_a_killed_worker_loses_nothing(deployment: Deployment) -> None:
    first, second = start(deployment, workers=2)
    deployment.produce(traffic(2, EVENTS))
    first.heard("handling partitions", within_s=30)
    second.heard("handling partitions", within_s=30)
    deployment.produce(traffic(3, EVENTS))
    first.kill()
    deployment.worker()
    deployment.produce(traffic(4, EVENTS))
    assert_proven(deployment)


def test_a_worker_paused_beyond_its_session_does_no_harm(deployment: Deployment) -> None:
    first, second = start(deployment, workers=2)
    first.heard("handling partitions", within_s=30)
    second.heard("handling partitions", within_s=30)
    deployment.produce(traffic(5, EVENTS))
    first.signal(signal.SIGSTOP)
    deployment.produce(traffic(6, EVENTS))
    time.sleep(SESSION_S + 3.0)
    first.signal(signal.SIGCONT)
    deployment.produce(traffic(7, EVENTS))
    assert_proven(deployment)


def test_a_graceful_restart_takes_up_where_it_left(deployment: Deployment) -> None:
    [worker] = start(deployment)
    worker.heard("handling partitions", within_s=30)
    deployment.produce(traffic(8, EVENTS))
    assert worker.stop() == 0
    deployment.produce(traffic(9, EVENTS))
    deployment.worker()
    assert_proven(deployment)


def test_a_worker_that_joins_takes_its_share(deployment: Deployment) -> None:
    start(deployment)
    deployment.produce(traffic(10, EVENTS))
    deployment.worker()
    deployment.produce(traffic(11, EVENTS))
    assert_proven(deployment)


def test_poisoned_and_misrouted_records_stop_nobody(deployment: Deployment) -> None:
    before = dead_letters(deployment)
    start(deployment)
    poisoned = [(b"SKU-1", b""), (b"SKU-1", b"\x00\x00"), (b"SKU-1", b"no avro"), (None, b"\x00\x00\x00\x00\x63x")]
    for key, value in poisoned:
        deployment.produce_raw("order-released", key, value)
    [misrouted, *rest] = [
        message
        for message in read_to_end(client_of(deployment.settings), ["order-released"])
        if message.key() == b"SKU-2" and (message.value() or b"").startswith(b"\x00\x00\x00\x00")
    ] or pytest.fail("the earlier tests of this module produced orders of SKU-2; run the module whole")
    home = partition_of_key(b"SKU-2", 4)
    deployment.produce_raw("order-released", b"SKU-2", misrouted.value(), partition=(home + 1) % 4)
    assert rest
    deployment.produce(traffic(12, EVENTS))
    assert_proven(deployment)
    letters = dead_letters(deployment) - before
    assert {(key, value) for key, value, _ in letters} == set(poisoned)
    assert {reason for _, _, reason in letters} == {b"EMPTY", b"TRUNCATED", b"WRONG_MAGIC", b"UNKNOWN_SCHEMA"}


def dead_letters(deployment: Deployment) -> set[tuple[bytes | None, bytes | None, object]]:
    return {
        (message.key(), message.value(), dict(message.headers() or ())["__atstream.errors.reason"])  # type: ignore[arg-type]
        for message in read_to_end(client_of(deployment.settings), ["order-released.dlq"])
    }


def test_an_empty_worker_recovers_everything(deployment: Deployment) -> None:
    start(deployment)
    deployment.produce(traffic(13, 100))
    assert_proven(deployment)
