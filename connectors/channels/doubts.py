"""Which listings are in doubt: a call for them had no answer, and may still overwrite what was accepted since.

A call is under way for ``settle_s`` at most after it was given up; that is the one thing believed here. What was
accepted by a call that began within that time, whenever it was answered, is read back once nothing can be under
way any more. A listing for which the calls without answer said nothing else than what was accepted last is in no
doubt: whichever came last, it shows that.

Decisions only: times are seconds of any clock that does not go back, and are arguments.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from connectors.channels.backlog import Waiting

MOST_DOUBTS = 10_000
"""Listings that can be in doubt at once. What comes beyond them is sent as ever, and not read back."""
MOST_QUANTITIES = 16
"""Quantities without answer that are remembered of a listing, the last ones."""


class Verdict(Enum):
    """What a quantity that was read says."""

    AS_TOLD = "AS_TOLD"
    """It is the one that was accepted last, or a newer one that had no answer."""
    OVERTAKEN = "OVERTAKEN"
    """More than that, or what an older call without answer said: to be told again."""
    LESS = "LESS"
    """Less than that, and nothing we said: the channel has sold since. Telling it again would undo the sale."""


def judge(shown: int, accepted: int, older: Collection[int], newer: Collection[int] = ()) -> Verdict:
    """What the channel shows, against what it accepted last, and what it did not answer before and after that."""
    if shown == accepted or shown in newer:
        return Verdict.AS_TOLD
    return Verdict.OVERTAKEN if shown > accepted or shown in older else Verdict.LESS


@dataclass(slots=True)
class Doubt:
    """One listing in doubt. ``unanswered``: ``publish_seq`` and quantity of the calls without answer.

    ``ends_at``: from then on none of them can be under way. ``accepted``: what was accepted last, to be read back
    from ``look_at`` on. ``shown``: what was read instead, until ``accepted`` is told again. ``unwritten``: a call
    without answer that nobody wrote down, because another process may have made it.
    """

    partition: int
    unanswered: tuple[tuple[int, int], ...]
    ends_at: float
    look_at: float
    accepted: Waiting | None = None
    reads: int = 0
    shown: int | None = None
    unwritten: Waiting | None = None

    def is_harmless(self) -> bool:
        """Whether no call without answer could take the place of a newer value, however late it comes."""
        if self.accepted is None:
            return True
        older, _ = self.around(self.accepted)
        return older <= {self.accepted.update.quantity}

    def around(self, accepted: Waiting) -> tuple[set[int], set[int]]:
        """The quantities without answer that are not newer than what was accepted, and those that are."""
        last = accepted.update.publish_seq
        return {one for seq, one in self.unanswered if seq <= last}, {
            one for seq, one in self.unanswered if seq > last
        }


class Doubts:
    """The listings in doubt, at most ``most``; each is read at most ``most_reads`` times.

    ``attempt_s``: how long an attempt of another process takes at most.
    """

    def __init__(self, settle_s: float, most_reads: int, most: int = MOST_DOUBTS, attempt_s: float = 0.0) -> None:
        self.settle_s = settle_s
        self.most_reads = most_reads
        self.attempt_s = attempt_s
        self._most = most
        self._doubts: dict[str, Doubt] = {}
        self._overtaken: dict[str, None] = {}
        self._next = float("inf")
        # No doubt ends before. Many calls without answer when there is no room must not look at all doubts each.
        self._none_ends_before = float("-inf")

    def __len__(self) -> int:
        return len(self._doubts)

    def of(self, listing: str) -> Doubt | None:
        """The doubt about a listing."""
        return self._doubts.get(listing)

    def unanswered(self, waiting: Waiting, now: float) -> bool:
        """A call for this update had no answer. False: there is no room to remember that."""
        listing, told = waiting.update.listing, (waiting.update.publish_seq, waiting.update.quantity)
        doubt = self._doubts.get(listing)
        if doubt is None:
            if len(self._doubts) >= self._most:
                self._drop_ended(now)
            if len(self._doubts) >= self._most:
                return False
            doubt = self._doubts[listing] = Doubt(waiting.partition, (), 0.0, 0.0)
        others = tuple(one for one in doubt.unanswered if one != told)
        doubt.unanswered = (*others, told)[-MOST_QUANTITIES:]
        doubt.partition, doubt.shown = waiting.partition, None
        self._overtaken.pop(listing, None)
        doubt.ends_at = max(doubt.ends_at, now + self.settle_s)
        self._wait(doubt, now)
        self._none_ends_before = min(self._none_ends_before, doubt.ends_at)
        return True

    def suspected(self, waiting: Waiting, now: float) -> bool:
        """Another process may be sending this, and hear no answer. False: there is no room to remember that.

        Half of the room is kept for what is known to have had no answer.
        """
        listing = waiting.update.listing
        if listing not in self._doubts and len(self._doubts) >= self._most // 2:
            return False
        self.unanswered(waiting, now + self.attempt_s)
        self._doubts[listing].unwritten = waiting
        return True

    def unwritten(self, listing: str, now: float) -> Waiting | None:
        """What is suspected, may still be under way and is not written down."""
        doubt = self._doubts.get(listing)
        return None if doubt is None or now >= doubt.ends_at else doubt.unwritten

    def written(self, waiting: Waiting) -> None:
        """A suspicion is written down."""
        doubt = self._doubts.get(waiting.update.listing)
        if doubt is not None and doubt.unwritten is waiting:
            doubt.unwritten = None

    def accepted(self, waiting: Waiting, now: float, began_at: float | None = None) -> int | None:
        """The channel accepted this update; what it was seen to show instead of the last one, if it was.

        ``began_at``: before the call was made; else now.
        """
        doubt = self._doubts.get(waiting.update.listing)
        if doubt is None:
            return None
        shown = doubt.shown
        if (now if began_at is None else began_at) >= doubt.ends_at:
            # Nothing was under way any more when this was told.
            self.forget(waiting.update.listing)
            return shown
        doubt.accepted = replace(waiting, unknowns=0, strikes=0, failed_at=None, aside=False)
        doubt.shown = None
        self._overtaken.pop(waiting.update.listing, None)
        self._wait(doubt, now)
        return shown

    def due(self, now: float) -> list[str]:
        """The listings to be read now, those that wait longest first. Those without any doubt left are dropped."""
        if now < self._next:
            return []
        self._drop_ended(now)
        due = [one for one, doubt in self._doubts.items() if doubt.shown is None and doubt.look_at <= now]
        due.sort(key=lambda one: self._doubts[one].look_at)
        self._next = min((doubt.look_at for doubt in self._doubts.values()), default=float("inf"))
        return due

    def overtaken(self) -> list[Waiting]:
        """What is to be told again."""
        told = (self._doubts[listing].accepted for listing in self._overtaken)
        return [accepted for accepted in told if accepted is not None]

    def read(self, listing: str, shown: int, now: float) -> Verdict | None:
        """The channel shows this quantity. None: it was not asked for any more."""
        doubt = self._doubts.get(listing)
        if doubt is None or doubt.accepted is None:
            return None
        verdict = judge(shown, doubt.accepted.update.quantity, *doubt.around(doubt.accepted))
        if verdict is Verdict.OVERTAKEN:
            doubt.reads += 1
            doubt.shown = shown
            self._overtaken[listing] = None
            # A channel that knows the key has done what it asks for; it is to do it once more.
            update = doubt.accepted.update
            again = update._replace(idempotency_key=f"{update.idempotency_key}:again-{round(now * 1_000_000)}")
            doubt.accepted = replace(doubt.accepted, update=again)
        else:
            self.forget(listing)
        return verdict

    def unread(self, listing: str, now: float) -> bool:
        """A listing could not be read: again after 1, 2, 4 ... times ``settle_s``. False: given up."""
        doubt = self._doubts.get(listing)
        if doubt is None:
            return True
        doubt.reads += 1
        if doubt.reads >= self.most_reads:
            self.forget(listing)
            return False
        self.later(listing, now + self.settle_s * 2 ** (doubt.reads - 1))
        return True

    def is_used_up(self, listing: str) -> bool:
        """Whether it was read as often as it may be."""
        doubt = self._doubts.get(listing)
        return doubt is not None and doubt.reads >= self.most_reads

    def later(self, listing: str, at: float) -> None:
        """Not to be read before then."""
        doubt = self._doubts.get(listing)
        if doubt is not None:
            doubt.look_at = at
            self._next = min(self._next, at)

    def forget(self, listing: str) -> None:
        """Let a listing be in doubt no longer."""
        self._doubts.pop(listing, None)
        self._overtaken.pop(listing, None)

    def inherit(self, doubts: Mapping[str, Doubt]) -> int:
        """Take over doubts of another process, as far as there is room. Returns how many.

        Those with something to read come first.
        """
        order = sorted(doubts.items(), key=lambda one: one[1].is_harmless())
        taken = order[: max(0, self._most - len(self._doubts))]
        for listing, doubt in taken:
            self.forget(listing)
            self._doubts[listing] = doubt
            self._next = min(self._next, doubt.look_at)
            self._none_ends_before = min(self._none_ends_before, doubt.ends_at)
        return len(taken)

    def disown(self, partition: int) -> None:
        """Another process tells this partition now."""
        for listing in [one for one, doubt in self._doubts.items() if doubt.partition == partition]:
            self.forget(listing)

    def _wait(self, doubt: Doubt, now: float) -> None:
        doubt.look_at = max(doubt.ends_at, now + self.settle_s)
        self._next = min(self._next, doubt.look_at)

    def _drop_ended(self, now: float) -> None:
        if now < self._none_ends_before:
            return
        for one in [one for one, doubt in self._doubts.items() if doubt.ends_at <= now and doubt.is_harmless()]:
            self.forget(one)
        ends = (doubt.ends_at for doubt in self._doubts.values() if doubt.ends_at > now)
        self._none_ends_before = min(ends, default=float("inf"))
