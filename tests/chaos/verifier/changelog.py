"""The changelog of the facts: rows as they lie in the log, and the states that they merge to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from domain.facts import Balance, Fact, preferred
from domain.state import SkuState
from domain.units import newness, unit_of
from schemas.topics import FACTS_CHANGELOG
from tables.rows import fact_of
from tests.chaos.verifier.logs import Logs

RowKey: TypeAlias = bytes


class Row(NamedTuple):
    """One row: ``fact`` None is a tombstone."""

    partition: int
    offset: int
    fact: Fact | None


class Changelog:
    """All rows by SKU and key, in offset order; a SKU has one partition, so that order is the order of writing."""

    def __init__(self, logs: Logs) -> None:
        self.rows: dict[str, dict[RowKey, list[Row]]] = defaultdict(lambda: defaultdict(list))
        for record in logs.all_of(FACTS_CHANGELOG.name):
            key = record.key or b""
            fact = None if record.value is None else fact_of(record.value)
            sku = key.partition(b"\0")[0].decode()
            self.rows[sku][key].append(Row(record.partition, record.offset, fact))

    def state(self, sku: str) -> SkuState:
        """What every row since the last tombstone of its key merges to."""
        state = SkuState(sku)
        for rows in self.rows[sku].values():
            for fact in _standing(rows):
                state.fold(fact)
        return state

    def forgotten(self, sku: str) -> set[RowKey]:
        """Keys that were removed at some time."""
        return {key for key, rows in self.rows[sku].items() if any(row.fact is None for row in rows)}

    def written(self, sku: str, key: RowKey, fact: Fact) -> tuple[int, bool] | None:
        """From which offset on the log knows the fact, or that it does not count; and whether it is the fact.

        A fact does not count when one with the same key is preferred to it, or when two newer balances of its
        bucket are known. None: the log knows nothing of it.
        """
        rows = [row for row in self.rows[sku].get(key, ()) if row.fact is not None]
        same = [row.offset for row in rows if row.fact == fact]
        if same:
            return same[0], True
        better = [row.offset for row in rows if row.fact is not None and preferred(row.fact, fact) == row.fact]
        if better:
            return better[0], False
        if isinstance(fact, Balance):
            newer = sorted(self._newer_balances(sku, fact))
            return (newer[1], False) if len(newer) > 1 else None
        return None

    def _newer_balances(self, sku: str, balance: Balance) -> Iterator[int]:
        unit, rank = unit_of(balance), newness(balance)
        for rows in self.rows[sku].values():
            offsets = [
                row.offset
                for row in rows
                if isinstance(row.fact, Balance) and unit_of(row.fact) == unit and newness(row.fact) > rank
            ]
            if offsets:
                yield offsets[0]


def _standing(rows: list[Row]) -> list[Fact]:
    facts: list[Fact] = []
    for row in rows:
        facts = [] if row.fact is None else [*facts, row.fact]
    return facts
