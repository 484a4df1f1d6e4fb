"""A full sync: every listing of a channel is told once more, in the order of ids, with nothing but spare budget.

It is known per channel and partition by the number that an update would have had when it began. Which listings it
has told is in their own rows: those with a higher ``publish_seq``. So whoever owns the partition next goes on with
it by beginning at the first id again, and passes over what was told. Clocks only say when one is due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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

    def begin(self, now: Micros, seq: int) -> FullSync:
        """Another one begins."""
        return self._replace(began=now, began_seq=seq, under_way=True)

    def complete(self, now: Micros, listings: int) -> FullSync:
        """Every listing was told."""
        return FullSync(self.began, self.began_seq, False, self.began, now, listings)

    def not_after(self, now: Micros) -> FullSync:
        """The same if nothing happened after ``now``: such times are of a clock that was ahead."""
        return self if self.began <= now else self._replace(began=now)


class Schedule(NamedTuple):
    """When full syncs of a channel begin: ``every`` so long after the last one began (0: not by the clock), and
    once at or after ``asked_at`` (None: nobody asked).
    """

    every: Micros = 0
    asked_at: Micros | None = None

    def due_at(self, row: FullSync | None) -> Micros | None:
        """When there is something to do in a partition; None: never. What is under way is always due."""
        if row is None:
            return 0 if self.every else self.asked_at
        if row.under_way:
            return row.began
        dues = [row.began + self.every] if self.every else []
        if self.asked_at is not None and row.began < self.asked_at:
            dues.append(self.asked_at)
        return min(dues, default=None)

    def asks_again_at(self, row: FullSync) -> Micros | None:
        """From when on one is asked for that begins later than this one; None: not."""
        return self.asked_at if self.asked_at is not None and row.began < self.asked_at else None

    def step(self, row: FullSync | None, now: Micros, next_seq: Callable[[], int]) -> FullSync | None:
        """The row of a partition from ``now`` on; None: nothing is to be done there.

        One that is under way goes on, or begins anew if it was asked for since it began: so everything is told
        after that instant, and what the former had not told yet is told once.
        """
        due_at = self.due_at(row)
        if due_at is None or due_at > now:
            return None
        is_asked = self.asked_at is not None and self.asked_at <= now
        if row is None:
            return FullSync(now, next_seq(), under_way=is_asked)
        again_at = self.asks_again_at(row)
        if row.under_way and (again_at is None or again_at > now):
            return row
        return row.begin(now, next_seq())


NEVER = Schedule()


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
