"""A cap on how often each listing may be revised in a day, with room kept for stop-sells."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from domain.facts import SECOND, Micros

DAY: Micros = 86_400 * SECOND


@dataclass(slots=True)
class DailyRevisions:
    """``revisions`` of one listing in a day; the last ``kept_for_stop_sells`` of them only for class P0.

    A day begins ``day_starts`` after midnight UTC. Memory holds at most the ``max_listings`` revised that day; a
    listing beyond is refused, except to stop-sells.

    Raises ``ValueError``: nothing would be left for anything but stop-sells.
    """

    revisions: int
    kept_for_stop_sells: int
    day_starts: Micros = 0
    max_listings: int = 2_000_000
    _day: int = field(init=False, default=0)
    _used: Counter[str] = field(init=False, default_factory=Counter)

    def __post_init__(self) -> None:
        if not 0 <= self.kept_for_stop_sells < self.revisions:
            raise ValueError(
                f"of {self.revisions} revisions a day {self.kept_for_stop_sells} cannot be kept for stop-sells"
            )

    def allows(self, listing: str, now: Micros, stop_sell: bool) -> bool:
        """Whether the listing may be revised once more on the day of ``now``."""
        self._turn(now)
        if listing not in self._used and len(self._used) >= self.max_listings:
            return stop_sell
        return self._used[listing] < self.revisions - (0 if stop_sell else self.kept_for_stop_sells)

    def count(self, listing: str, now: Micros) -> None:
        """The channel was asked to revise the listing, whatever it answered."""
        self._turn(now)
        if listing in self._used or len(self._used) < self.max_listings:
            self._used[listing] += 1

    def next_day(self, now: Micros) -> Micros:
        """When a refused listing may be revised again."""
        return ((now - self.day_starts) // DAY + 1) * DAY + self.day_starts

    def _turn(self, now: Micros) -> None:
        day = (now - self.day_starts) // DAY
        # A clock that was set back does not give a day anew.
        if day > self._day:
            self._day = day
            self._used.clear()
