"""A small world around a shared budget: members with clocks, a network that delays and cuts, a store that is lost.

Everything follows from the seed. Calls are counted where the channel sees them.
"""

from __future__ import annotations

import copy
import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from connectors.budgets_script import Answer, Status
from domain.facts import SECOND, Micros
from domain.limits import CallBudget
from domain.limits_member import Member, Reply, Request, Standing, Terms
from tests.simulation.budget_channel import ChannelBucket
from tests.simulation.budget_store import Account, Envelope

TIMEOUT: Micros = 200_000
SHORTEST_WAIT: Micros = 3_000
BEGIN: Micros = 1_000_000 * SECOND


class Call(NamedTuple):
    began: Micros
    ended: Micros
    by: str
    standing: Standing


class Store:
    """The server: up or down, with a clock of its own, and what a replica knew a moment ago."""

    def __init__(self, budget: CallBudget, terms: Terms) -> None:
        self._new: Callable[[], Account] = lambda: Account(budget, terms)
        self.account = self._new()
        self.replica = copy.deepcopy(self.account)
        self.up = True
        self.slow: Micros = 0
        self.offset: Micros = 0
        self.life = 0
        self.run = "run0"

    def now(self, now: Micros) -> Micros:
        return now + self.offset

    def replicate(self) -> None:
        self.replica = copy.deepcopy(self.account)

    def go_down(self) -> None:
        self.up = False
        self.life += 1

    def come_back(self, how: str, offset: Micros) -> None:
        if how == "empty":
            self.account = self._new()
        elif how == "stale":
            self.account, self.offset = copy.deepcopy(self.replica), offset
        if how != "down":
            self.run = f"run{self.life}"
        self.up = True


@dataclass
class Site:
    """A process with a member in it: the loop of ``connectors.budgets`` without its sockets."""

    world: World
    name: str
    life: str
    offset: Micros
    wants: list[tuple[Micros, Micros]]
    member: Member = field(init=False)
    alive: bool = True
    cut: str = ""
    """'' or 'both' or 'answers': what the network loses."""
    connected: int | None = None
    """The life of the store that the connection is to."""
    run: str = ""
    last_run: str = ""
    waiting_until: Micros | None = None
    exchange: int = 0
    try_at: Micros = 0
    server_at: tuple[Micros, Micros] = (0, 0)
    size: tuple[int, int] = (1, 1)
    """The tokens that its next call takes, and how many it can do with."""

    def __post_init__(self) -> None:
        self.member = Member(self.world.budget, self.world.terms, TIMEOUT, self.world.lease)
        self.size = self.world.size()

    def clock(self) -> Micros:
        return self.world.now + self.offset

    def wake(self) -> None:
        """Do what is due, and come again when something is."""
        if not self.alive:
            return
        now = self.clock()
        if self.waiting_until is not None and now >= self.waiting_until:
            self._lost()
        if self.waiting_until is None and now >= self.try_at:
            self._ask()
        next_at = [now + SECOND]
        if self._wants():
            while taken := self.member.take(now, *self.size):
                self.world.call(self, taken)
                self.size = self.world.size()
            wait = self.member.wait(now, *self.size)
            if wait is not None:
                next_at.append(now + max(wait, SHORTEST_WAIT))
        if self.waiting_until is not None:
            next_at.append(self.waiting_until)
        elif self.connected is None:
            next_at.append(self.try_at)
        else:
            next_at.append(max(self.try_at, self.member.next_at(now)))
        self.world.at(max(now + 1, min(next_at)) - self.offset, self.wake_if(self.world.sequence()))

    def wake_if(self, token: int) -> Callable[[], None]:
        self._token = token

        def wake() -> None:
            if self._token == token:
                self.wake()

        return wake

    def _wants(self) -> bool:
        return any(since <= self.world.now < until for since, until in self.wants)

    def _ask(self) -> None:
        now = self.clock()
        if self.connected is None:
            self._send(None)
            return
        request = self.member.request(now)
        if request is not None:
            server, received = self.server_at
            fresh = self.last_run not in ("", self.run)
            deadline = server + request.void_after - received
            self._send(Envelope(self.name, self.life, request, deadline, self.run, fresh))

    def farewell(self) -> Envelope:
        """What it says when it ends."""
        nothing = Request(0, 0, False, 0, False, 0, 0)
        return Envelope(self.name, self.life, nothing, 0, self.run, self.last_run not in ("", self.run))

    def _send(self, asked: Envelope | None) -> None:
        """A probe, or a request; with a connection of its own, or the one there is."""
        world, store, now = self.world, self.world.store, self.clock()
        self.exchange += 1
        self.waiting_until = now + TIMEOUT
        number, life = self.exchange, self.connected

        def arrive() -> None:
            if not store.up or self.cut == "both" or (asked and store.life != life):
                return
            told = store.account.serve(asked, store.now(world.now)) if asked else store.now(world.now)
            lived, run = store.life, store.run
            if self.cut != "answers":
                world.at(world.now + world.delay(), lambda: self._answer(number, told, lived, run))

        world.at(world.now + world.delay(), arrive)

    def _answer(self, number: int, told: Answer | Micros, life: int, run: str) -> None:
        now = self.clock()
        if not self.alive or number != self.exchange or self.waiting_until is None or now >= self.waiting_until:
            return
        self.waiting_until = None
        if isinstance(told, int):
            self.connected, self.run, self.server_at = life, run, (told, now)
        elif told.status is Status.SERVED:
            self.last_run, self.server_at = self.run, (told.now, now)
            self.member.answered(now, Reply(told.granted, told.wait, told.share))
        elif told.status is Status.LATE:
            self._lost()
        else:
            self.member.turned_away()
            self.try_at = now + SECOND // 2
        self.wake()

    def _lost(self) -> None:
        self.member.failed(self.clock())
        self.connected, self.waiting_until = None, None
        self.try_at = self.clock() + self.world.random.randrange(50_000, 500_000)


