"""Which listing is next: those that may be told now, by urgency, and those to look at again at a later time.

Two heaps whose outdated entries are skipped when they surface. When most entries are outdated the heap is rebuilt,
so that memory follows the listings that are on the agenda, not how often they changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from domain.facts import Micros
from domain.listings import PRIORITIES, Step

_SLACK = 64  # outdated entries that are never worth a rebuild


class Agenda:
    """For each listing at most one step that may be told now, and at most one time to look again."""

    def __init__(self) -> None:
        self._ready: list[tuple[str, Micros, str]] = []
        self._steps: dict[str, Step] = {}
        self._waiting: list[tuple[Micros, str]] = []
        self._wakes: dict[str, Micros] = {}
        self.backlog: dict[str, int] = dict.fromkeys(PRIORITIES, 0)

    def __len__(self) -> int:
        """How many listings may be told now."""
        return len(self._steps)

    def put(self, listing: str, step: Step | None, look_again: Micros | None) -> None:
        """Replace what is known about a listing."""
        before = self._steps.get(listing)
        if before != step:
            if before is not None:
                self._remove_step(listing)
            if step is not None:
                self._steps[listing] = step
                self.backlog[step.priority] += 1
                if before is None or before[:2] != step[:2]:
                    self._push_ready((step.priority, step.since, listing))
        if self._wakes.get(listing) != look_again:
            if look_again is None:
                del self._wakes[listing]
            else:
                self._wakes[listing] = look_again
                self._push_waiting((look_again, listing))

    def wake(self, now: Micros) -> Iterator[str]:
        """Take off the listings whose time to look again has come. The caller puts them back as they are now."""
        while self._waiting and self._waiting[0][0] <= now:
            at, listing = heappop(self._waiting)
            if self._wakes.get(listing) == at:
                del self._wakes[listing]
                yield listing

    def take(self) -> tuple[str, Step] | None:
        """Take off the most urgent step: by class, then age, then listing."""
        while self._ready:
            priority, since, listing = heappop(self._ready)
            step = self._steps.get(listing)
            if step is not None and step.priority == priority and step.since == since:
                self._remove_step(listing)
                return listing, step
        return None

    def next_wake(self) -> Micros | None:
        """When the next listing must be looked at again; None: not by the clock."""
        while self._waiting:
            at, listing = self._waiting[0]
            if self._wakes.get(listing) == at:
                return at
            heappop(self._waiting)
        return None

    def _remove_step(self, listing: str) -> None:
        self.backlog[self._steps.pop(listing).priority] -= 1

    def _push_ready(self, entry: tuple[str, Micros, str]) -> None:
        if len(self._ready) > 2 * len(self._steps) + _SLACK:
            self._ready = [(step.priority, step.since, listing) for listing, step in self._steps.items()]
            heapify(self._ready)
        else:
            heappush(self._ready, entry)

    def _push_waiting(self, entry: tuple[Micros, str]) -> None:
        if len(self._waiting) > 2 * len(self._wakes) + _SLACK:
            self._waiting = [(at, listing) for listing, at in self._wakes.items()]
            heapify(self._waiting)
        else:
            heappush(self._waiting, entry)
