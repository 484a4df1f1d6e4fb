"""Three ways to break the guarantee: patches on the real worker before it starts. The product has no hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tables.facts
from domain.facts import Fact, FactKey, fact_key
from domain.state import SkuState
from streams.data_plane.epoch import Epochs
from streams.data_plane.membership import Membership, NotMember
from streams.data_plane.settings import PlaneSettings
from tables.rows import fact_of

_PATIENCE_S = 120.0
"""Longer than any pause."""


def commit_first() -> None:
    """Offsets are committed before what they caused is written, let alone acknowledged."""
    hand_over = Epochs._hand_over

    async def committing_first(self: Epochs, slices: Iterable[Sequence[Any]]) -> int:
        offsets = self._ledger.committable()
        if offsets:
            await self._commit_if_member(offsets)
        return await hand_over(self, slices)

    Epochs._hand_over = committing_first  # type: ignore[method-assign]  # that is the point


def last_writer_wins() -> None:
    """Recovery believes the last row of a key, as tables with a key-value store do."""

    def last_rows(sku: str, values: Iterable[bytes]) -> SkuState:
        last: dict[FactKey, Fact] = {}
        for value in values:
            fact = fact_of(value)
            last[fact_key(fact)] = fact
        state = SkuState(sku)
        for fact in last.values():
            state.fold(fact)
        return state

    if not hasattr(tables.facts, "_folded"):
        raise LookupError("tables.facts folds recovered rows elsewhere now: break that place")
    tables.facts._folded = last_rows


def no_fencing() -> None:
    """A worker believes to be a member until the group tells it otherwise, and what it queued does not expire."""

    def check(self: Membership) -> None:
        if self._confirmed is None:
            raise NotMember("not a member of the group at present")

    def age_s(self: Membership) -> float:
        return 0.0

    patient = property(lambda _settings: _PATIENCE_S)
    PlaneSettings.message_timeout_s = patient  # type: ignore[method-assign,assignment]  # that is the point
    PlaneSettings.produce_margin_s = patient  # type: ignore[method-assign,assignment]  # that is the point
    Membership.check = check  # type: ignore[method-assign]  # that is the point
    Membership.age_s = age_s  # type: ignore[method-assign]  # that is the point


BUILDS: dict[str, Callable[[], None]] = {
    "commit-first": commit_first,
    "last-writer-wins": last_writer_wins,
    "no-fencing": no_fencing,
}
"""By the name on the command line."""
