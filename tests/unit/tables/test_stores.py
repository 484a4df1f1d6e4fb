"""What both stores promise, in memory and on disk, and what the table in front of them makes of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from domain.facts import Balance, Fact, LineVersion, Reservation, Shipment
from tables.encoded import EncodedRows
from tables.facts import FactTable
from tables.rocks import RocksRows
from tables.rows import row_key, row_value
from tables.store import Row, RowStore

LINE = LineVersion("O1", "1", 2, 0, 5, 1, "OPEN", None, None, "V1", None, "oms", 12)
SHIPMENT = Shipment("S1", "O1", "1", 0, "A", 5, True, "wms", 13)
NEWER = SHIPMENT._replace(quantity=9)
RESERVATION = Reservation("V1", 0, 3, "A", None, 99, "shop", 9)
Open = Callable[[], RowStore]


@pytest.fixture(params=["memory", "rocksdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RowStore:
    return EncodedRows() if request.param == "memory" else RocksRows(str(tmp_path / "rows"), lambda: 0.0)


def row(fact: Fact, sku: str = "S") -> Row:
    return row_key(sku, fact), row_value(fact)


def gone(fact: Fact, sku: str = "S") -> Row:
    return row_key(sku, fact), None


def facts(store: RowStore, sku: str = "S") -> set[Fact]:
    return set(FactTable(store).peek(sku).facts())


@pytest.mark.parametrize("order", [(NEWER, SHIPMENT), (SHIPMENT, NEWER)])
@pytest.mark.parametrize("together", [True, False])
def test_of_two_rows_of_a_fact_the_preferred_one_counts(
    store: RowStore, order: tuple[Fact, Fact], together: bool
) -> None:
    for rows in [list(map(row, order))] if together else [[row(order[0])], [row(order[1])]]:
        store.merge(rows)
    assert facts(store) == {NEWER}
    assert set(FactTable(store).state("S").facts()) == {NEWER}


@pytest.mark.parametrize("together", [True, False])
def test_a_tombstone_removes_every_row_of_its_fact_that_stood_before_it(store: RowStore, together: bool) -> None:
    rows = [row(SHIPMENT), row(NEWER), row(LINE), gone(SHIPMENT)]
    for part in [rows] if together else [[one] for one in rows]:
        store.merge(part)
    assert facts(store) == {LINE}
    store.merge([row(SHIPMENT)])
    assert facts(store) == {LINE, SHIPMENT}


def test_a_tombstone_of_nothing_is_harmless(store: RowStore) -> None:
    store.merge([gone(LINE), row(SHIPMENT)])
    assert facts(store) == {SHIPMENT}


def test_a_sku_without_rows_is_not_there(store: RowStore) -> None:
    store.merge([row(LINE), gone(LINE), row(SHIPMENT, "S2")])
    assert "S" not in store
    assert "S2" in store
    assert list(store.skus()) == ["S2"]


def test_skus_that_begin_alike_keep_apart(store: RowStore) -> None:
    for sku in ("S", "S1", "S-", "S\x01", "Sé"):
        store.merge([row(LINE._replace(order_id=sku), sku)])
    assert sorted(store.skus()) == sorted(("S", "S1", "S-", "S\x01", "Sé"))
    for sku in ("S", "S1", "S-", "S\x01", "Sé"):
        assert facts(store, sku) == {LINE._replace(order_id=sku)}


def test_fact_keys_that_begin_alike_keep_apart(store: RowStore) -> None:
    other = SHIPMENT._replace(line_id="11")
    store.merge([row(SHIPMENT), row(other), gone(SHIPMENT)])
    assert facts(store) == {other}


def test_many_skus_are_all_named(store: RowStore) -> None:
    store.merge([row(LINE, f"S{number}") for number in range(1_000)])
    assert sorted(store.skus()) == sorted(f"S{number}" for number in range(1_000))


def test_skus_with_reservations_are_known_to_change_by_the_clock(store: RowStore) -> None:
    store.merge([row(RESERVATION), row(LINE, "S2")])
    assert store.timed() == {"S"}


def test_a_sku_with_many_facts_survives(store: RowStore) -> None:
    lines = [LINE._replace(order_id=f"O{number}") for number in range(2_000)]
    for line in lines:
        store.merge([row(line)])
    store.merge([gone(line) for line in lines[::2]])
    assert facts(store) == set(lines[1::2])


# -- the table in front ------------------------------------------------------------------------------------------


def fold(table: FactTable, sku: str, fact: Fact) -> None:
    """As intake does: the row of what was kept leaves."""
    kept = table.state(sku).fold(fact).kept
    assert kept is not None
    table.leaving([row(kept, sku)])


def epoch(table: FactTable, touched: Collection[str], most: int) -> None:
    for _ in table.begin_epoch(touched, most):
        pass


def test_a_sku_let_go_comes_back_with_everything(store: RowStore) -> None:
    table = FactTable(store)
    balance = Balance("A", "SELLABLE", "erp", 10, 1, 0, -5, "PHYSICAL", ("S1",), 11)
    for fact in (balance, balance._replace(as_of=20), LINE, NEWER, RESERVATION):
        fold(table, "S", fact)
    before = set(table.state("S").facts())
    epoch(table, {"S"}, 0)  # it is touched, so it stays
    assert table.decoded == 1
    epoch(table, set(), 0)
    assert table.decoded == 0
    assert "S" in table
    assert list(table.skus()) == ["S"]
    assert set(table.state("S").facts()) == before


def test_skus_used_longest_ago_are_let_go_first(store: RowStore) -> None:
    table = FactTable(store)
    for sku in ("A", "B", "C"):
        fold(table, sku, LINE)
    epoch(table, ["A", "B", "C"], 3)
    table.state("A")
    epoch(table, {"A"}, 2)
    kept = table.state("A"), table.state("C")
    assert table.decoded == 2
    assert (table.state("A"), table.state("C")) == kept


def test_a_sku_in_use_is_never_let_go(store: RowStore) -> None:
    table = FactTable(store)
    for number in range(500):
        fold(table, f"S{number}", LINE)
    epoch(table, {f"S{number}" for number in range(500)}, 10)
    assert table.decoded == 500
    epoch(table, {"S7"}, 10)
    assert table.decoded == 10
    assert sorted(table.skus()) == sorted(f"S{number}" for number in range(500))


def test_every_sku_is_named_once_while_skus_come_and_go(store: RowStore) -> None:
    table = FactTable(store)
    for number in range(300):
        fold(table, f"S{number}", LINE)
    epoch(table, set(), 0)
    epoch(table, set(), 150)
    for number in range(100):
        table.state(f"S{number}")
    names = table.skus()
    seen = [next(names) for _ in range(50)]
    for number in range(100, 200):
        table.state(f"S{number}")
    epoch(table, set(), 20)
    seen.extend(names)
    assert sorted(seen) == sorted(f"S{number}" for number in range(300))
