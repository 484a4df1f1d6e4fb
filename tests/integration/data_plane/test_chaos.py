"""Workers are killed, paused, restarted and added on a real broker; nothing is lost and nothing stale wins."""

from __future__ import annotations

import re
import signal
import time

import pytest

from streams.data_plane.failures import Fenced
from tests.integration.data_plane.rig import Rig

pytestmark = pytest.mark.integration

HANDLING = "handling partitions"
ALL = "handling partitions [0, 1, 2, 3]"


def test_one_worker_handles_everything_and_stops_with_code_zero(rig: Rig) -> None:
    feeder = rig.feeder()
    feeder.burst(5_000)
    worker = rig.worker("one")
    rig.all_committed(5_000)
    worker.stops()
    rig.verify()


def test_a_killed_worker_is_taken_over(rig: Rig) -> None:
    feeder = rig.feeder().start()
    first, second = rig.worker("first"), rig.worker("second")
    first.says(HANDLING)
    second.says(HANDLING)
    time.sleep(3)
    before = second.text().count(ALL)
    first.signal(signal.SIGKILL)
    second.says(ALL, times=before + 1)
    time.sleep(2)
    rig.all_committed(feeder.stop())
    second.stops()
    rig.verify()


def test_repeated_kills_lose_nothing(rig: Rig) -> None:
    feeder = rig.feeder(2_000).start()
    survivor = rig.worker("survivor")
    survivor.says(HANDLING)
    for number in range(3):
        victim = rig.worker(f"victim{number}")
        victim.says(HANDLING)
        time.sleep(1.5)
        victim.signal(signal.SIGKILL)
    rig.all_committed(feeder.stop())
    survivor.stops()
    rig.verify()


def test_a_worker_paused_beyond_its_session_fences_itself(rig: Rig) -> None:
    feeder = rig.feeder(2_000).start()
    first, second = rig.worker("first"), rig.worker("second")
    first.says(HANDLING)
    second.says(HANDLING)
    time.sleep(2)
    before = second.text().count(ALL)
    first.signal(signal.SIGSTOP)
    second.says(ALL, times=before + 1)
    time.sleep(1)
    first.signal(signal.SIGCONT)
    assert first.ends() == Fenced.exit_code
    assert "fenced" in first.text()
    rig.all_committed(feeder.stop())
    second.stops()
    rig.verify()


def test_graceful_restarts_lose_nothing(rig: Rig) -> None:
    feeder = rig.feeder(2_000).start()
    workers = [rig.worker("w0"), rig.worker("w1")]
    for worker in workers:
        worker.says(HANDLING)
    for number in range(2, 6):
        time.sleep(1)
        workers.pop(0).stops()
        workers.append(rig.worker(f"w{number}"))
        workers[-1].says(HANDLING)
    rig.all_committed(feeder.stop())
    for worker in workers:
        worker.stops()
    rig.verify()


def test_no_event_is_skipped_after_recovery(rig: Rig) -> None:
    feeder = rig.feeder(4_000)
    feeder.burst(20_000)
    worker = rig.worker("w0")
    rig.all_committed(20_000)
    feeder.start()
    for number in range(1, 5):
        worker.signal(signal.SIGKILL)
        worker.ends()
        committed = rig.committed()
        worker = rig.worker(f"w{number}")
        worker.says("begins", times=8)
        begun = re.findall(r"begins (\S+) (\d+) at (\d+)", worker.text())[:8]
        assert {(topic, int(partition)): int(offset) for topic, partition, offset in begun} == committed
    rig.all_committed(feeder.stop())
    worker.stops()
    rig.verify()


def test_partitions_move_to_added_workers(rig: Rig) -> None:
    feeder = rig.feeder(2_000).start()
    workers = [rig.worker("w0")]
    workers[0].says(HANDLING)
    for number in range(1, 4):
        workers.append(rig.worker(f"w{number}"))
        workers[-1].says(HANDLING)
        time.sleep(1)
    rig.all_committed(feeder.stop())
    for worker in workers:
        worker.stops()
    rig.verify()
