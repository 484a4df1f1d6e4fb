"""The publish planner of one channel: who is told what next, within a budget of calls (semantics section 7).

It keeps one pending value per listing, so after any outage the backlog is at most the number of listings. The
rules are in ``listings``, the order in ``agenda``; here they meet. A change costs O(log n), a tick O(due x log n).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from domain.agenda import Agenda
from domain.facts import SECOND, Micros
from domain.full_sync import owed
from domain.listings import (
    FULL_SYNC,
    P4,
    Listing,
    Step,
    answered,
    join,
    not_after,
    outlook,
    restored,
    sent,
    sent_again,
    wanted,
)
from domain.policy import PublishPolicy
from domain.updates import NO_CAUSES, Causes, ChannelUpdate

CLOCK_SLACK: Micros = SECOND
"""How far the clock may be set back without anybody noticing: everything waits for as long."""

ADOPTED_PER_STEP = 500
"""Listings planned anew under another policy in one step: a few milliseconds."""


class Planner:
    """Plans the updates of one channel for the listings that one worker owns.

    ``next_seq`` yields growing numbers (of the owner's generation). ``overrides`` are publish rules of single
    SKUs; rate and burst belong to the channel's account and are not metered here. ``listings`` may be read, and
    its rows stored, at any time. An earlier ``now`` counts as the latest one seen, until ``set_back``.
    """

    def __init__(
        self,
        channel: str,
        publish: PublishPolicy,
        next_seq: Callable[[], int],
        overrides: Mapping[str, PublishPolicy] | None = None,
    ) -> None:
        self.channel = channel
        self.listings: dict[str, Listing] = {}
        self.resent = 0
        self._publish = publish
        self._overrides = overrides or {}
        self._next_seq = next_seq
        self._agenda = Agenda()
        self._causes: dict[str, Causes] = {}
        self._now: Micros = 0

    # -- what happens --------------------------------------------------------------------------------------

    def want(
        self,
        listing_id: str,
        quantity: int,
        now: Micros,
        *,
        sku: str = "",
        force: bool = False,
        caused_by: tuple[str, ...] = (),
        occurred_at: Micros | None = None,
    ) -> bool:
        """The channel should show ``quantity`` (below 0 counts as 0). False: that was known and changes nothing.

        ``force`` tells it even if the channel was told the same, at once and at least as P2. ``sku`` is the
        listing's id unless given once. ``caused_by`` and ``occurred_at`` travel with the update.
        """
        now = self._advance(now)
        quantity = quantity if quantity > 0 else 0
        before = self.listings.get(listing_id)
        if before is None:
            before = Listing(sku=sku or listing_id)
        elif quantity == before.desired and (not force or before.forced) and (not sku or sku == before.sku):
            return False
        elif sku and sku != before.sku:
            before = before._replace(sku=sku)
        self._keep(listing_id, wanted(before, quantity, now, force), now)
        if caused_by or occurred_at is not None:
            self._note_causes(listing_id, now if occurred_at is None else occurred_at, caused_by)
        return True

    def acknowledged(
        self, listing_id: str, publish_seq: int, outcome: str, quantity: int, now: Micros, shown: int | None = None
    ) -> bool:
        """The channel answered (``shown``: what it showed). False: that changes nothing; no new row to store."""
        now = self._advance(now)
        before = self.listings.get(listing_id)
        after = answered(before or Listing(sku=listing_id), publish_seq, outcome, quantity, now, shown)
        if after == before:
            return False
        self._keep(listing_id, after, now)
        return True

    def restore(self, listing_id: str, listing: Listing, now: Micros) -> None:
        """Take over a stored row; rows of the same listing are joined."""
        now = self._advance(now)
        known = self.listings.get(listing_id)
        self._keep(listing_id, restored(listing if known is None else join(known, listing), now), now)

    def forget(self, listing_id: str) -> None:
        """The listing is not ours any more (its partition went elsewhere, or it was taken down)."""
        self.listings.pop(listing_id, None)
        self._causes.pop(listing_id, None)
        self._agenda.put(listing_id, None, None)

    def goes_by(self, publish: PublishPolicy, overrides: Mapping[str, PublishPolicy]) -> bool:
        """Whether these are the rules that hold."""
        return publish == self._publish and overrides == self._overrides

    def adopt_policy(
        self, publish: PublishPolicy, now: Micros, overrides: Mapping[str, PublishPolicy] | None = None
    ) -> None:
        """From now on other rules hold, also for what is pending. O(listings)."""
        for _ in self.adoption(publish, now, overrides):
            pass

    def adoption(
        self, publish: PublishPolicy, now: Micros, overrides: Mapping[str, PublishPolicy] | None = None
    ) -> Iterator[None]:
        """The same in steps: other rules hold from the call on, and what is pending follows step by step.

        Everything else may be called in between. A step takes ``ADOPTED_PER_STEP`` listings.
        """
        self._advance(now)
        self._publish = publish
        self._overrides = overrides or {}
        return self._plan_all()

    def is_ahead(self, now: Micros) -> bool:
        """Whether the clock was set back: the planner saw a time well after ``now``."""
        return self._now > now + CLOCK_SLACK

    def set_back(self, now: Micros) -> Iterator[None]:
        """Go on from ``now``: times after it count as ``now``, or everything would wait until they come.

        In steps, as ``adoption``.
        """
        self._now = now
        return self._plan_all()

    # -- what is told ----------------------------------------------------------------------------------------

    def tick(self, now: Micros, budget: int) -> list[ChannelUpdate]:
        """Up to ``budget`` updates, most urgent first (class, age, listing), each listing at most once."""
        now = self._advance(now)
        self._look_again(now)
        updates: list[ChannelUpdate] = []
        while len(updates) < budget and (taken := self._agenda.take()) is not None:
            updates.append(self._tell(*taken, now))
        for update in updates:
            self._plan(update.listing, self.listings[update.listing], now)
        return updates

    def ready(self, now: Micros) -> int:
        """How many updates would go at ``now`` with an unlimited budget, full syncs left aside."""
        self._look_again(self._advance(now))
        return len(self._agenda)

    def next_wake(self) -> Micros | None:
        """When a tick may have something to tell; the present when it has already. None: not by the clock."""
        if self._agenda:
            return self._now
        return self._agenda.next_wake()

    def backlog(self) -> Mapping[str, int]:
        """Listings that may be told now but were not yet, per class; full syncs left aside."""
        return self._agenda.backlog

    def tell_once_more(self, listings: Iterable[tuple[str, int]], now: Micros) -> list[ChannelUpdate]:
        """Updates of full syncs (P4) for listings, each with the ``began_seq``; those told since are left out."""
        now = self._advance(now)
        updates = []
        for listing_id, began_seq in listings:
            listing = self.listings.get(listing_id)
            quantity = None if listing is None else owed(listing, began_seq)
            if quantity is not None:
                updates.append(self._tell(listing_id, Step(P4, now, quantity, FULL_SYNC), now))
                self._plan(listing_id, self.listings[listing_id], now)
        return updates

    # -- inside ----------------------------------------------------------------------------------------------

    def _plan_all(self) -> Iterator[None]:
        for count, listing_id in enumerate(list(self.listings), 1):
            listing = self.listings.get(listing_id)
            if listing is not None:
                self._keep(listing_id, not_after(listing, self._now), self._now)
            if count % ADOPTED_PER_STEP == 0:
                yield

    def _advance(self, now: Micros) -> Micros:
        if now > self._now:
            self._now = now
        return self._now

    def _keep(self, listing_id: str, listing: Listing, now: Micros) -> None:
        self.listings[listing_id] = listing
        if listing.pending_since is None:
            self._causes.pop(listing_id, None)
        self._plan(listing_id, listing, now)

    def _plan(self, listing_id: str, listing: Listing, now: Micros) -> None:
        self._agenda.put(listing_id, *outlook(listing, self._rules(listing), now))

    def _rules(self, listing: Listing) -> PublishPolicy:
        return self._overrides.get(listing.sku, self._publish) if self._overrides else self._publish

    def _look_again(self, now: Micros) -> None:
        for listing_id in self._agenda.wake(now):
            self._plan(listing_id, self.listings[listing_id], now)

    def _note_causes(self, listing_id: str, occurred_at: Micros, caused_by: tuple[str, ...]) -> None:
        if self.listings[listing_id].pending_since is None:
            return
        known = self._causes.get(listing_id, NO_CAUSES)
        self._causes[listing_id] = known.joined(occurred_at, caused_by)

    def _tell(self, listing_id: str, step: Step, now: Micros) -> ChannelUpdate:
        before = self.listings[listing_id]
        if step.again:
            after = sent_again(before, now)
            self.resent += 1
        else:
            after = sent(before, step.quantity, max(self._next_seq(), before.publish_seq + 1), now)
        self.listings[listing_id] = after
        causes = NO_CAUSES
        if after.pending_since is None and not step.again:
            causes = self._causes.pop(listing_id, NO_CAUSES)
        # What was answered is known; an update still on its way is believed to have arrived before this one.
        answered_last = before.acked_seq >= before.publish_seq > 0
        believed = before.acked_quantity if step.again or answered_last else before.last_quantity
        return ChannelUpdate(
            self.channel,
            listing_id,
            after.sku,
            step.quantity,
            after.publish_seq,
            now + self._rules(after).expires_after,
            believed,
            f"{listing_id}:{after.publish_seq}",
            step.priority,
            step.reason,
            causes.caused_by,
            now if causes.occurred_at is None else causes.occurred_at,
            now,
        )


__all__ = ["CLOCK_SLACK", "ChannelUpdate", "Listing", "Planner"]
