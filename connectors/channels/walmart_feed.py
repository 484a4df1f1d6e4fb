"""Walmart's inventory feeds: thousands of SKUs in one call, worked off by Walmart minutes later.

Sources (developer.walmart.com/us-marketplace): "Update inventory in bulk" (feed types ``inventory`` of
specification 1.4 and ``MP_INVENTORY`` of 1.5; 10 calls an hour, 5 MB, about 30 minutes), "Throttling" (1 MB for
``MP_INVENTORY``), "Feed item status" (``GET /v3/feeds/{feedId}``, 50 SKUs a page; RECEIVED, INPROGRESS,
PROCESSED, ERROR; for each SKU SUCCESS, DATA_ERROR, and SYSTEM_ERROR or TIMEOUT_ERROR to try again), "All feed
statuses". 10,000 SKUs a feed is what Walmart documents for other bulk calls; for inventory it names only bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from connectors.channels.base import Outcome, Result, Update, same_answer
from connectors.channels.http import Answered, CallFailed, UnreadableAnswer
from connectors.channels.http_status import succeeded
from connectors.channels.walmart_caller import SUBMIT, WalmartCaller
from connectors.channels.walmart_feed_doubt import FeedDoubt
from connectors.channels.walmart_feed_reading import Submitted, read_feed
from connectors.channels.walmart_feed_wire import (
    MULTI_NODE,
    SINGLE_NODE,
    feed_body,
    feed_id,
    multipart,
    submit_path,
)
from connectors.channels.walmart_wire import Place, correlation_id, place, refused

log = logging.getLogger(__name__)

MAX_UPDATES = 10_000
MAX_UNDER_WAY = 5
URGENT_POLL_S = 10.0
"""Seconds between two looks at a feed behind which an urgent value waits."""


class WalmartFeeds:
    """The second, slower way to Walmart (``BulkRoute``).

    ``worth``: how many updates must wait for a feed to be worth its minutes. ``poll_s``: seconds between two looks
    at a feed; after ``within_s`` its updates are UNKNOWN. ``monotonic`` gives seconds.
    """

    def __init__(
        self,
        caller: WalmartCaller,
        *,
        by_node: bool,
        worth: int,
        poll_s: float,
        within_s: float,
        max_bytes: int,
        monotonic: Callable[[], float],
    ) -> None:
        self._caller = caller
        self._by_node = by_node
        self._kind = MULTI_NODE if by_node else SINGLE_NODE
        self._worth = worth
        self._poll_s = poll_s
        self._within_s = within_s
        self._max_bytes = min(max_bytes, self._kind.max_bytes)
        self._monotonic = monotonic
        self._doubt = FeedDoubt(caller, poll_s, within_s, monotonic)
        self._most = MAX_UPDATES
        self._pending: list[Update] = []
        self._handed_back: list[Result] = []
        self._under_way: list[Submitted] = []
        self._not_before = 0.0

    def room(self, waiting: int) -> int:
        """What a feed may carry, when enough wait, the hour has a call left, and no feed is in doubt."""
        now = self._monotonic()
        busy = bool(self._pending) or self._doubt.is_there or len(self._under_way) >= MAX_UNDER_WAY
        hour_full = self._caller.meters.wait_s(SUBMIT) > 0
        closed = busy or hour_full or now < self._not_before or self._caller.is_spent(SUBMIT)
        return 0 if closed or waiting < self._worth else self._most

    def submit(self, batch: Sequence[Update]) -> None:
        """Take them; the next ``go_on`` sends them."""
        self._pending = list(batch)

    def hurry(self, listing: str) -> None:
        """Look at the feed with this listing now and more often: Walmart cannot be asked to forget it."""
        for one in self._under_way:
            if any(update.listing == listing for update in one.updates):
                one.is_urgent = True
                one.due = min(one.due, self._monotonic())

    def taken_over(self) -> None:
        """Feeds that others submitted may be under way: look before anything is sent."""
        self._doubt.arise()

    def given_up(self) -> None:
        """Hand back what was not sent yet. What is under way may concern listings that come back to us later."""
        for one in self._under_way:
            one.is_ours = False
        self._handed_back += same_answer(self._pending, Outcome.LATER)
        self._pending = []

    def hold_s(self) -> float:
        """Seconds until anything may be sent; 0: it may now."""
        return self._doubt.wait_s()

    async def go_on(self) -> Sequence[Result]:
        """One step: look for the feeds of others, or submit, or look at one of ours."""
        answered, self._handed_back = self._handed_back, []
        now = self._monotonic()
        due = next((one for one in self._under_way if one.feed_id is not None and one.due <= now), None)
        if self._doubt.is_due:
            await self._doubt.look({one.feed_id for one in self._under_way if one.is_ours})
            answered += [] if self._doubt.is_there else self._without_id()
        elif self._pending and not self._doubt.is_there:
            batch, self._pending = self._pending, []
            answered += await self._send(batch)
        elif due is not None:
            answered += await self._look_at(due)
        return answered

    def _without_id(self) -> list[Result]:
        """Feeds without an answer, now that Walmart has none of them under way: taken, or never received."""
        lost = [one for one in self._under_way if one.feed_id is None]
        self._under_way = [one for one in self._under_way if one.feed_id is not None]
        return [result for one in lost for result in same_answer(one.updates, Outcome.UNKNOWN, "NO_FEED_ID")]

    async def _send(self, batch: Sequence[Update]) -> list[Result]:
        places = [(update, place(update.listing, self._by_node)) for update in batch]
        carried = [(update, where) for update, where in places if where is not None]
        nameless = [update for update, where in places if where is None]
        answered = same_answer(nameless, Outcome.REJECTED, "LISTING_INVALID")
        feed = feed_body(carried, self._kind)
        while len(feed) > self._max_bytes and len(carried) > 1:
            half = len(carried) // 2
            answered += same_answer([update for update, _ in carried[half:]], Outcome.LATER)
            carried = carried[:half]
            feed = feed_body(carried, self._kind)
        if len(feed) > self._max_bytes:
            return answered + same_answer([update for update, _ in carried], Outcome.REJECTED, "TOO_LARGE")
        return answered + (await self._post(carried, feed) if carried else [])

    async def _post(self, carried: Sequence[tuple[Update, Place]], feed: bytes) -> list[Result]:
        keys = [update.idempotency_key for update, _ in carried]
        body, content_type = multipart(feed, correlation_id(keys))
        answer = await self._caller.call(
            "POST", submit_path(self._kind), keys, quota=SUBMIT, body=body, headers={"content-type": content_type}
        )
        if not _may_be_there(answer):
            return self._not_submitted([update for update, _ in carried], answer)
        now = self._monotonic()
        self._under_way.append(Submitted(carried, _id_in(answer), now, now + self._poll_s))
        if self._under_way[-1].feed_id is None:
            log.warning("no answer to a feed of %d updates: nothing is sent before all feeds ended", len(carried))
            self._doubt.arise(self._poll_s)  # a feed that has just come in may not be listed yet
        else:
            self._most = min(MAX_UPDATES, 2 * self._most)
        return []

    def _not_submitted(self, updates: Sequence[Update], answer: Answered | CallFailed) -> list[Result]:
        asked_s = answer.retry_after_s if isinstance(answer, Answered) else None
        self._not_before = self._monotonic() + (self._poll_s if asked_s is None else asked_s)
        results = refused(updates, answer)
        log.warning("a feed of %d updates was not taken (%s)", len(updates), results[0].reason)
        return self._smaller(results)

    async def _look_at(self, one: Submitted) -> list[Result]:
        one.due = self._monotonic() + (min(self._poll_s, URGENT_POLL_S) if one.is_urgent else self._poll_s)
        results = await read_feed(self._caller, one)
        if results is None and self._monotonic() - one.at > self._within_s:
            results = same_answer(one.updates, Outcome.UNKNOWN, "FEED_TOO_SLOW")
        if results is None:
            return []
        self._under_way.remove(one)
        return self._smaller(results)

    def _smaller(self, results: list[Result]) -> list[Result]:
        """A feed that failed as a whole is tried in halves."""
        if results[0].outcome is Outcome.SPLIT:
            self._most = max(1, len(results) // 2)
        return results


def _may_be_there(answer: Answered | CallFailed) -> bool:
    """Whether Walmart may have received the feed."""
    if isinstance(answer, CallFailed):
        return answer.outcome is not Outcome.RETRY
    return succeeded(answer) or (answer.status >= 500 and answer.status != 503)


def _id_in(answer: Answered | CallFailed) -> str | None:
    try:
        return feed_id(answer) if isinstance(answer, Answered) and succeeded(answer) else None
    except UnreadableAnswer:
        return None
