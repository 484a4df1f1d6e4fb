"""Which listings are in doubt: a call for them had no answer, and may still overwrite what was accepted since.

A call is under way for ``settle_s`` at most after it was given up; that is the one thing believed here. What was
accepted within that time is read back once nothing can be under way any more. A listing for which the calls
without answer said nothing else than what was accepted last is in no doubt: whichever came last, it shows that.

Decisions only: times are seconds of any clock that does not go back, and are arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from itertools import islice

from connectors.channels.backlog import Waiting

MOST_DOUBTS = 10_000
"""Listings that can be in doubt at once. What comes beyond them is sent as ever, and not read back."""
MOST_QUANTITIES = 16
"""Quantities without answer that are remembered of a listing, the last ones."""


class Verdict(Enum):
    """What a quantity that was read says."""

    AS_TOLD = "AS_TOLD"
    """It is the one that was accepted last."""
    OVERTAKEN = "OVERTAKEN"
    """More than that, or what a call without answer said: to be told again."""
    LESS = "LESS"
    """Less than that, and nothing we said: the channel has sold since. Telling it again would undo the sale."""


def judge(shown: int, accepted: int, unanswered: tuple[int, ...]) -> Verdict:
    """What the channel shows, against what it accepted last and what it gave no answer to."""
    if shown == accepted:
        return Verdict.AS_TOLD
    return Verdict.OVERTAKEN if shown > accepted or shown in unanswered else Verdict.LESS


@dataclass(slots=True)
class Doubt:
    """One listing in doubt. ``unanswered``: quantities of the calls without answer.

    ``ends_at``: from then on none of them can be under way. ``accepted``: what was accepted since, to be read back
    from ``look_at`` on. ``shown``: what was read instead, until ``accepted`` is told again. ``unwritten``: a call
    without answer that nobody wrote down, because another process may have made it.
    """

    partition: int
    unanswered: tuple[int, ...]
    ends_at: float
    look_at: float
    accepted: Waiting | None = None
    reads: int = 0
    shown: int | None = None
    unwritten: Waiting | None = None

    def is_harmless(self) -> bool:
        """Whether the calls without answer could change nothing, however late they come."""
        return self.accepted is None or {*self.unanswered} <= {self.accepted.update.quantity}


class Doubts:
    """The listings in doubt, at most ``most``; each is read at most ``most_reads`` times."""

    def __init__(self, settle_s: float, most_reads: int, most: int = MOST_DOUBTS) -> None:
        self.settle_s = settle_s
        self.most_reads = most_reads
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
        listing, quantity = waiting.update.listing, waiting.update.quantity
        doubt = self._doubts.get(listing)
        if doubt is None:
            if len(self._doubts) >= self._most:
                self._drop_ended(now)
            if len(self._doubts) >= self._most:
                return False
            doubt = self._doubts[listing] = Doubt(waiting.partition, (), 0.0, 0.0)
        if doubt.accepted is not None and doubt.accepted.update.publish_seq != waiting.update.publish_seq:
            # A newer value is on its way, and is told until it is answered: nothing older is told again.
            doubt.accepted = None
        others = tuple(one for one in doubt.unanswered if one != quantity)
        doubt.unanswered = (*others, quantity)[-MOST_QUANTITIES:]
        doubt.partition, doubt.shown = waiting.partition, None
        self._overtaken.pop(listing, None)
        self._wait(doubt, now)
        doubt.ends_at = doubt.look_at
        self._none_ends_before = min(self._none_ends_before, doubt.ends_at)
        return True

    def suspected(self, waiting: Waiting, now: float) -> bool:
        """Another process may have sent this and heard no answer. False: there is no room to remember that."""
        if not self.unanswered(waiting, now):
            return False
        self._doubts[waiting.update.listing].unwritten = waiting
        return True

    def unwritten(self, listing: str, now: float) -> Waiting | None:
        """What was suspected and may still be under way; from now on it counts as written down."""
        doubt = self._doubts.get(listing)
        if doubt is None or doubt.unwritten is None:
            return None
        unwritten, doubt.unwritten = doubt.unwritten, None
        return unwritten if now < doubt.ends_at else None

    def accepted(self, waiting: Waiting, now: float) -> int | None:
        """The channel accepted this update; what it was seen to show instead of the last one, if it was."""
        doubt = self._doubts.get(waiting.update.listing)
        if doubt is None:
            return None
        shown = doubt.shown
        if now >= doubt.ends_at:
            # Nothing was under way any more when this was accepted.
            self.forget(waiting.update.listing)
            return shown
        doubt.accepted = replace(waiting, unknowns=0, strikes=0, failed_at=None, aside=False)
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
        verdict = judge(shown, doubt.accepted.update.quantity, doubt.unanswered)
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
        """Take over doubts of another process, the first ones that there is room for. Returns how many."""
        taken = list(islice(doubts.items(), max(0, self._most - len(self._doubts))))
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
        doubt.look_at = now + self.settle_s
        self._next = min(self._next, doubt.look_at)

    def _drop_ended(self, now: float) -> None:
        if now < self._none_ends_before:
            return
        for one in [one for one, doubt in self._doubts.items() if doubt.ends_at <= now and doubt.is_harmless()]:
            self.forget(one)
        ends = (doubt.ends_at for doubt in self._doubts.values() if doubt.ends_at > now)
        self._none_ends_before = min(ends, default=float("inf"))
