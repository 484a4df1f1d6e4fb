"""The store on disk: what it has after a kill, on a full disk, and when it must not be believed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from domain.facts import LineVersion, Shipment
from streams.data_plane.failures import Misconfigured, StorageFailed
from streams.data_plane.remembering import Extent
from streams.worker.stores import UNUSED_S, RocksStores, unusable
from tables.facts import FactTable
from tables.rocks import Origin, RocksRows
from tables.rows import row_key, row_value
from tables.store import StoreFailed

ROOT = Path(__file__).resolve().parents[3]
LINE = LineVersion("O1", "1", 2, 0, 5, 1, "OPEN", None, None, "V1", None, "oms", 12)
SHIPMENT = Shipment("S1", "O1", "1", 0, "A", 5, True, "wms", 13)
BATCH = 20

# Writes batch after batch as a worker does, and says how many are in.
WRITER = """
import resource, sys
from domain.facts import LineVersion
from tables.rocks import RocksRows
from tables.rows import row_key, row_value
path, limit = sys.argv[1], int(sys.argv[2])
rows = RocksRows(path, lambda: 0.0)
rows.begin("topic")
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
for batch in range(100_000):
    facts = [LineVersion(f"O{batch}-{number}", "1", 1, 0, 5, 0, "OPEN", None, None, None, None, "oms", 1)
             for number in range(20)]
    rows.written([(row_key("S", fact), row_value(fact)) for fact in facts])
    print(batch + 1, flush=True)
