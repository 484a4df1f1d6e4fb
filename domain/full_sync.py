"""A full sync: every listing of a channel is told once more, in the order of ids, with nothing but spare budget.

It is known per channel and partition by the number that an update would have had when it began. Which listings it
has told is in their own rows: those with a higher ``publish_seq``. So whoever owns the partition next goes on with
it by beginning at the first id again, and passes over what was told. Clocks only say when one is due.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from typing import NamedTuple

from domain.facts import Micros
from domain.listings import Listing

SORTED_PER_STEP = 2_000
"""Ids put in order in one step: about a millisecond."""


class FullSync(NamedTuple):
    """The newest full sync of one channel in one partition, and what the last complete one says.

    Updates above ``began_seq`` are of this one or newer. ``began`` counts from the first sight of a channel as
    well, as if one had just been made. ``complete_since`` is the completeness marker: each of the ``listings``
    there were was told since then, which was known at ``completed_at``; None: none was completed yet.
    """

    began: Micros
    began_seq: int
    under_way: bool = False
    complete_since: Micros | None = None
    completed_at: Micros | None = None
    listings: int = 0

    def due_at(self, every: Micros) -> Micros:
        """When there is something to do for it; one under way is always due."""
        return self.began if self.under_way else self.began + every

    def begin(self, now: Micros, seq: int) -> FullSync:
        """Another one begins."""
        return self._replace(began=now, began_seq=seq, under_way=True)

    def complete(self, now: Micros, listings: int) -> FullSync:
        """Every listing was told."""
        return FullSync(self.began, self.began_seq, False, self.began, now, listings)

    def not_after(self, now: Micros) -> FullSync:
        """The same if nothing happened after ``now``: such times are of a clock that was ahead."""
        return self if self.began <= now else self._replace(began=now)


def joined(one: FullSync, other: FullSync) -> FullSync:
    """Of two rows the one that is further; a maximum in a total order, so stale rows do no harm."""
    return one if _rank(one) >= _rank(other) else other


def _rank(row: FullSync) -> tuple[int, ...]:
    since, at = (-1 if time is None else time for time in (row.complete_since, row.completed_at))
    return row.began_seq, not row.under_way, row.began, since, at, row.listings


def owed(listing: Listing, began_seq: int) -> int | None:
    """What a full sync tells of the listing; None when it was told since, or there is nothing to tell.

    A rise that waits for its debounce goes on waiting; until then the channel hears the last value.
    """
    if listing.publish_seq > began_seq:
        return None
    if listing.rise_since is not None or listing.desired is None:
        return listing.last_quantity
    return listing.desired


class InOrder(Iterator[str]):
    """Ids in order, sorted in steps so that a million of them keep nobody waiting; read when ``are_sorted``."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._unsorted = list(ids)
        self._runs: list[list[str]] = []
        self._sorted: Iterator[str] = iter(())
        self.remaining = len(self._unsorted)

    @property
    def are_sorted(self) -> bool:
        """Whether no step of sorting is left."""
        return not self._unsorted

    def sort_some(self) -> None:
        """One step. The sorted runs are merged as they are read."""
        run = sorted(self._unsorted[-SORTED_PER_STEP:])
        del self._unsorted[-SORTED_PER_STEP:]
        self._runs.append(run)
        if not self._unsorted:
            self._sorted, self._runs = merge(*self._runs), []

    def __next__(self) -> str:
        found = next(self._sorted)
        self.remaining -= 1
        return found
