"""What the rows of a partition's positions say: what is settled, and what may be under way without an answer.

The newest acknowledgement of a listing is under the listing's key. Under a key of its own is the newest word on
its attempts: one had no answer (UNKNOWN), or the listing was in no doubt any more (ACCEPTED). So compaction never
lets one take the other's place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from connectors.channels.doubts import MOST_QUANTITIES
from domain.facts import Acknowledgement, Micros
from domain.listings import ACCEPTED, UNKNOWN

ATTEMPT = b"\x00attempt "
"""What the key of a word on attempts begins with; the listing follows."""
MOST_UNRESOLVED = 20_000
"""Listings of a partition whose attempts without answer are remembered, those that come last."""


class Unresolved(NamedTuple):
    """Attempts of one listing that had no answer, in the order of their rows, and what was accepted of it last."""

    unanswered: Sequence[Acknowledgement]
    accepted: Acknowledgement | None


@dataclass(slots=True)
class Positions:
    """Takes rows in the order in which they were written. Attempts before ``since`` are left out."""

    since: Micros
    _newest: dict[str, Acknowledgement] = field(default_factory=dict)
    _accepted: dict[str, Acknowledgement] = field(default_factory=dict)
    _unanswered: dict[str, list[Acknowledgement]] = field(default_factory=dict)

    def settle(self, row: Acknowledgement) -> None:
        """An update is settled. The newest is decided by ``publish_seq``; of two for the same one the later stays.

        What was accepted last is kept besides where something else is newer.
        """
        known, older = self._newest.get(row.listing), row
        if known is None or _rank(row) >= _rank(known):
            self._newest[row.listing] = row
            if known is None:
                return
            older = known
        if self._newest[row.listing].outcome == ACCEPTED:
            self._accepted.pop(row.listing, None)
        elif older.outcome == ACCEPTED:
            before = self._accepted.get(row.listing)
            if before is None or older.publish_seq >= before.publish_seq:
                self._accepted[row.listing] = older

    def note(self, row: Acknowledgement) -> None:
        """An attempt had no answer, or the attempts until then are over.

        Until then, and not all before this row: a sink that lost the partition may have written it late.
        """
        rows = self._unanswered.pop(row.listing, [])
        if row.outcome != UNKNOWN:
            rows = [one for one in rows if one.occurred_at > row.occurred_at]
        elif row.occurred_at >= self.since:
            rows.append(row)
        if rows:
            self._unanswered[row.listing] = rows[-MOST_QUANTITIES:]
            if len(self._unanswered) > MOST_UNRESOLVED:
                del self._unanswered[next(iter(self._unanswered))]

    def settled(self) -> list[Acknowledgement]:
        """The newest acknowledgement of each listing."""
        return list(self._newest.values())

    def unresolved(self) -> list[Unresolved]:
        """The listings with attempts that had no answer, the last ones first."""
        return [Unresolved(rows, self._accepted_last(one)) for one, rows in reversed(self._unanswered.items())]

    def _accepted_last(self, listing: str) -> Acknowledgement | None:
        newest = self._newest.get(listing)
        return newest if newest is not None and newest.outcome == ACCEPTED else self._accepted.get(listing)


def _rank(row: Acknowledgement) -> tuple[int, bool]:
    return (row.publish_seq, row.outcome == ACCEPTED)
