"""Reserving revisions that several processes count together: what to ask whoever keeps the sum, and what follows.

The store of the sum merges counts as ``domain.limits_listing`` does. While it does not answer, what we know
decides: our own counts, and those of others as far as we heard of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from domain.limits_listing import DailyRevisions
from domain.limits_untold import Telling, Untold


class Verdict(IntEnum):
    """What the store says of a listing."""

    REFUSED = 0
    GRANTED = 1
    FULL = 2
    """It has counts of too many listings, and did not count this one."""


class Question(NamedTuple):
    """What is asked about a listing, and what is told: ``known``, revisions by life.

    Asked for is a revision that makes our count ``target``, and all counts together at most ``most``. 0: none.
    """

    target: int
    most: int
    known: Mapping[str, int]


class Told(NamedTuple):
    """What the store says of a listing: its verdict, and revisions by life."""

    verdict: Verdict
    counts: Mapping[str, int]


class Answers(NamedTuple):
    """What the store said. ``epoch``: a word that it keeps for as long as it has not forgotten the day."""

    epoch: str
    told: Mapping[str, Told]


NOTHING: Mapping[str, Told] = {}


@dataclass(slots=True)
class SharedCounts:
    """What one life knows of ``revisions``, and what of it the store may not know."""

    revisions: DailyRevisions
    untold: Untold = field(init=False)
    _epoch: tuple[int, str] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.untold = Untold(self.revisions)

    def questions(self, wanted: Mapping[str, bool]) -> dict[str, Question]:
        """What to ask so that each of ``wanted`` is revised once more. The values: whether it is a stop-sell."""
        known = self.revisions
        return {
            listing: Question(known.target(listing), known.most(stop_sell), known.counts(listing))
            for listing, stop_sell in wanted.items()
            if not known.is_reserved(listing) and known.has_room(listing)
        }

    def telling(self, most: int) -> Telling:
        """What the store is to be told next, of up to ``most`` listings; ``untold.told`` must follow."""
        return self.untold.some(most)

    def answered(self, day: int, answers: Answers) -> None:
        """The store answered questions, or was told something, of this day."""
        if day != self.revisions.day:
            return
        if self._epoch is not None and self._epoch[0] == day and self._epoch[1] != answers.epoch:
            self.untold.everything()
        self._epoch = day, answers.epoch
        for listing, told in answers.told.items():
            self.revisions.heard(listing, told.counts)

    def reserve(self, wanted: Mapping[str, bool], told: Mapping[str, Told] = NOTHING) -> frozenset[str]:
        """Those of which a revision is reserved now. ``told``: the store's answers; none: it does not answer."""
        return frozenset(
            listing
            for listing, stop_sell in wanted.items()
            if self._reserve(listing, stop_sell, told.get(listing))
        )

    def _reserve(self, listing: str, stop_sell: bool, told: Told | None) -> bool:
        known = self.revisions
        if told is not None and told.verdict is Verdict.GRANTED:
            known.reserve(listing)
            return True
        if told is not None and (told.verdict is Verdict.REFUSED or not stop_sell):
            return False
        if not known.allows(listing, stop_sell):
            return False
        if not known.is_reserved(listing):
            known.reserve(listing)
            self.untold.counted_alone(listing)
        return True
