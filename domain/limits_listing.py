"""A cap on how often each listing may be revised in a day, with room kept for stop-sells, and counts that merge.

Each life of a process has a count of its own for each listing, which only that life raises. What a listing has
used is the sum over lives; two who know different things merge them by the higher count of each life. So nothing
is counted twice, however often it is told, and nothing that anybody still knows is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.facts import SECOND, Micros

DAY: Micros = 86_400 * SECOND


@dataclass(slots=True)
class DailyRevisions:
    """``revisions`` of one listing in a day; the last ``kept_for_stop_sells`` of them only for class P0.

    A day begins ``day_starts`` after midnight UTC. ``life`` names this life of the process. Memory holds at most
    ``max_listings``, those revised that day; a listing beyond is refused, except to stop-sells.

    A revision is reserved before the channel is asked. One that was not used stays ours: the next attempt for the
    listing uses it. So counts only grow, and are never below what was asked of the channel.

    Raises ``ValueError``: nothing would be left for anything but stop-sells.
    """

    revisions: int
    kept_for_stop_sells: int
    day_starts: Micros = 0
    max_listings: int = 2_000_000
    life: str = "own"
    day: int = field(init=False, default=0)
    listings: list[str] = field(init=False, default_factory=list)
    """Those with counts today, in the order in which they became known."""
    _own: dict[str, int] = field(init=False, default_factory=dict)
    _others: dict[str, dict[str, int]] = field(init=False, default_factory=dict)
    _unused: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        if not 0 <= self.kept_for_stop_sells < self.revisions:
            raise ValueError(
                f"of {self.revisions} revisions a day {self.kept_for_stop_sells} cannot be kept for stop-sells"
            )

    # -- the day

    def turn(self, now: Micros) -> None:
        """Forget the counts of the day before when ``now`` is of another one."""
        day = (now - self.day_starts) // DAY
        # A clock that was set back does not give a day anew.
        if day > self.day:
            self.day = day
            self.listings, self._own, self._others, self._unused = [], {}, {}, set()

    def ends(self) -> Micros:
        """When the day ends, and a refused listing may be revised again."""
        return (self.day + 1) * DAY + self.day_starts

    # -- the decision

    def most(self, stop_sell: bool) -> int:
        """How many revisions of a listing there may have been after one of this class."""
        return self.revisions if stop_sell else self.revisions - self.kept_for_stop_sells

    def target(self, listing: str) -> int:
        """Our own count if the listing is revised once more."""
        return self._own.get(listing, 0) + (listing not in self._unused)

    def allows(self, listing: str, stop_sell: bool) -> bool:
        """Whether the listing may be revised once more today, by all that we know."""
        if not self.has_room(listing):
            return stop_sell
        others = sum(self._others[listing].values()) if listing in self._others else 0
        return others + self.target(listing) <= self.most(stop_sell)

    def has_room(self, listing: str) -> bool:
        """Whether the listing can be counted."""
        return listing in self._own or listing in self._others or len(self.listings) < self.max_listings

    # -- what happened

    def reserve(self, listing: str) -> None:
        """The listing is to be revised once more. Must be allowed, by us or by whoever keeps the sum."""
        if self.has_room(listing):
            target = self.target(listing)
            self._know(listing)
            self._own[listing] = target
            self._unused.add(listing)

    def is_reserved(self, listing: str) -> bool:
        """Whether a revision of the listing is reserved and not used yet."""
        return listing in self._unused

    def used(self, listing: str) -> None:
        """The channel was asked to revise the listing, whatever it answered."""
        self._unused.discard(listing)

    def counts(self, listing: str) -> dict[str, int]:
        """What we know of the listing: revisions by life."""
        own = self._own.get(listing, 0)
        return self._others.get(listing, {}) | ({self.life: own} if own else {})

    def heard(self, listing: str, counts: Mapping[str, int]) -> None:
        """Somebody knows these revisions of the listing of today."""
        others = {life: count for life, count in counts.items() if life != self.life and count > 0}
        if others and self.has_room(listing):
            self._know(listing)
            known = self._others.setdefault(listing, {})
            for life, count in others.items():
                known[life] = max(known.get(life, 0), count)

    def _know(self, listing: str) -> None:
        if listing not in self._own and listing not in self._others:
            self.listings.append(listing)
