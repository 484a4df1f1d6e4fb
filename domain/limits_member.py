"""One sink among those that share a budget: what it may do with the shared store, and what without it.

With the store, every call needs a token leased from it, used soon after. When the store does not answer, the
member is silent to it; the store sets the share of a silent member aside. Only when that has certainly happened
the member goes on alone, with the share it was told, from an empty bucket. It stops before it asks to come back.
Times are monotonic microseconds. See decision 0014 for why the sum keeps to the limit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from domain.facts import SECOND, Micros
from domain.gcra import Gcra, Slowdown
from domain.limits import CallBudget


class Terms(NamedTuple):
    """What members and store agree on; all microseconds, and the same for everybody.

    ``use_within``: how old a leased token may get. ``silent_after``: when the store sets a share aside.
    ``alone_after``: when its member may begin to use it; the difference is what clocks may be apart.
    ``forget_after``: when a silent member's share goes back to the others, and it must have stopped.
    """

    use_within: Micros = 100_000
    silent_after: Micros = 2 * SECOND
    alone_after: Micros = 3 * SECOND
    forget_after: Micros = 900 * SECOND
    heartbeat: Micros = SECOND // 2


class Standing(Enum):
    """How a member stands to the store."""

    SHARED = "shared"
    """The store answers; tokens are leased from it."""
    WAITING = "waiting"
    """The store does not answer, and may not have noticed yet. No calls."""
    ALONE = "alone"
    """The store does not answer. Calls at our share of the rate."""
    WITHOUT = "without"
    """The store does not answer, and we have no share, or no longer. No calls."""


class Request(NamedTuple):
    """What to ask of the store. ``void_after``: when it must not be carried out any more, in our time.

    ``least``: fewer of the ``wanted`` tokens are of no use. ``left``: how many the channel says are left; None: it
    said nothing new.
    """

    wanted: int
    holds: int
    refused: bool
    retry_after: Micros
    calling: bool
    void_after: Micros
    least: int = 1
    left: int | None = None


class Reply(NamedTuple):
    """What the store said: tokens, the wait until there is one more, and the share for when it will be gone.

    Where no token was granted, the wait is until there are ``least``.
    """

    granted: int
    wait: Micros
    share: int


@dataclass(slots=True)
class Member:
    """The state of one member. ``timeout`` bounds one request, ``lease`` the tokens it asks for."""

    budget: CallBudget
    terms: Terms
    timeout: Micros
    lease: int = 1
    share: int = 0
    incidents: int = 0
    """Calls that the channel refused as too fast."""
    shared: bool = field(init=False, default=False)
    _contact: Micros | None = field(init=False, default=None)
    _asked: Request | None = field(init=False, default=None)
    _asked_at: Micros = field(init=False, default=0)
    _lost_at: Micros = field(init=False, default=0)
    _wanted: int = field(init=False, default=0)
    _least: int = field(init=False, default=1)
    _left: int | None = field(init=False, default=None)
    _retry_at: Micros = field(init=False, default=0)
    _likely_at: Micros = field(init=False, default=0)
    _heartbeat_at: Micros = field(init=False, default=0)
    _tokens: int = field(init=False, default=0)
    _usable_until: Micros = field(init=False, default=0)
    _arrivals: list[Micros] | None = field(init=False, default=None)
    _slowdown: Slowdown = field(init=False, default_factory=Slowdown)
    _not_before: Micros = field(init=False, default=0)
    _unreported: bool = field(init=False, default=False)
    _calling_until: Micros = field(init=False, default=0)

    def standing(self, now: Micros) -> Standing:
        """How we stand at ``now``."""
        if self.shared:
            return Standing.SHARED
        longest = self.terms.forget_after - self.terms.alone_after - self.budget.serial
        if not self.share or self._contact is None or now >= self._contact + longest:
            return Standing.WITHOUT
        return Standing.ALONE if now >= self._alone_from else Standing.WAITING

    @property
    def _alone_from(self) -> Micros:
        # A call that another member began just before it was refused more may last as long as a call can.
        return self._lost_at + self.terms.alone_after + self.budget.serial

    # -- calls

    @property
    def most(self) -> int:
        """How many calls can be had at once, if nothing else is used."""
        bursts = [meter.used_within(self.terms.use_within).burst for meter in self.budget.meters]
        return 1 if self.budget.serial else min(self.lease, *bursts)

    def wait(self, now: Micros, wanted: int = 1, least: int = 1) -> Micros | None:
        """Microseconds until a call is worth trying; 0: ``take`` grants it now; None: nobody can say.

        ``wanted``: for how many calls tokens shall be leased; those that are not used are lost. ``least``: with
        fewer there is nothing to try; all that can be had at once, if that is less.
        """
        least = min(least, self.most)
        if least < self._least:
            self._retry_at = 0  # the store was asked for more than that
        self._wanted, self._least = wanted, least
        if self._calls(now):
            return max(1, self._calling_until - now)
        held_back = max(0, self._not_before - now)
        standing = self.standing(now)
        if standing is Standing.SHARED:
            if self._usable(now) and not held_back:
                return 0
            return max(held_back, self._retry_at - now, 1)
        if standing is Standing.WITHOUT:
            return None
        if standing is Standing.WAITING:
            return max(held_back, self._alone_from - now)
        if self._asked is not None:
            return max(held_back, 1)
        waits = [meter.wait(at, now, min(self._least, meter.burst)) for meter, at in self._alone(now)]
        return max(held_back, *waits)

    def likely(self, now: Micros) -> Micros | None:
        """Microseconds until there will be a token unless others take it first; None: nobody can say.

        Asks for none: a lease that is not used is lost, and of a slow route that is much.
        """
        if self.standing(now) is Standing.SHARED:
            return max(0, self._not_before - now, self._likely_at - now)
        return self.wait(now, 0)

    def take(self, now: Micros, wanted: int = 1, least: int = 1) -> int:
        """Use up to ``wanted`` calls, to be made at once. 0: there are fewer than ``least`` now."""
        if self.wait(now, self._wanted, least) != 0:
            return 0
        taken = min(wanted, self.most)
        if self.shared:
            taken = min(taken, self._tokens)
            self._tokens -= taken
        else:
            meters = self._alone(now)
            taken = min(meter.take(at, now, taken)[0] for meter, at in meters)
            self._arrivals = [meter.take(at, now, taken)[1] for meter, at in meters]
        if self.budget.serial:
            self._calling_until = now + self.budget.serial
        self._wanted = 0
        return taken

    def lower(self, now: Micros, left: int) -> None:
        """The channel says that no more than ``left`` calls are left to all of us: the budget is lowered to it."""
        if self.shared:
            self._left = left if self._left is None else min(self._left, left)
        elif self._arrivals is not None:
            # Of a share of the rate it is the same share that is left, so that the documented meter decides.
            pairs = zip(self.budget.meters, self._arrivals, strict=True)
            self._arrivals = [meter.lowered(at, now, left) for meter, at in pairs]

    def ended(self, now: Micros) -> None:
        """The call that was taken is over."""
        if self._calls(now):
            self._calling_until = now
            self._heartbeat_at = now  # so that the others need not wait

    def refused(self, now: Micros, retry_after: Micros = 0) -> None:
        """The channel refused a call as too fast: a rate-limit incident. Everybody slows down."""
        self.incidents += 1
        self._slowdown = self._slowdown.refused(now)
        self._not_before = max(self._not_before, now + retry_after)
        self._tokens = 0
        self._unreported = True
        if self._arrivals is not None and self.standing(now) is Standing.ALONE:
            self._arrivals = [meter.emptied(at, now) for meter, at in self._alone(now)]

    # -- the store

    def request(self, now: Micros) -> Request | None:
        """What to ask now, if anything; then ``answered`` or ``failed`` must follow. Calls alone end here."""
        if now < self.next_at(now):
            return None
        if self.standing(now) is Standing.WITHOUT:
            self.share = 0
        if not self.shared:
            self._arrivals = None
        asks = not self._usable(now) and now >= self._not_before
        wanted = min(self._wanted, self.lease) if asks else 0
        self._asked = Request(
            wanted,
            self.share,
            self._unreported,
            max(0, self._not_before - now) if self._unreported else 0,
            self._calls(now),
            now + self.timeout,
            min(self._least, wanted),
            self._left,
        )
        self._left = None
        self._asked_at = now
        return self._asked

    def next_at(self, now: Micros) -> Micros:
        """When ``request`` will have something to ask."""
        if not self.shared:
            # Nobody but us may know of a call made alone: it has to end before the store hands out calls again.
            return max(now, self._calling_until)
        if self._unreported or self._left is not None:
            return now
        if self._wanted and not self._calls(now) and not self._usable(now):
            return min(self._heartbeat_at, max(self._retry_at, self._not_before))
        return self._heartbeat_at

    def answered(self, now: Micros, reply: Reply) -> None:
        """The store answered the last request."""
        asked = self._asked
        assert asked is not None
        self._asked, self.shared, self._contact = None, True, self._asked_at
        self.share = reply.share
        self._heartbeat_at = self._asked_at + self.terms.heartbeat
        self._likely_at = now + reply.wait
        if asked.refused:
            self._unreported = False
        if asked.wanted:
            self._tokens, self._usable_until = reply.granted, self._asked_at + self.terms.use_within
            more = asked.least > self._least  # than is wanted by now
            self._retry_at = now if reply.granted or more else now + reply.wait

    def failed(self, now: Micros) -> None:
        """The store did not answer, or not as it should; or there is no connection to it."""
        if self._asked is not None:
            # It may still be carried out, until then.
            self._lost_at = max(now, self._asked.void_after)
        elif self.shared:
            self._lost_at = now
        self._asked, self.shared, self._tokens, self._retry_at, self._left = None, False, 0, 0, None

    def turned_away(self) -> None:
        """The store did not take us among the members, so that we have no share of anything."""
        self._asked, self.shared, self._tokens, self.share, self._left = None, False, 0, 0, None

    # -- within

    def _calls(self, now: Micros) -> bool:
        return now < self._calling_until

    def _usable(self, now: Micros) -> bool:
        return self._tokens >= self._least and now <= self._usable_until

    def _alone(self, now: Micros) -> list[tuple[Gcra, Micros]]:
        """Our part of each meter with its arrival time. It is empty when we begin."""
        parts = [meter.part(self.share) for meter in self.budget.meters]
        usable = [part for part in parts if part is not None]
        assert len(usable) == len(parts), "the store tells no share that is less than a call"
        if self._arrivals is None:
            self._arrivals = [part.emptied(0, self._alone_from) for part in usable]
        factor = self._slowdown.now(now)
        return list(zip((part.slowed(factor) for part in usable), self._arrivals, strict=True))
