from __future__ import annotations

from pathlib import Path

from tables.rocks import RocksRows
from tests.worlds import World, balance


def test_every_sku_with_rows_is_named(tmp_path: Path) -> None:
    world = World()
    names = [f"SKU-{number}" for number in range(600)]
    produced = world.deliver(*(balance(1, sku=name) for name in names))
    rows = [(each.key, each.value) for each in produced if each.topic == "atstream-facts-changelog"]
    store = RocksRows(str(tmp_path / "rows"), lambda: 1.0)
    store.begin("topic")
    store.merge(rows)
    assert list(store.skus()) == sorted(names)
    store.close()
