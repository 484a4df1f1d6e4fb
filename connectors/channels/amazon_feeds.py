"""The bulk route to Amazon: JSON listings feeds of what is not urgent (decision 0016 tells why it is like this).

While a feed is unfinished its listings wait in flight, so nothing else is sent for them. When an urgent value
comes for one of them the feed is withdrawn: from the queue it can be cancelled, and then everything in it is free.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from connectors.channels.amazon_calls import CREATE_FEED, FeedCalls
from connectors.channels.amazon_feed import Feed, Stage
from connectors.channels.amazon_strays import StrayFeeds
from connectors.channels.base import Outcome, Result, Update

log = logging.getLogger(__name__)

MOST_MESSAGES = 25_000
"""``maxItems`` of ``messages`` in the feed's schema (version 2)."""
PAUSE_S = 60.0
"""How long no feed is tried after one could not be submitted and Amazon asked for no wait."""
HOLD_S = 0.2
_NOT_SUBMITTED = (Stage.TAKEN, Stage.UPLOADED)


class FeedPlan(NamedTuple):
    """When and how updates go by feeds: from how many waiting listings on, how many in one, how many unfinished,
    how often each is looked at, how long it may take; times in seconds.
    """

    worth: int = 1_500
    messages: int = MOST_MESSAGES
    unfinished: int = 5
    poll_s: float = 15.0
    patience_s: float = 28_800.0


class AmazonFeeds:
    """A ``BulkRoute``. ``monotonic`` gives seconds."""

    def __init__(self, calls: FeedCalls, plan: FeedPlan, monotonic: Callable[[], float]) -> None:
        self._calls = calls
        self._plan = plan
        self._monotonic = monotonic
        self._most = plan.messages
        self._feeds: list[Feed] = []
        self._of: dict[str, Feed] = {}
        self._strays = StrayFeeds(calls, plan.poll_s, monotonic)
        self._holding = False
        self._not_before = float("-inf")

    @property
    def unfinished(self) -> int:
        """Feeds that are not answered yet."""
        return len(self._feeds)

    def room(self, waiting: int) -> int:
        """A whole feed, when it is worth one and Amazon may be given one more now."""
        now = self._monotonic()
        if waiting < self._plan.worth or len(self._feeds) >= self._plan.unfinished or now < self._not_before:
            return 0
        if not self._strays.cleared or self._holding:
            return 0
        # One at a time is on its way to Amazon: two would wait for the same token.
        busy = any(feed.stage in _NOT_SUBMITTED for feed in self._feeds)
        return 0 if busy or self._calls.meters.wait_s(CREATE_FEED) > 0 else self._most

    def submit(self, batch: Sequence[Update]) -> None:
        """Take a batch; ``go_on`` submits it."""
        feed = Feed(tuple(batch), self._plan.poll_s, self._plan.patience_s, self._monotonic)
        self._feeds.append(feed)
        self._of.update((update.listing, feed) for update in batch)

    def hurry(self, listing: str) -> None:
        """Withdraw the feed that the listing is in."""
        feed = self._of.get(listing)
        if feed is not None and not feed.withdrawn:
            log.info("feed %s is withdrawn for an urgent value of %s", feed.feed_id or "(new)", listing)
            feed.withdraw()

    def taken_over(self) -> None:
        """Hold everything until no feed of before is unfinished."""
        self._holding = True
        self._strays.look()

    def given_up(self) -> None:
        """Withdraw every feed: another process is waiting for the listings in it."""
        for feed in self._feeds:
            feed.withdraw()

    def hold_s(self) -> float:
        """While feeds of before are unfinished nothing may be sent."""
        return HOLD_S if self._holding else 0.0

    async def go_on(self) -> Sequence[Result]:
        """One step: with stray feeds if one is due, else with a feed, those first behind which something waits.

        One and no more, because whoever calls makes sure before each that the listings are still ours.
        """
        results: Sequence[Result] = ()
        if not await self._strays.go_on([feed.feed_id for feed in self._feeds]):
            now = self._monotonic()
            due = [feed for feed in self._feeds if feed.due <= now and not self._waits_for_strays(feed)]
            if due:
                results = await self._step(min(due, key=lambda one: (not one.withdrawn, one.due)))
        if self._strays.cleared and not any(feed.withdrawn for feed in self._feeds):
            self._holding = False
        return results

    async def _step(self, feed: Feed) -> list[Result]:
        before = feed.stage
        results = feed.end(Outcome.RETRY, "FEED_LOST") if before is Stage.LOST else await feed.step(self._calls)
        if feed.stage is Stage.LOST:
            self._strays.look(self._plan.poll_s)
        if feed.stage is Stage.ENDED:
            self._forget(feed)
        return results

    def _waits_for_strays(self, feed: Feed) -> bool:
        return feed.stage is Stage.LOST and not self._strays.cleared

    def _forget(self, feed: Feed) -> None:
        self._feeds.remove(feed)
        for update in feed.batch:
            if self._of.get(update.listing) is feed:
                del self._of[update.listing]
        if feed.fatal:
            self._most = max(1, min(self._most, len(feed.batch)) // 2)
        elif feed.feed_id:
            self._most = min(self._plan.messages, 2 * self._most)
        if feed.endless:
            self._strays.see_off(feed.feed_id)
        if feed.failure is not None:
            wait_s = feed.failure.wait_s or PAUSE_S
            self._not_before = self._monotonic() + wait_s
            log.warning("no feed for %.0f s: %s", wait_s, feed.failure.reason)
