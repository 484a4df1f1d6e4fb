"""The oldest of many things that come and go: a heap whose outdated entries are skipped when they surface."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from domain.facts import Micros

_SLACK = 64  # outdated entries that are never worth a rebuild


class Ages:
    """Since when each of some names has been there. A change costs O(log n), memory follows the names present."""

    __slots__ = ("_heap", "_since")

    def __init__(self) -> None:
        self._since: dict[str, Micros] = {}
        self._heap: list[tuple[Micros, str]] = []

    def __len__(self) -> int:
        return len(self._since)

    def __contains__(self, name: str) -> bool:
        return name in self._since

    def since(self, name: str) -> Micros:
        """Since when the name has been there. Raises KeyError if it is not."""
        return self._since[name]

    def begin(self, name: str, at: Micros) -> None:
        """The name is there from ``at`` on; one that is there already keeps its own time."""
        if name in self._since:
            return
        self._since[name] = at
        if len(self._heap) > 2 * len(self._since) + _SLACK:
            self._heap = [(since, known) for known, since in self._since.items()]
            heapify(self._heap)
        else:
            heappush(self._heap, (at, name))

    def end(self, name: str) -> None:
        """The name is gone, if it was there."""
        self._since.pop(name, None)

    def oldest(self) -> Micros | None:
        """Since when the one has been there that is there longest; None: there is none."""
        while self._heap:
            at, name = self._heap[0]
            if self._since.get(name) == at:
                return at
            heappop(self._heap)
        return None
