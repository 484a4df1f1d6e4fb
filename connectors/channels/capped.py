"""A cap on revisions around a channel's sink: no update is sent whose listing was revised too often today.

A revision is reserved before the sink makes its call, because afterwards it is too late to ask. One that a call
did not use (the channel took nothing, or there was no token for the call) is used by the next attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from connectors.channels.base import ChannelSink, Limits, Outcome, Result, Update, same_answer
from connectors.channels.partly import answer_the_rest
from domain.facts import Micros
from domain.limits_listing import DailyRevisions
from domain.listings import P0

USED_UP = "DAILY_REVISIONS_USED_UP"
_NO_REVISION = (Outcome.RETRY, Outcome.SPLIT, Outcome.LATER)


class Revisions(Protocol):
    """Counts revisions of listings in a day, whoever else makes some."""

    async def open(self) -> None:
        """Begin to count. Waits for nobody."""
        ...

    async def reserve(self, wanted: Mapping[str, bool]) -> frozenset[str]:
        """Those of which a revision is reserved now. The values of ``wanted``: whether it is a stop-sell.

        Called by one task at a time.
        """
        ...

    def used(self, listing: str) -> None:
        """The channel was asked to make the revision that was reserved."""
        ...

    async def close(self) -> None:
        """Safe to call twice, and without ``open``."""
        ...


class OwnRevisions:
    """The count of a process that shares it with nobody, from its start on. ``wall_clock``: since the epoch."""

    def __init__(self, revisions: DailyRevisions, wall_clock: Callable[[], Micros]) -> None:
        self._revisions = revisions
        self._wall_clock = wall_clock

    async def open(self) -> None:
        """Nothing to do."""

    async def reserve(self, wanted: Mapping[str, bool]) -> frozenset[str]:
        """As far as this process knows."""
        self._revisions.turn(self._wall_clock())
        allowed = [one for one, stop_sell in wanted.items() if self._revisions.allows(one, stop_sell)]
        for listing in allowed:
            self._revisions.reserve(listing)
        return frozenset(allowed)

    def used(self, listing: str) -> None:
        """The revision was made, or may have been."""
        self._revisions.used(listing)

    async def close(self) -> None:
        """Nothing to do."""


class CappedSink:
    """A sink that sends only what may be revised today; the rest it rejects, for today."""

    def __init__(self, sink: ChannelSink, revisions: Revisions) -> None:
        self._sink = sink
        self._revisions = revisions

    @property
    def limits(self) -> Limits:
        """What one call may carry."""
        return self._sink.limits

    async def open(self) -> None:
        """Open both. Raises ``ChannelUnusable``."""
        await self._sink.open()
        await self._revisions.open()

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        """Make one attempt with what may be revised."""
        allowed = await self._revisions.reserve({update.listing: update.priority == P0 for update in batch})
        carried = [update for update in batch if update.listing in allowed]
        refused = [update for update in batch if update.listing not in allowed]
        known = {result.listing: result for result in same_answer(refused, Outcome.REJECTED, USED_UP)}
        return answer_the_rest(batch, known, await self._send(carried) if carried else ())

    async def close(self) -> None:
        """Close both; the sink first, so that whatever it did is counted."""
        await self._sink.close()
        await self._revisions.close()

    async def _send(self, carried: Sequence[Update]) -> Sequence[Result]:
        try:
            results = await self._sink.send(carried)
        except BaseException:
            for update in carried:
                self._revisions.used(update.listing)  # as far as anybody can know
            raise
        for result in results:
            if result.outcome not in _NO_REVISION:
                self._revisions.used(result.listing)
        return results
