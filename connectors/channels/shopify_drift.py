"""What a sink has found out about items that drifted, kept until they are set.

An attempt that is broken off for lack of points begins anew. Without this it would spend them on the same things
again, and with little to spend never get on. Nothing here is believed: a value that is set is compared first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_ITEMS = 10_000


@dataclass(slots=True)
class Drifted:
    """Items that showed another quantity than was expected. Keeps the ``most`` that drifted last."""

    most: int = MOST_ITEMS
    _shown: dict[str, int | None] = field(init=False, default_factory=dict)

    def is_unread(self, item: str) -> bool:
        """Whether it drifted and was not read since: to set it is in vain."""
        return item in self._shown and self._shown[item] is None

    def shown(self, item: str) -> int | None:
        """What it showed when it was read last; None: it was not."""
        return self._shown.get(item)

    def found(self, item: str, shown: int | None) -> None:
        """It drifted. ``shown``: what was read; None: that is to be done."""
        self._shown.pop(item, None)
        self._shown[item] = shown
        if len(self._shown) > self.most:
            del self._shown[next(iter(self._shown))]

    def forget(self, item: str) -> None:
        """It was set, or will not be."""
        self._shown.pop(item, None)
