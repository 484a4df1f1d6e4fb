"""One walk over the listings of a channel, in order and in steps: what a full sync has not told yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from domain.facts import Micros
from domain.full_sync import InOrder, owed
from domain.planner import Planner

LOOKED_AT_PER_STEP = 1_000
"""Listings looked at in one step: a millisecond or two."""

Debt = tuple[str, int]
"""A listing, and the ``publish_seq`` above which it should have been told."""


class Pass:
    """One walk over the listings of a channel, for partitions with the ``began_seq`` of their full syncs."""

    def __init__(self, planner: Planner, began: dict[int, int], partition_of: Mapping[str, int]) -> None:
        self.began = began
        self.ids = InOrder(planner.listings)
        self.counted: Counter[int] = Counter()
        self._planner = planner
        self._partition_of = partition_of
        self._found: list[Debt] = []
        self.is_over = False

    def debts(self, most: int) -> list[Debt]:
        """Up to so many of the next listings that were not told since; what was told meanwhile is left out."""
        self._found = [debt for debt in self._found if self._is_owed(*debt)]
        return self._found[:most]

    def look_on(self, most: int) -> Iterator[None]:
        """Go on until so many are known, in steps."""
        while not self.is_over and len(self._found) < most:
            if self.ids.are_sorted:
                self._look_at_some(most)
            else:
                self.ids.sort_some()
            yield

    def _look_at_some(self, most: int) -> None:
        for _ in range(LOOKED_AT_PER_STEP):
            listing = next(self.ids, None)
            if listing is None:
                self.is_over = True
                return
            partition = self._partition_of.get(listing, -1)
            began = self.began.get(partition)
            if began is None or listing not in self._planner.listings:
                continue
            self.counted[partition] += 1
            if self._is_owed(listing, began):
                self._found.append((listing, began))
                if len(self._found) >= most:
                    return

    def _is_owed(self, listing: str, began: Micros) -> bool:
        row = self._planner.listings.get(listing)
        if row is None or self._partition_of.get(listing, -1) not in self.began:
            return False
        return owed(row, began) is not None

    @property
    def remaining(self) -> int:
        """Listings still to be looked at or told, of all partitions."""
        return self.ids.remaining + len(self._found)
