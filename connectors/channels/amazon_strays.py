"""Feeds that nobody here waits for, and that may still overwrite what is sent now: found, withdrawn, seen to end.

They are what a process left behind that ended with feeds unfinished, and feeds whose creation was not answered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from connectors.channels.amazon_calls import IN_PROGRESS, IN_QUEUE, Failed, FeedCalls

log = logging.getLogger(__name__)

GET_FEEDS_PACE_S = 45.0
"""getFeeds: 0.0222 calls a second (usage plan in the Feeds API model)."""
FULL_PAGE = 100


class StrayFeeds:
    """Looks for unfinished feeds when told to, and sees each of them to its end.

    ``pace_s``: seconds between two looks at a feed.
    """

    def __init__(self, calls: FeedCalls, pace_s: float, monotonic: Callable[[], float]) -> None:
        self._calls = calls
        self._pace_s = pace_s
        self._monotonic = monotonic
        self._look_at: float | None = None
        self._told = False
        self._feeds: dict[str, float] = {}

    @property
    def cleared(self) -> bool:
        """Whether nothing is left to be looked for, withdrawn or waited for."""
        return self._look_at is None and not self._feeds

    def look(self, after_s: float = 0.0) -> None:
        """Look once more, after so many seconds: a feed that is being created is not shown at once."""
        self._look_at = max(self._monotonic() + after_s, self._look_at or 0.0)

    def see_off(self, feed: str) -> None:
        """See this feed to its end too."""
        self._feeds.setdefault(feed, self._monotonic())

    async def go_on(self, ours: Collection[str]) -> bool:
        """The next step that is due; False: there is none. ``ours`` are waited for by somebody else."""
        now = self._monotonic()
        if self._look_at is not None and now >= self._look_at:
            await self._find(ours)
            return True
        feed = next((feed for feed, due in self._feeds.items() if due <= now), None)
        if feed is not None:
            await self._end(feed)
        return feed is not None

    async def _find(self, ours: Collection[str]) -> None:
        found = await self._calls.unfinished()
        if isinstance(found, Failed):
            self._look_at = self._monotonic() + (found.wait_s or GET_FEEDS_PACE_S)
            if not found.held or not self._told:
                self._told = found.held
                log.warning("cannot tell which feeds are unfinished (%s); nothing is sent before", found.reason)
            return
        self._told = False
        self._look_at = self._monotonic() + GET_FEEDS_PACE_S if len(found) >= FULL_PAGE else None
        strays = [feed for feed in found if feed not in ours]
        for feed in strays:
            self.see_off(feed)
        if strays:
            log.warning("%d feeds of before are unfinished; nothing is sent before they end", len(strays))

    async def _end(self, feed: str) -> None:
        seen = await self._calls.see(feed)
        if isinstance(seen, Failed):
            self._feeds[feed] = self._monotonic() + max(self._pace_s, seen.wait_s or 0.0)
            return
        if seen.status not in (IN_QUEUE, IN_PROGRESS):
            del self._feeds[feed]
            return
        if seen.status == IN_QUEUE:
            # Refused when work on it has begun meanwhile: the next look tells.
            await self._calls.cancel(feed)
        self._feeds[feed] = self._monotonic() + self._pace_s
