"""Workers that keep their facts on disk, on a real broker: killed, filled up, believed only when they may be."""

from __future__ import annotations

import re
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.worker.deployment import Deployment, Program
from tests.integration.worker.test_faults import assert_proven
from tests.integration.worker.traffic import traffic

pytestmark = pytest.mark.integration

EVENTS = 2_000


@pytest.fixture
def sold(deployment: Deployment) -> Iterator[Deployment]:
    """A deployment whose channels are listening."""
    deployment.sink("web")
    deployment.sink("amazon")
    yield deployment
    deployment.close()


def worker(deployment: Deployment, path: Path, **environment: str) -> Program:
    return deployment.worker(
        ATSTREAM_WORKER__STORE="rocksdb", ATSTREAM_WORKER__STORE_PATH=str(path), **environment
    )


def rows_recovered(program: Program) -> int:
    """Rows that its first recovery read."""
    program.heard("recovered partitions", within_s=60)
    found = re.search(r"recovered partitions .*?: (\d+) rows", program.log.read_text(errors="replace"))
    assert found is not None
    return int(found[1])


def test_a_killed_worker_reads_only_the_end_of_the_changelog(sold: Deployment, tmp_path: Path) -> None:
    first = worker(sold, tmp_path, ATSTREAM_WORKER__DECODED_SKUS="1000")
    sold.produce(traffic(21, EVENTS))
    assert_proven(sold)
    sold.produce(traffic(22, EVENTS))
    first.kill()
    second = worker(sold, tmp_path)
    few = rows_recovered(second)
    assert_proven(sold)
    assert second.stop() == 0
    third = worker(sold, tmp_path / "elsewhere")
    all_of_them = rows_recovered(third)
    assert_proven(sold)
    assert few < all_of_them
    assert "recovered from the changelog alone, because the store is empty" in third.log.read_text()
    assert "recovered from the changelog alone" not in second.log.read_text()


def test_a_worker_whose_disk_is_full_ends_and_loses_nothing(sold: Deployment, tmp_path: Path) -> None:
    first = worker(sold, tmp_path)
    first.heard("handling partitions", within_s=60)
    resource.prlimit(first.pid, resource.RLIMIT_FSIZE, (0, 0))
    sold.produce(traffic(23, EVENTS))
    assert first.wait(60) == 74
    worker(sold, tmp_path)
    assert_proven(sold)


def test_a_second_worker_on_the_same_directory_is_refused(sold: Deployment, tmp_path: Path) -> None:
    first = worker(sold, tmp_path)
    first.heard("handling partitions", within_s=60)
    second = worker(sold, tmp_path)
    assert second.wait(30) == 2
    assert "give every worker a worker.store_path of its own" in second.log.read_text()
    assert first.running


def test_partitions_come_back_to_their_directory(sold: Deployment, tmp_path: Path) -> None:
    first = worker(sold, tmp_path / "first")
    first.heard("handling partitions [0, 1, 2, 3]", within_s=60)
    second = worker(sold, tmp_path / "second")
    second.heard("handling partitions", within_s=60)
    sold.produce(traffic(24, EVENTS))
    assert second.stop() == 0
    sold.produce(traffic(25, EVENTS))
    assert_proven(sold)
    recoveries = re.findall(r"recovered partitions (\[.*?\])", first.log.read_text(errors="replace"))
    assert recoveries[0] == "[0, 1, 2, 3]"
    assert len(recoveries) == 2, "partitions that stayed were recovered again"
    assert len(recoveries[1]) < len(recoveries[0])
