"""Rows in memory, still encoded: one piece of bytes a SKU, since millions of small objects cost more than rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tables.store import Row

# No UTF-8 text contains these bytes.
_END_OF_KEY = b"\xff"
_END_OF_ROW = b"\xfe"
_TIMED = b"reservation\0"
_LARGE = 8_192
"""From this many bytes on rows are appended in place; copying all of them every time would be quadratic."""


class EncodedRows:
    """A ``RowStore`` in memory. A piece is a log: rows in the order of their offsets, tombstones applied.

    A SKU that is lent is not kept here as well.
    """

    durable = False

    def __init__(self) -> None:
        self._pieces: dict[bytes, bytes | bytearray] = {}
        self._timed: set[bytes] = set()

    def __len__(self) -> int:
        """Number of SKUs that are not lent."""
        return len(self._pieces)

    def __contains__(self, sku: str) -> bool:
        """Whether there are rows of the SKU."""
        return sku.encode() in self._pieces

    def skus(self) -> Iterator[str]:
        """Every SKU that is not lent."""
        return map(bytes.decode, list(self._pieces))

    def timed(self) -> set[str]:
        """SKUs that had a reservation."""
        return set(map(bytes.decode, self._timed))

    def merge(self, rows: Iterable[Row]) -> None:
        """Take changelog rows in offset order. A tombstone removes what stood before it."""
        pieces = self._pieces
        get = pieces.get
        buried = set()
        for key, value in rows:
            sku, _, rest = key.partition(b"\0")
            if value is None:
                row = rest + b"\xff\xfe"
                buried.add(sku)
            else:
                row = b"%b\xff%b\xfe" % (rest, value)
                if rest.startswith(_TIMED):
                    self._timed.add(sku)
            piece = get(sku)
            if piece is None:
                pieces[sku] = row
            elif len(piece) < _LARGE:
                pieces[sku] = piece + row
            else:
                if type(piece) is bytes:
                    piece = bytearray(piece)
                piece += row
                pieces[sku] = piece
        for sku in buried:
            self._bury(sku)

    def reached(self, position: int) -> None:
        """Nothing is remembered."""

    def values(self, sku: str) -> Sequence[bytes]:
        """The values of all rows of a SKU."""
        return [row[row.index(_END_OF_KEY) + 1 :] for row in _rows(self._pieces.get(sku.encode(), b""))]

    def lend(self, sku: str) -> Sequence[bytes]:
        """The values of all rows of a SKU, which are forgotten here."""
        found = self.values(sku)
        self._pieces.pop(sku.encode(), None)
        return found

    def settle(self, sku: str, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep a SKU again."""
        self.merge(rows)

    def written(self, rows: Sequence[Row]) -> None:
        """The changelog has them; there is no other place."""

    def close(self) -> None:
        """Forget everything."""
        self._pieces.clear()
        self._timed.clear()

    def _bury(self, sku: bytes) -> None:
        """Apply the tombstones in the piece of a SKU, all at once."""
        kept: dict[bytes, list[bytes]] = {}
        for row in _rows(self._pieces[sku]):
            key, _, value = row.partition(_END_OF_KEY)
            if value:
                kept.setdefault(key, []).append(row)
            else:
                kept.pop(key, None)
        if kept:
            rows = [row for versions in kept.values() for row in versions]
            self._pieces[sku] = _END_OF_ROW.join(rows) + _END_OF_ROW
        else:
            del self._pieces[sku]


def _rows(piece: bytes | bytearray) -> list[bytes]:
    return bytes(piece).split(_END_OF_ROW)[:-1]
