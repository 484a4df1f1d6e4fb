"""Which counts a store has still to be told: those made without it, and all of them once it has forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from domain.limits_listing import DailyRevisions


class Telling(NamedTuple):
    """Some counts of ``day``, by listing and life; ``place`` in the order of listings, if all are told again."""

    counts: Mapping[str, Mapping[str, int]]
    place: int | None
    day: int


@dataclass(slots=True)
class Untold:
    """What of ``revisions`` the store may not know. Nothing here takes longer the more listings there are.

    Of a store that forgot everything only a place is kept: the listings before it were told again.
    """

    revisions: DailyRevisions
    _alone: dict[str, None] = field(init=False, default_factory=dict)
    _place: int | None = field(init=False, default=None)
    _day: int = field(init=False, default=0)

    def counted_alone(self, listing: str) -> None:
        """The listing was counted without the store."""
        self._turn()
        self._alone[listing] = None

    def everything(self) -> None:
        """The store may know nothing of what it was told."""
        self._turn()
        self._place = 0

    def some(self, most: int) -> Telling:
        """The counts of up to ``most`` listings to tell next; without any, the store knows all that we know."""
        self._turn()
        place = None if self._alone else self._place
        listings = list(islice(self._alone, most))
        if place is not None:
            listings = self.revisions.listings[place : place + most]
        return Telling({one: self.revisions.counts(one) for one in listings}, place, self._day)

    def told(self, telling: Telling) -> None:
        """The store has been told this."""
        self._turn()
        if telling.day != self._day:
            return
        if telling.place is not None and telling.place == self._place:
            after = telling.place + len(telling.counts)
            self._place = after if after < len(self.revisions.listings) else None
        life = self.revisions.life
        for listing, counts in telling.counts.items():
            # It may have been counted alone once more meanwhile.
            if counts.get(life) == self.revisions.counts(listing).get(life):
                self._alone.pop(listing, None)

    def _turn(self) -> None:
        """Nobody needs to be told of another day's counts."""
        if self._day != self.revisions.day:
            self._day, self._place = self.revisions.day, None
            self._alone.clear()
