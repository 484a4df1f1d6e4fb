"""What a worker must not survive, and what it must."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.data_plane.failures import Gap, HandlerFailed, Misconfigured, Stalled, Unavailable
from tests.integration.data_plane.rig import Rig, Worker, create_topics, wait_for
from tests.integration.data_plane.toy import Names

pytestmark = pytest.mark.integration

HANDLING = "handling partitions"


def test_a_record_that_cannot_be_written_ends_the_worker_uncommitted(rig: Rig) -> None:
    feeder = rig.feeder()
    worker = rig.worker("one")
    worker.says(HANDLING)
    before = sum(rig.committed().values())
    feeder.say(rig.names.sources[0], b"oversized", b"v")
    assert worker.ends() == Unavailable.exit_code
    assert "records were not accepted" in worker.text()
    assert sum(rig.committed().values()) == before


def test_an_exception_in_a_handler_ends_the_worker_uncommitted(rig: Rig) -> None:
    feeder = rig.feeder()
    worker = rig.worker("one")
    feeder.burst(100)
    rig.all_committed(100)
    feeder.say(rig.names.sources[0], b"k", b"unbearable")
    assert worker.ends() == HandlerFailed.exit_code
    assert "unbearable" in worker.text()
    assert sum(rig.committed().values()) == 100


def test_a_handler_that_never_comes_back_ends_the_worker(rig: Rig) -> None:
    feeder = rig.feeder()
    worker = rig.worker("one", TOY_STALL_S="3")
    worker.says(HANDLING)
    feeder.say(rig.names.sources[0], b"k", b"endless")
    assert worker.ends() == Stalled.exit_code
    assert "has not moved" in worker.text()


def test_a_frozen_event_loop_ends_the_worker(rig: Rig) -> None:
    feeder = rig.feeder()
    worker = rig.worker("one", TOY_STALL_S="3")
    worker.says(HANDLING)
    feeder.say(rig.names.sources[0], b"k", b"freezing")
    assert worker.ends() == Stalled.exit_code
    assert "frozen" in worker.text()


def test_a_missing_topic_is_named(kafka: str, unique: Callable[[str], str], tmp_path: Path) -> None:
    worker = Worker(Names(unique("absent")), kafka, tmp_path, "one")
    assert worker.ends() == Misconfigured.exit_code
    assert "does not exist: create it with the deploy step" in worker.text()
    worker.discard()


def test_unequal_partition_counts_are_named(kafka: str, unique: Callable[[str], str], tmp_path: Path) -> None:
    names = Names(unique("unequal"))
    create_topics(kafka, names, {names.sources[1]: 3})
    worker = Worker(names, kafka, tmp_path, "one")
    assert worker.ends() == Misconfigured.exit_code
    assert f"{names.sources[1]}=3" in worker.text()
    worker.discard()


def test_records_deleted_before_they_were_handled_end_the_worker(rig: Rig) -> None:
    feeder = rig.feeder()
    feeder.burst(500)
    first = rig.worker("first")
    rig.all_committed(500)
    first.stops()
    feeder.burst(2_000)
    admin = AdminClient({"bootstrap.servers": rig.bootstrap})
    place = TopicPartition(rig.names.sources[0], 0, rig.committed()[(rig.names.sources[0], 0)] + 5)
    for future in admin.delete_records([place]).values():
        future.result(timeout=30)
    second = rig.worker("second")
    assert second.ends() == Gap.exit_code
    assert "no longer in the log" in second.text()


def test_transaction_markers_are_proven_to_be_no_gap(rig: Rig) -> None:
    worker = rig.worker("one")
    worker.says(HANDLING)
    producer = Producer({"bootstrap.servers": rig.bootstrap, "transactional.id": rig.names.run})
    producer.init_transactions()
    for number in range(3):
        producer.begin_transaction()
        for _ in range(5):
            producer.produce(rig.names.sources[0], key=b"k", value=b"v%d" % number, partition=0)
        producer.commit_transaction()
    place = (rig.names.sources[0], 0)
    wait_for(lambda: rig.committed()[place] == 18, "15 records and 3 markers to be committed", worker=worker)
    worker.stops()
    assert "gaps_proven=" in worker.text()
    assert "gaps_proven=0" not in worker.text()


def test_an_outage_does_not_hold_up_a_rebalance(rig: Rig, tmp_path: Path) -> None:
    hold = tmp_path / "outage"
    hold.touch()
    feeder = rig.feeder()
    feeder.burst(2_000)
    first = rig.worker("first", TOY_HOLD=str(hold))
    first.says("first batch")
    second = rig.worker("second", TOY_HOLD=str(hold))
    second.says("first batch")
    hold.unlink()
    rig.all_committed(2_000)
    for worker in (first, second):
        worker.stops()
    rig.verify()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_can_be_stopped_while_it_starts(rig: Rig, number: signal.Signals) -> None:
    worker = rig.worker("one")
    worker.says("Starting...")
    worker.signal(number)
    assert worker.ends() == 0, worker.text()
