"""SKUs whose measured guards change without an event: as their sales get older, and as channels react differently.

They are assessed again a few at a time, so that thousands of them do not hold up what events touch.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from domain.availability import tally_of
from domain.facts import Micros
from domain.guarding import guards_change_at, guards_of
from domain.policy import Policy
from domain.state import SkuState


class Selling:
    """The SKUs of one partition that sold within a day on a channel with a service level."""

    def __init__(self) -> None:
        self._change_at: dict[str, Micros] = {}
        self._next: Micros | None = None
        self._reactions: Mapping[str, Micros] = {}
        self._queue: dict[str, None] = {}

    def guards(
        self, state: SkuState, policy: Policy, reactions: Mapping[str, Micros], now: Micros
    ) -> Mapping[str, int]:
        """The guards of a SKU that is being assessed, by channel; from now on it is watched while it sells."""
        sums = tally_of(state, policy)
        if sums.sales is None:
            return _NO_GUARDS
        at = guards_change_at(sums, now)
        if at is None:
            self._change_at.pop(state.sku, None)
        else:
            self._change_at[state.sku] = at
            self._next = at if self._next is None else min(self._next, at)
        return guards_of(sums, reactions, now)

    def due(self, now: Micros, reactions: Mapping[str, Micros], most: int) -> list[str]:
        """Up to ``most`` SKUs to assess again. Those that wait longer come first."""
        if self._next is not None and (now >= self._next or reactions != self._reactions):
            self._queue.update(dict.fromkeys(self._change_at))
            self._next = min((at for at in self._change_at.values() if at > now), default=None)
            self._reactions = dict(reactions)
        taken = list(islice(self._queue, most))
        for sku in taken:
            del self._queue[sku]
        return taken

    def next_wake(self) -> Micros | None:
        """When ``due`` has something to say by the clock: 0 for now, None for never."""
        return 0 if self._queue else self._next


_NO_GUARDS: Mapping[str, int] = {}
