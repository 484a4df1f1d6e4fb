"""Resolves doubts with the channel: reads back what may have been overtaken, and has it told again if it was.

One step is one call at most, made in place of an attempt by the same task; ``doubts`` decides about what.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from connectors.channels.answers import Acknowledge, Answer, as_answered, as_unanswered
from connectors.channels.backlog import Backlog, Waiting
from connectors.channels.base import Outcome, Result
from connectors.channels.doubts import Doubts, Verdict
from connectors.channels.inherited import inherited
from connectors.channels.latest import ACCEPTED, LatestSettled
from connectors.channels.rate import CallBucket
from connectors.channels.reading import ReadsBack, Unread
from domain.facts import SECOND, Acknowledgement, Micros

log = logging.getLogger(__name__)

STOP_SELL = "P0"
HELD_S = 1.0
"""How long a listing is left alone for which something else waits or is on its way."""
LONGEST_PAUSE_S = 60.0

Send: TypeAlias = Callable[[Sequence[Waiting]], Awaitable[None]]
"""Makes one attempt with these updates."""


@dataclass(slots=True)
class ReadTallies:
    """Listings since the start, by what reading them back came to."""

    as_told: int = 0
    overtaken: int = 0
    less: int = 0
    failed: int = 0
    given_up: int = 0


@dataclass(slots=True)
class ReadBack:
    """The doubts of one channel. ``now`` is monotonic time in seconds, ``wall_now`` that of acknowledgements.

    ``write_down`` makes attempts without answer durable, for a process that has their partition later.
    """

    reads: ReadsBack
    doubts: Doubts
    backlog: Backlog
    latest: LatestSettled
    write_down: Acknowledge
    tallies: ReadTallies = field(default_factory=ReadTallies)
    _not_before: float = 0.0
    _failures: int = 0
    _just_read: bool = False

    def take_over(
        self, partition: int, unanswered: Iterable[Acknowledgement], wall_now: Micros, now: float
    ) -> None:
        """The partition is ours. ``unanswered``: what was written down by whoever had it before."""

        def at(occurred_at: Micros) -> float:
            return now - max(0, wall_now - occurred_at) / SECOND

        found = inherited(
            partition, unanswered, lambda one: self.latest.settled(partition, one), self.doubts.settle_s, at
        )
        taken = self.doubts.inherit(found)
        if found:
            log.info("partition %d: %d listings are in doubt, %d of them remembered", partition, len(found), taken)

    def suspect(self, waiting: Waiting, now: float) -> None:
        """Whoever had the partition before may have sent this, and had no time to write what became of it."""
        self.doubts.suspected(waiting, now)

    def suspicions(self, listings: Iterable[str], wall_now: Micros, now: float) -> list[Answer]:
        """What was suspected of these listings and nobody wrote down.

        To be written down before its offset can be committed: before it is settled, and when a newer value came.
        """
        found = (self.doubts.unwritten(listing, now) for listing in listings)
        return [Answer(one.partition, as_unanswered(one, wall_now)) for one in found if one is not None]

    async def remember(self, answered: Iterable[tuple[Waiting, Result]], wall_now: Micros) -> None:
        """Write down what had no answer; while it is in flight, so that its offset cannot be committed before.

        Raises ``Exception``: whatever ``write_down`` raises; so does ``settling``.
        """
        unknown = [
            Answer(waiting.partition, as_answered(waiting, result, wall_now))
            for waiting, result in answered
            if result.outcome is Outcome.UNKNOWN
        ]
        if unknown:
            await self.write_down(unknown)

    async def settling(self, waiting: Iterable[Waiting], wall_now: Micros, now: float) -> None:
        """Write down what is suspected of updates whose offsets can be committed next."""
        suspicions = self.suspicions((one.update.listing for one in waiting), wall_now, now)
        if suspicions:
            await self.write_down(suspicions)

    def noted(self, waiting: Waiting, result: Result, now: float) -> Result:
        """Remember what became of an update; the result, with what the channel showed where it was overtaken."""
        match result.outcome:
            case Outcome.UNKNOWN:
                if not self.doubts.unanswered(waiting, now):
                    self._give_up([waiting.update.listing], "too many listings are in doubt")
            case Outcome.ACCEPTED:
                shown = self.doubts.accepted(waiting, now)
                if shown is not None:
                    told = f"READ_BACK: it showed {shown} before"
                    return result._replace(reason=result.reason or told, previous=shown)
            case Outcome.REJECTED:
                doubt = self.doubts.of(waiting.update.listing)
                if doubt is not None and doubt.accepted is waiting:
                    self._give_up([waiting.update.listing], "what was overtaken is refused now")
            case _:
                pass
        return result

    def is_due(self, now: float) -> bool:
        """Whether a step would do something."""
        return bool(self.doubts.overtaken()) or (now >= self._not_before and bool(self.doubts.due(now)))

    async def step(self, now: float, wall_now: Micros, most: int, send: Send, bucket: CallBucket) -> bool:
        """Tell again what was overtaken, or else read some listings. False: there was nothing to do.

        Stop-sells that wait go first, and while other updates wait every second call is theirs. ``most``: how many
        updates one attempt may carry.
        """
        if self.backlog.waits(STOP_SELL):
            return False
        again = self._again(most)
        if again:
            # Also when it expired: until something newer comes, it is what the worker takes the channel to show.
            # Its offset is committed, so a process that ends in this call leaves nothing else behind.
            await self.write_down([Answer(one.partition, as_unanswered(one, wall_now)) for one in again])
            await send(again)
            return True
        if self._just_read and len(self.backlog):
            self._just_read = False
            return False
        listings = self._to_read(now) if now >= self._not_before else []
        if not listings:
            return False
        self._just_read = True
        bucket.take(now)
        shown = await self.reads.shown(listings)
        if isinstance(shown, Unread):
            self._failed(listings, shown, now, bucket)
        else:
            self._read({one: shown[one] for one in listings if one in shown}, now)
        return True

    def disown(self, partition: int) -> None:
        """Another process tells this partition now."""
        self.doubts.disown(partition)

    def _again(self, most: int) -> list[Waiting]:
        found = [one for one in self.doubts.overtaken() if self._is_newest(one)]
        return [one for one in found if not self._is_held(one)][:most]

    def _to_read(self, now: float) -> list[str]:
        listings: list[str] = []
        for listing in self.doubts.due(now):
            doubt = self.doubts.of(listing)
            if doubt is None or doubt.accepted is None or not self._is_newest(doubt.accepted):
                continue
            if self._is_held(doubt.accepted):
                # What is sent next says whether it is still in doubt.
                self.doubts.later(listing, now + HELD_S)
            elif self.doubts.is_used_up(listing):
                self.doubts.forget(listing)
                self._give_up([listing], "it was read as often as it may be")
            else:
                listings.append(listing)
                if len(listings) == self.reads.most_read:
                    break
        return listings

    def _is_newest(self, accepted: Waiting) -> bool:
        """Whether this is still what was accepted last, by this process; a doubt about anything older is over."""
        listing = accepted.update.listing
        settled = self.latest.settled(accepted.partition, listing)
        newest = settled is not None and (settled.publish_seq, settled.outcome) == (
            accepted.update.publish_seq,
            ACCEPTED,
        )
        if not newest or accepted.partition not in self.backlog.partitions:
            self.doubts.forget(listing)
            return False
        return True

    def _is_held(self, accepted: Waiting) -> bool:
        return self.backlog.holds(accepted.partition, accepted.update.listing)

    def _read(self, shown: dict[str, int | None], now: float) -> None:
        self._failures = 0
        for listing, quantity in shown.items():
            if quantity is None:
                self._unread(listing, "the channel says no quantity", now)
                continue
            doubt = self.doubts.of(listing)
            expected = None if doubt is None or doubt.accepted is None else doubt.accepted.update.quantity
            match self.doubts.read(listing, quantity, now):
                case Verdict.AS_TOLD:
                    self.tallies.as_told += 1
                case Verdict.LESS:
                    self.tallies.less += 1
                case Verdict.OVERTAKEN:
                    self.tallies.overtaken += 1
                    log.warning(
                        "%s was overtaken by a call without answer: it shows %d, and had accepted %s; told again",
                        listing, quantity, expected,
                    )  # fmt: skip
                case None:
                    pass

    def _failed(self, listings: Sequence[str], why: Unread, now: float, bucket: CallBucket) -> None:
        if not why.called:
            self._not_before = now + (why.retry_after_s or 0.0)
            return
        self._failures += 1
        if why.retry_after_s is not None:
            bucket.empty(now)
        pause = min(2.0 ** min(self._failures - 1, 10), LONGEST_PAUSE_S)
        self._not_before = now + max(pause, why.retry_after_s or 0.0)
        for listing in listings:
            self._unread(listing, why.reason, now)

    def _unread(self, listing: str, reason: str, now: float) -> None:
        self.tallies.failed += 1
        if not self.doubts.unread(listing, now):
            self._give_up([listing], reason)

    def _give_up(self, listings: Sequence[str], reason: str) -> None:
        for listing in listings:
            self.doubts.forget(listing)
            self.tallies.given_up += 1
            log.warning("%s is not read back any more, an old value may stay: %s", listing, reason)
