"""Feeds of which nobody here can be sure: submitted by another process, or without an answer.

Walmart cannot be asked to forget a feed, and a feed that is worked off late brings back an old value. So nothing
is sent, by feed or by call, before the list of feeds says that none is under way except those that we know.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from connectors.channels.http import Answered, UnreadableAnswer
from connectors.channels.http_status import succeeded
from connectors.channels.walmart_caller import LOOK, WalmartCaller
from connectors.channels.walmart_feed_wire import PAGE, list_path, unfinished_feeds

log = logging.getLogger(__name__)

LIST_PAGES = 4
LOOK_AGAIN_S = 5.0


class FeedDoubt:
    """Whether feeds may be under way that are not ours. ``monotonic`` gives seconds.

    ``poll_s``: seconds between two looks; after ``within_s`` a feed is not waited for any longer.
    """

    def __init__(
        self, caller: WalmartCaller, poll_s: float, within_s: float, monotonic: Callable[[], float]
    ) -> None:
        self._caller = caller
        self._poll_s = poll_s
        self._within_s = within_s
        self._monotonic = monotonic
        self._since: float | None = None
        self._due = 0.0

    def arise(self, look_after_s: float = 0.0) -> None:
        """There may be such feeds from now on; they are looked for after so many seconds."""
        now = self._monotonic()
        self._since = now if self._since is None else self._since
        self._due = max(self._due, now + look_after_s)

    @property
    def is_there(self) -> bool:
        """Whether there may be such feeds."""
        return self._since is not None

    @property
    def is_due(self) -> bool:
        """Whether it is time to look."""
        return self._since is not None and self._due <= self._monotonic()

    def wait_s(self) -> float:
        """Seconds until something may be sent, as far as can be said; 0: it may now."""
        return 0.0 if self._since is None else max(LOOK_AGAIN_S / 10, self._due - self._monotonic())

    async def look(self, ours: Collection[str | None]) -> None:
        """Read the list of feeds; the doubt ends when it names none that is under way and not ours."""
        waiting = await self._others(ours)
        now = self._monotonic()
        too_long = self._since is not None and now - self._since >= self._within_s
        if waiting is None and not too_long:
            self._due = now + LOOK_AGAIN_S
        elif waiting and not too_long:
            log.info("%d inventory feeds of others are under way; nothing is sent meanwhile", len(waiting))
            self._due = now + self._poll_s
        else:
            if waiting is None:
                log.warning("the list of feeds cannot be read for %.0f s; going on without it", self._within_s)
            elif waiting:
                log.warning("%d inventory feeds of others do not end; going on without them", len(waiting))
            self._since = None

    async def _others(self, ours: Collection[str | None]) -> set[str] | None:
        waiting: set[str] = set()
        for page in range(LIST_PAGES):
            answer = await self._caller.call("GET", list_path(page * PAGE), ["list", str(page)], quota=LOOK)
            if not isinstance(answer, Answered) or not succeeded(answer):
                return None
            try:
                found, last = unfinished_feeds(answer)
            except UnreadableAnswer:
                return None
            waiting |= found.difference(ours)
            if last:
                break
        return waiting
