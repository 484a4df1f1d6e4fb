"""What a store of encoded rows can do; ``tables.facts`` keeps decoded SKUs in front of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

Row = tuple[bytes, bytes | None]
"""Key and value of a changelog record; a value of None is a tombstone."""


class StoreFailed(Exception):
    """The store cannot be read or written; the message says where, why and what to do."""


class RowStore(Protocol):
    """Rows of the facts of one partition, by SKU. A row never takes the place of another one of its key that
    differs: both are kept, and the preferred fact is found when the SKU is read.
    """

    durable: bool
    """Whether it outlives the process, and so wants to be told of rows that were written."""

    def __len__(self) -> int:
        """Number of SKUs that are here and nowhere else; 0 where that cannot be told without reading all rows."""

    def __contains__(self, sku: str) -> bool:
        """Whether there are rows of the SKU."""

    def skus(self) -> Iterator[str]:
        """Every SKU with rows, in no particular order. What is added meanwhile may be left out."""

    def timed(self) -> set[str]:
        """SKUs that had a reservation, whose numbers may change without an event."""

    def merge(self, rows: Iterable[Row]) -> None:
        """Take changelog rows in offset order. A tombstone removes what stood before. Raises ``StoreFailed``."""

    def reached(self, position: int) -> None:
        """Every row of the changelog below this offset was merged."""

    def values(self, sku: str) -> Sequence[bytes]:
        """The values of all rows of a SKU. Raises ``StoreFailed``."""

    def lend(self, sku: str) -> Sequence[bytes]:
        """The same, for a caller who keeps the SKU from now on, until ``settle``."""

    def settle(self, sku: str, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """The caller keeps the SKU no longer; ``rows`` are made of all that is known of it, if asked for."""

    def written(self, rows: Sequence[Row]) -> None:
        """These rows of lent SKUs are acknowledged by the changelog. Raises ``StoreFailed``."""

    def close(self) -> None:
        """Let go of everything."""
