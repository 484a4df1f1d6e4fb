"""Resolves doubts with the channel: reads back what may have been overtaken, and has it told again if it was.

One step is one call at most, made in place of an attempt by the same task; ``doubts`` decides about what.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from connectors.channels.answers import Acknowledge, Answer, as_answered, as_resolved, as_unanswered
from connectors.channels.backlog import Backlog, Waiting
from connectors.channels.base import Outcome, Result
from connectors.channels.doubts import Doubts, Verdict
from connectors.channels.inherited import inherited
from connectors.channels.latest import ACCEPTED, LatestSettled
from connectors.channels.positions import Unresolved
from connectors.channels.rate import CallBucket
from connectors.channels.reading import ReadsBack, Unread
from domain.facts import SECOND, Acknowledgement, Micros
from domain.listings import P0

log = logging.getLogger(__name__)

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

    ``write_down`` makes words on attempts durable (``positions``), for a process that has their partition later.
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
    _resolved: list[Waiting] = field(default_factory=list)

    def take_over(self, partition: int, unresolved: Sequence[Unresolved], wall_now: Micros, now: float) -> None:
        """The partition is ours. ``unresolved``: what was written down by whoever had it before."""

        def at(occurred_at: Micros) -> float:
            # A suspicion is about a call that may end later. Otherwise a time to come is that of a wrong clock.
            return now + min((occurred_at - wall_now) / SECOND, self.doubts.attempt_s)

        found = inherited(partition, unresolved, self.doubts.settle_s, at, now)
        taken = self.doubts.inherit(found)
        if found:
            log.info("partition %d: %d listings are in doubt, %d of them remembered", partition, len(found), taken)

    def suspect(self, waiting: Waiting, now: float) -> None:
        """Whoever had the partition before may be sending this, and could not write what became of it."""
        self.doubts.suspected(waiting, now)

    def suspicions(self, listings: Iterable[str], now: float) -> list[Waiting]:
        """What is suspected of these listings and not written down.

        It must be before a newer value of the listing is settled, and before its own offset is committed.
        """
        found = (self.doubts.unwritten(listing, now) for listing in listings)
        return [one for one in found if one is not None]

    async def write_suspicions(self, suspicions: Sequence[Waiting], wall_now: Micros) -> None:
        """Make them durable. Raises ``Exception``: whatever ``write_down`` raises, as everything that writes."""
        if suspicions:
            until = wall_now + round(self.doubts.attempt_s * SECOND)
            await self._write([(one, as_unanswered(one, until)) for one in suspicions])
            for one in suspicions:
                self.doubts.written(one)

    async def remember(self, answered: Iterable[tuple[Waiting, Result]], wall_now: Micros) -> None:
        """Write down what had no answer; while it is in flight, so that its offset cannot be committed before."""
        await self._write(
            [
                (waiting, as_answered(waiting, result, wall_now))
                for waiting, result in answered
                if result.outcome is Outcome.UNKNOWN
            ]
        )

    async def settling(self, waiting: Iterable[Waiting], wall_now: Micros, now: float) -> None:
        """Write down what is suspected of listings that are settled next, and what is in no doubt any more."""
        await self.write_suspicions(self.suspicions((one.update.listing for one in waiting), now), wall_now)
        await self._write_resolved(wall_now)

    async def _write_resolved(self, wall_now: Micros) -> None:
        resolved, self._resolved = self._resolved, []
        await self._write([(one, as_resolved(one, wall_now)) for one in resolved])

    async def _write(self, rows: Sequence[tuple[Waiting, Acknowledgement]]) -> None:
        if rows:
            await self.write_down([Answer(waiting.partition, row) for waiting, row in rows])

    def noted(self, waiting: Waiting, result: Result, now: float) -> Result:
        """Remember what became of an update; the result, with what the channel showed where it was overtaken."""
        match result.outcome:
            case Outcome.UNKNOWN:
                if not self.doubts.unanswered(waiting, now):
                    self._give_up([waiting.update.listing], "too many listings are in doubt")
            case Outcome.ACCEPTED:
                shown = self._accepted(waiting, now)
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

    def _accepted(self, waiting: Waiting, now: float) -> int | None:
        listing = waiting.update.listing
        if self.doubts.of(listing) is None:
            return None
        shown = self.doubts.accepted(waiting, now, waiting.began_at)
        if self.doubts.of(listing) is None:
            self._resolved.append(waiting)
        return shown

    def is_due(self, now: float) -> bool:
        """Whether a step would do something."""
        return bool(self.doubts.overtaken()) or (now >= self._not_before and bool(self.doubts.due(now)))

    async def step(self, now: float, wall_now: Micros, most: int, send: Send, bucket: CallBucket) -> bool:
        """Tell again what was overtaken, or else read some listings. False: there was nothing to do.

        Stop-sells that wait go first, and while other updates wait every second call is theirs. ``most``: how many
        updates one attempt may carry.
        """
        if self.backlog.waits(P0):
            return False
        again = self._again(most)
        if again:
            # Also when it expired: until something newer comes, it is what the worker takes the channel to show.
            # Its offset is committed, so a process that ends in this call leaves nothing else behind.
            await self._write([(one, as_unanswered(one, wall_now)) for one in again])
            still = [one for one in again if self._is_newest(one) and not self._is_held(one)]
            if still:
                await send(still)
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
            await self._write_resolved(wall_now)
        return True

    def disown(self, partition: int) -> None:
        """Another process tells this partition now, and says what is in doubt."""
        self.doubts.disown(partition)
        self._resolved = [one for one in self._resolved if one.partition != partition]

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
        """Whether this is still what was accepted last, by this process; a doubt about anything older is over.

        What was refused since has not taken its place.
        """
        listing = accepted.update.listing
        settled = self.latest.settled(accepted.partition, listing)
        replaced = settled is None or (
            settled.outcome == ACCEPTED and settled.publish_seq != accepted.update.publish_seq
        )
        if replaced or accepted.partition not in self.backlog.partitions:
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
            accepted = None if doubt is None else doubt.accepted
            verdict = self.doubts.read(listing, quantity, now)
            if verdict is None or accepted is None:
                continue
            match verdict:
                case Verdict.AS_TOLD:
                    self.tallies.as_told += 1
                    self._resolved.append(accepted)
                case Verdict.LESS:
                    self.tallies.less += 1
                    self._resolved.append(accepted)
                case Verdict.OVERTAKEN:
                    self.tallies.overtaken += 1
                    log.warning(
                        "%s was overtaken by a call without answer: it shows %d, and had accepted %d; told again",
                        listing, quantity, accepted.update.quantity,
                    )  # fmt: skip

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