"""


def writer(path: Path, limit: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(limit)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_whole(path: Path, acknowledged: int) -> None:
    """Everything below the position is there and nothing else; at most the last batch was not reported."""
    rows = RocksRows(str(path), lambda: 0.0)
    origin = rows.origin()
    assert origin is not None
    assert origin.topic_id == "topic"
    assert origin.position == rows.position
    assert acknowledged <= rows.position / BATCH <= acknowledged + 1
    orders = {fact.order_id for fact in FactTable(rows).peek("S").facts()}  # type: ignore[union-attr]
    assert orders == {f"O{batch}-{one}" for batch in range(rows.position // BATCH) for one in range(BATCH)}
    rows.close()


def test_after_a_kill_rows_and_position_agree(tmp_path: Path) -> None:
    process = writer(tmp_path / "rows")
    assert process.stdout is not None
    for _ in range(300):
        last = process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    told = [last, *process.stdout.read().splitlines()]
    process.communicate()
    assert_whole(tmp_path / "rows", int(told[-1]))


def test_on_a_full_disk_it_says_what_to_do_and_goes_on_when_there_is_room_again(tmp_path: Path) -> None:
    process = writer(tmp_path / "rows", limit=200_000)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "StoreFailed: the store" in error
    assert "Nothing is lost, the changelog has everything: mend the disk" in error
    assert_whole(tmp_path / "rows", int(out.split()[-1]))


def test_a_row_that_lost_is_deleted_once_its_sku_was_read(tmp_path: Path) -> None:
    rows = RocksRows(str(tmp_path), lambda: 0.0)
    stale = [SHIPMENT._replace(quantity=quantity) for quantity in range(1, 9)]
    rows.merge([(row_key("S", fact), row_value(fact)) for fact in (*stale, LINE)])
    assert len(rows.values("S")) == 9
    rows.lend("S")
    rows.reached(9)
    assert sorted(rows.values("S")) == sorted((row_value(stale[-1]), row_value(LINE)))


def test_positions_never_go_back(tmp_path: Path) -> None:
    rows = RocksRows(str(tmp_path), lambda: 5.0)
    rows.begin("topic")
    rows.reached(70)
    rows.written([(row_key("S", LINE), row_value(LINE))])
    rows.reached(10)
    assert rows.origin() == Origin("topic", 71, 5.0)


def test_another_process_must_not_open_it(tmp_path: Path) -> None:
    rows = RocksRows(str(tmp_path), lambda: 0.0)
    process = writer(tmp_path)
    assert "Another process uses it" in process.communicate(timeout=60)[1]
    rows.close()


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    rows = RocksRows(str(tmp_path), lambda: 0.0)
    rows.close()
    with pytest.raises(StoreFailed, match="cannot be read"):
        rows.values("S")


# -- whether to believe it ---------------------------------------------------------------------------------------

EXTENT = Extent("topic", 10, 90)
GOOD = Origin("topic", 50, 1_000.0)


@pytest.mark.parametrize(
    ("origin", "extent", "now_s", "reason"),
    [
        (None, EXTENT, 1_000.0, "empty, or of another version"),
        (GOOD._replace(topic_id="former"), EXTENT, 1_000.0, "another topic"),
        (GOOD._replace(topic_id=""), EXTENT._replace(topic_id=""), 1_000.0, "another topic"),
        (GOOD._replace(position=91), EXTENT, 1_000.0, "ends at 90"),
        (GOOD._replace(position=9), EXTENT, 1_000.0, "begins at 10"),
        (GOOD, EXTENT, 1_001.0 + UNUSED_S, "last written"),
        (GOOD, EXTENT, 999.0, "last written"),
    ],
)
def test_a_store_that_may_not_be_a_copy_is_not_believed(
    origin: Origin | None, extent: Extent, now_s: float, reason: str
) -> None:
    assert reason in unusable(origin, extent, now_s)


@pytest.mark.parametrize("position", [10, 50, 90])
def test_a_copy_is_believed(position: int) -> None:
    assert unusable(GOOD._replace(position=position), EXTENT, 1_000.0 + UNUSED_S) == ""


def filled(stores: RocksStores, partition: int = 3) -> None:
    rows = stores.opened(partition, Extent("topic", 0, 1))
    rows.merge([(row_key("S", LINE), row_value(LINE))])
    rows.reached(1)
    rows.close()


def test_a_store_is_taken_up_where_it_ended(tmp_path: Path) -> None:
    stores = RocksStores(tmp_path, lambda: 0.0)
    filled(stores)
    rows = stores.opened(3, Extent("topic", 0, 7))
    assert (rows.position, "S" in rows) == (1, True)


def test_a_store_of_another_topic_is_emptied(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stores = RocksStores(tmp_path, lambda: 0.0)
    filled(stores)
    with caplog.at_level("INFO"):
        rows = stores.opened(3, Extent("another", 0, 7))
    assert (rows.position, "S" in rows) == (0, False)
    assert rows.origin() == Origin("another", 0, 0.0)
    assert "recovered from the changelog alone, because the changelog is another topic" in caplog.text


def test_a_store_of_another_format_is_emptied(tmp_path: Path) -> None:
    stores = RocksStores(tmp_path, lambda: 0.0)
    filled(stores)
    rows = stores.opened(3, Extent("topic", 0, 7))
    rows._db.put(b"m", json.dumps([99, "what", "ever"]).encode())
    rows.close()
    assert "S" not in stores.opened(3, Extent("topic", 0, 7))


def test_a_broken_store_is_emptied(tmp_path: Path) -> None:
    stores = RocksStores(tmp_path, lambda: 0.0)
    filled(stores)
    for manifest in (tmp_path / "partition-3").glob("MANIFEST-*"):
        manifest.write_bytes(b"not a manifest" * 100)
    rows = stores.opened(3, Extent("topic", 0, 7))
    assert (rows.position, "S" in rows) == (0, False)


def test_two_workers_cannot_share_a_directory(tmp_path: Path) -> None:
    first = RocksStores(tmp_path)
    with pytest.raises(Misconfigured, match="another worker uses"):
        RocksStores(tmp_path)
    first.close()
    RocksStores(tmp_path).close()


def test_a_directory_that_cannot_be_made_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFailed, match="cannot be used"):
        RocksStores(tmp_path / "file" / "store")


def test_time_has_passed_means_emptied(tmp_path: Path) -> None:
    stores = RocksStores(tmp_path, lambda: time.time() - 2 * UNUSED_S)
    filled(stores)
    stores.close()
    assert RocksStores(tmp_path).opened(3, Extent("topic", 0, 7)).position == 0
