"""A spare worker, a broker that crashes, and a broker that is not Apache Kafka."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.local.kafka import LocalKafka
from tests.integration.data_plane.rig import Rig

pytestmark = pytest.mark.integration

HANDLING = "handling partitions"


@pytest.fixture
def own_kafka(jar_cache: Path, tmp_path: Path) -> Iterator[LocalKafka]:
    """A broker that a test may crash."""
    broker = LocalKafka(tmp_path / "kafka", jar_cache=jar_cache)
    broker.start()
    yield broker
    broker.stop()


def test_a_spare_worker_survives_rebalances_and_takes_over(
    kafka: str, unique: Callable[[str], str], tmp_path: Path
) -> None:
    rig = Rig(kafka, unique("spare"), tmp_path, partitions=1)
    try:
        feeder = rig.feeder().start()
        first, second, third = rig.worker("first"), rig.worker("second"), rig.worker("third")
        for worker in (first, second, third):
            worker.says(HANDLING)
        time.sleep(2)
        busy = next(worker for worker in (first, second, third) if "first batch" in worker.text())
        spares = [worker for worker in (first, second, third) if worker is not busy]
        busy.signal(signal.SIGKILL)
        rig.all_committed(feeder.stop())
        for spare in spares:
            spare.stops()
        rig.verify()
    finally:
        rig.close()


def test_a_broker_crash_ends_or_delays_workers_but_loses_nothing(
    own_kafka: LocalKafka, unique: Callable[[str], str], tmp_path: Path
) -> None:
    rig = Rig(own_kafka.bootstrap, unique("crash"), tmp_path)
    try:
        feeder = rig.feeder()
        feeder.burst(3_000)
        worker = rig.worker("before")
        rig.all_committed(3_000)
        own_kafka.kill()
        assert worker.ends() != 0
        own_kafka.start()
        feeder.burst(3_000)
        again = rig.worker("after")
        rig.all_committed(6_000)
        again.stops()
        rig.verify()
    finally:
        rig.close()


def test_the_embedded_broker_keeps_the_same_promise(
    embedded: str, unique: Callable[[str], str], tmp_path: Path
) -> None:
    rig = Rig(embedded, unique("embedded"), tmp_path, session_s=4.0)
    try:
        feeder = rig.feeder()
        feeder.burst(3_000)
        first = rig.worker("first")
        rig.all_committed(3_000)
        first.signal(signal.SIGKILL)
        feeder.burst(1_000)
        second = rig.worker("second")
        second.says("3000 rows in")  # recovered whole, although ListOffsets is wrong there
        rig.all_committed(4_000)
        second.stops()
        rig.verify()
    finally:
        rig.close()
