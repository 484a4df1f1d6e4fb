"""A list of things to happen in order of time; what happens may put more on the list."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from domain.facts import Micros


class Agenda:
    """A simulated clock. ``now`` is the time of what is happening, in microseconds since the epoch."""

    def __init__(self, starts_at: Micros) -> None:
        self.now = starts_at
        self._entries: list[tuple[Micros, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, time: Micros, action: Callable[[], None]) -> None:
        """Let it happen at ``time``, or now when that is past. Equal times keep the order of the calls."""
        self._count += 1
        heappush(self._entries, (max(time, self.now), self._count, action))

    def after(self, delay: Micros, action: Callable[[], None]) -> None:
        """Let it happen ``delay`` microseconds from now."""
        self.at(self.now + delay, action)

    def run(self, until: Micros) -> None:
        """Let everything happen that is due by ``until``; what is later stays undone."""
        while self._entries and self._entries[0][0] <= until:
            self.now, _, action = heappop(self._entries)
            action()
        self.now = until
