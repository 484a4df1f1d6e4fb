"""The newest settled update of each listing, and what that makes of the next one.

An update is *settled* when its acknowledgement (ACCEPTED, REJECTED or UNKNOWN) is durable. A lower
``publish_seq`` than the settled one is never sent: that is what keeps an old value from overwriting a newer one
after a restart, a rebalance or a late write of a paused worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

from connectors.channels.base import Update
from domain.facts import Acknowledgement

ACCEPTED = "ACCEPTED"


class Standing(Enum):
    """How an update stands to what is settled for its listing."""

    NEW = "NEW"
    STALE = "STALE"
    ANSWERED = "ANSWERED"
    """The very update that the channel accepted: repeat the acknowledgement, not the call."""


class TooManyListings(Exception):
    """More listings than this process was told to remember."""


class LatestSettled:
    """The newest acknowledgement of each listing, for the partitions this process owns.

    Memory is bounded by ``max_listings``: forgetting a listing could let an old value through, so reaching the
    bound is an error and not an eviction.
    """

    def __init__(self, max_listings: int) -> None:
        self._max_listings = max_listings
        self._partitions: dict[int, dict[str, Acknowledgement]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def own(self, partition: int, settled: Iterable[Acknowledgement]) -> None:
        """Start to remember a partition, with what was settled before."""
        self.disown(partition)
        self._partitions[partition] = {}
        for acknowledgement in settled:
            self.settle(partition, acknowledgement)

    def disown(self, partition: int) -> None:
        """Forget a partition that another process owns now."""
        self._count -= len(self._partitions.pop(partition, {}))

    def settle(self, partition: int, acknowledgement: Acknowledgement) -> None:
        """Remember an acknowledgement if it is the newest of its listing.

        Of two for the same update ACCEPTED stays: an UNKNOWN that is answered later does not undo it.

        Raises ``TooManyListings``: the listing is new and there is no room for it.
        """
        known = self._partitions[partition]
        before = known.get(acknowledgement.listing)
        if before is None:
            if self._count >= self._max_listings:
                raise TooManyListings(
                    f"more than {self._max_listings} listings in the partitions of this sink: raise max_listings,"
                    " or start more sink processes so that each owns fewer partitions"
                )
            self._count += 1
        elif _rank(acknowledgement) <= _rank(before):
            return
        known[acknowledgement.listing] = acknowledgement

    def standing(self, partition: int, update: Update) -> Standing:
        """NEW must be sent, STALE dropped, ANSWERED acknowledged again."""
        settled = self.settled(partition, update.listing)
        if settled is None or update.publish_seq > settled.publish_seq:
            return Standing.NEW
        if update.publish_seq < settled.publish_seq:
            return Standing.STALE
        # Equal but rejected or unknown: the planner wants it tried again, and the idempotency key makes it safe.
        return Standing.ANSWERED if settled.outcome == ACCEPTED else Standing.NEW

    def settled(self, partition: int, listing: str) -> Acknowledgement | None:
        """The newest acknowledgement of a listing, or None."""
        return self._partitions.get(partition, _NONE).get(listing)

    def as_known(self, partition: int, update: Update) -> Update:
        """The update with what the channel accepted last: it may have been planned before that was answered."""
        settled = self.settled(partition, update.listing)
        if settled is None or settled.outcome != ACCEPTED:
            return update
        return update._replace(expected_previous=settled.quantity)


_NONE: Mapping[str, Acknowledgement] = {}


def _rank(acknowledgement: Acknowledgement) -> tuple[int, bool]:
    return (acknowledgement.publish_seq, acknowledgement.outcome == ACCEPTED)
