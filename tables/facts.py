"""The facts of all SKUs of one partition: decoded while they are in use, encoded rows in a store otherwise."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from itertools import chain

from domain.state import SkuState
from tables.encoded import EncodedRows
from tables.rows import fact_of, row_key, row_value
from tables.store import Row, RowStore

_ROWS_AT_ONCE = 500
_SKUS_AT_ONCE = 100


class FactTable:
    """SKU -> state. Recovery only collects rows; they are folded when the SKU is touched.

    Rows of one key are never replaced by a later row: both are folded, and the preferred fact wins. A stale row
    of a paused worker therefore does no harm.
    """

    def __init__(self, store: RowStore | None = None) -> None:
        self._states: OrderedDict[str, SkuState] = OrderedDict()
        """SKUs in use, the one used last at the end."""
        self._store = EncodedRows() if store is None else store
        self._leaving: list[Row] = []

    def __len__(self) -> int:
        """Number of SKUs known, as far as that can be told without reading them."""
        return len(self._states) + len(self._store)

    def __contains__(self, sku: str) -> bool:
        """Whether any fact of the SKU is known."""
        return sku in self._states or sku in self._store

    @property
    def decoded(self) -> int:
        """Number of SKUs in use."""
        return len(self._states)

    @property
    def timed(self) -> set[str]:
        """SKUs recovered with reservations, whose numbers may change without an event."""
        return self._store.timed()

    def skus(self) -> Iterator[str]:
        """Every SKU known at the time of the call, in no particular order."""
        in_use = dict.fromkeys(self._states)
        stored = self._store.skus()
        return chain(in_use, (sku for sku in stored if sku not in in_use))

    def recover(self, rows: Iterable[Row]) -> None:
        """Take changelog rows in offset order. A tombstone removes what stood before it."""
        self._store.merge(rows)

    def reached(self, position: int) -> None:
        """Every row of the changelog below this offset was recovered."""
        self._store.reached(position)

    def state(self, sku: str) -> SkuState:
        """The state of a SKU, decoded on first use; an empty one for a SKU not seen before."""
        state = self._states.get(sku)
        if state is None:
            state = self._states[sku] = _folded(sku, self._store.lend(sku))
        return state

    def peek(self, sku: str) -> SkuState:
        """The state of a SKU without keeping it decoded."""
        state = self._states.get(sku)
        return _folded(sku, self._store.values(sku)) if state is None else state

    # -- once an epoch -------------------------------------------------------------------------------------------

    def leaving(self, rows: Iterable[Row]) -> None:
        """These rows are on their way to the changelog."""
        if self._store.durable:
            self._leaving.extend(rows)

    def begin_epoch(self, touched: Collection[str], most: int) -> Iterator[None]:
        """What left is acknowledged and goes to the store; SKUs beyond ``most`` are decoded no longer.

        Those used longest ago go first, and none of the ``touched``: their rows are not written yet. In slices.
        """
        rows, self._leaving = self._leaving, []
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            self._store.written(rows[start : start + _ROWS_AT_ONCE])
            yield
        states = self._states
        for sku in touched:
            if sku in states:
                states.move_to_end(sku)
        most = max(most, len(touched))
        while len(states) > most:
            for _ in range(min(len(states) - most, _SKUS_AT_ONCE)):
                sku, state = states.popitem(last=False)
                self._store.settle(sku, ((row_key(sku, fact), row_value(fact)) for fact in state.facts()))
            yield

    def close(self) -> None:
        """Let go of the store. What was not acknowledged is not in it."""
        self._states.clear()
        self._store.close()


def _folded(sku: str, values: Iterable[bytes]) -> SkuState:
    state = SkuState(sku)
    for value in values:
        state.fold(fact_of(value))
    return state