class World:
    """Members, the store between them, and the channel that counts."""

    def __init__(
        self, seed: int, budget: CallBudget, terms: Terms, members: int, lasts: Micros, *, lease: int = 1
    ) -> None:
        self.random = Random(seed)
        self.lease = lease
        self.bucket: ChannelBucket | None = None
        self.answers = True
        terms = terms._replace(use_within=budget.lease_age(terms.use_within))
        self.budget, self.terms = budget, terms
        self.now: Micros = BEGIN
        self.end = BEGIN + lasts
        self.store = Store(budget, terms)
        self.calls: list[Call] = []
        self.longest_call: Micros = 1
        self._numbers = itertools.count()
        self._agenda: list[tuple[Micros, int, Callable[[], None]]] = []
        self.sites: list[Site] = []
        for number in range(members):
            self.start(f"sink/{number}", BEGIN + self.random.randrange(2 * SECOND))

    def sequence(self) -> int:
        return next(self._numbers)

    def at(self, when: Micros, what: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (max(when, self.now), self.sequence(), what))

    def start(self, name: str, when: Micros) -> None:
        site = Site(self, name, f"life{self.sequence()}", self.random.randrange(10**12), list(self._phases()))
        self.sites.append(site)
        self.at(when, site.wake)

    def kill(self, site: Site, again_as: str | None) -> None:
        """SIGKILL: nothing is said to anybody."""
        site.alive = False
        if again_as is not None:
            self.start(again_as, self.now + self.random.randrange(3 * SECOND))

    def leave(self, site: Site, again_as: str | None) -> None:
        """SIGTERM: the share is given back, if the store can be reached."""
        self.kill(site, again_as)

        def arrive() -> None:
            if self.store.up and not site.cut:
                site.run = self.store.run
                self.store.account.leave(site.farewell(), self.store.now(self.now))

        self.at(self.now + self.delay(), arrive)

    def delay(self) -> Micros:
        return self.random.randrange(100, 20_000) + self.store.slow

    def size(self) -> tuple[int, int]:
        """Of a call: one token unless a lease may be of several; then all of them are needed, or any part."""
        wanted = self.random.choice([1, 1, 2, 3, self.lease]) if self.lease > 1 else 1
        return wanted, self.random.choice([1, wanted]) if wanted > 1 else 1

    def call(self, site: Site, tokens: int = 1) -> None:
        lasts = self.random.randrange(self.longest_call)
        if self.longest_call > 1:
            self.at(self.now + lasts, lambda: (site.member.ended(site.clock()), site.wake())[0])
        standing = site.member.standing(site.clock())
        self.calls += tokens * [Call(self.now, self.now + lasts, site.name, standing)]
        if self.bucket is not None:
            left = self.bucket.spend(self.now, tokens)
            if self.answers:
                self.at(self.now + self.delay(), lambda: self._answer(site, left))

    def _answer(self, site: Site, left: int) -> None:
        """The channel has said how much is left."""
        if site.alive:
            site.member.lower(site.clock(), left)
            site.wake()

    def run(self) -> None:
        while self._agenda and self._agenda[0][0] < self.end:
            self.now, _, what = heapq.heappop(self._agenda)
            what()

    def _phases(self) -> Iterator[tuple[Micros, Micros]]:
        """When a member wants to call: as fast as it may, or after a rest that fills its bucket."""
        if self.random.random() < 0.6:
            yield BEGIN, self.end
            return
        at = BEGIN
        while at < self.end:
            since = at + self.random.randrange(4 * SECOND)
            at = since + self.random.randrange(1, 4 * SECOND)
            yield since, at


def excess(calls: list[Micros], interval: Micros) -> float:
    """The most calls that any period has above rate x time: for a bucket, at most its burst."""
    worst, lowest = 0, 0
    for number, at in enumerate(sorted(calls)):
        # A period begins with a call and ends with one.
        lowest = min(lowest, number * interval - (at - BEGIN)) if number else -(at - BEGIN)
        worst = max(worst, (number + 1) * interval - (at - BEGIN) - lowest)
    return worst / interval
