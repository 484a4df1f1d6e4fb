"""The shared side of a budget in Python: what the script of ``connectors.budgets_script`` does, line for line.

The simulation runs hundreds of histories against it; a test with a real server gives both the same requests and
wants the same answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from connectors.budgets_script import MAX_MEMBERS, MAX_PARTS, Answer, Status
from domain.facts import Micros
from domain.gcra import LONGEST_INTERVAL, SHARES, Slowdown
from domain.limits import CallBudget
from domain.limits_member import Request, Terms


@dataclass
class Row:
    life: str
    joined: int
    seen: Micros
    told: int


class Envelope(NamedTuple):
    """A request as it travels: who asks, until when by the store's clock, and of which run of the server.

    ``fresh``: the last answer came from another one.
    """

    name: str
    life: str
    request: Request
    deadline: Micros
    run: str
    fresh: bool


@dataclass
class Account:
    """One account in the store. A store that was restarted empty has a new one."""

    budget: CallBudget
    terms: Terms
    run: str = ""
    born: Micros | None = None
    arrivals: list[Micros] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)
    joined: int = 0
    lost: int = 0
    lost_until: Micros = 0
    slowdown: Slowdown = field(default_factory=Slowdown)
    not_before: Micros = 0
    holder: str | None = None
    open_until: Micros = 0

    def leave(self, asked: Envelope, now: Micros) -> None:
        row = self.rows.get(asked.name)
        if row is None or row.life != asked.life or now - row.seen > self.terms.forget_after:
            return
        silent = row.told > 0 and now - row.seen > self.terms.silent_after
        forgotten = any(other.told and now - other.seen > self.terms.forget_after for other in self.rows.values())
        self._bound(now)
        if asked.fresh or self.run != asked.run or silent or forgotten or self._lost_expired(now):
            self._empty(now)
        del self.rows[asked.name]
        if self.holder == asked.name:
            self.holder = None

    def _bound(self, now: Micros) -> None:
        grace = max(self.terms.alone_after, self.budget.serial)
        for index, meter in enumerate(self.budget.meters):
            if self.arrivals[index] > now + meter.tolerance + grace:
                self.arrivals[index] = now + meter.tolerance

    def _empty(self, now: Micros) -> None:
        self.arrivals = [
            meter.emptied(at, now) for meter, at in zip(self.budget.meters, self.arrivals, strict=True)
        ]

    def _lost_expired(self, now: Micros) -> bool:
        return now > self.lost_until and self.lost > 0

    def _lower(self, now: Micros, left: int | None) -> None:
        if left is not None:
            meters = zip(self.budget.meters, self.arrivals, strict=True)
            self.arrivals = [meter.lowered(at, now, left) for meter, at in meters]

    def serve(self, asked: Envelope, now: Micros) -> Answer:
        name, request = asked.name, asked.request
        late, silent_after = self.terms.use_within, self.terms.silent_after
        serial = self.budget.serial
        grace = max(self.terms.alone_after, serial)
        if 0 < asked.deadline < now:
            return Answer(Status.LATE, 0, 0, 0, now, 0, 0)
        known = {other: replace(row, seen=min(row.seen, now)) for other, row in self.rows.items()}
        rows = {other: row for other, row in known.items() if now - row.seen <= self.terms.forget_after}
        empties = asked.fresh or self.run != asked.run
        empties |= any(row.told > 0 for other, row in known.items() if other not in rows)
        me = rows.pop(name, None)
        inherits = me is not None and me.life != asked.life
        if me is not None:
            if inherits and now - me.seen <= silent_after:
                return Answer(Status.TAKEN, 0, silent_after, 0, now, 0, 0)
            empties |= me.told > 0 and now - me.seen > silent_after
            me.told = 0 if inherits else me.told
        if me is None and len(rows) >= MAX_MEMBERS:
            return Answer(Status.FULL, 0, silent_after, 0, now, 0, 0)
        if self.born is None:
            self.born = now
            self.arrivals = [now + meter.tolerance + grace for meter in self.budget.meters]
        self._bound(now)
        empties |= self._lost_expired(now)
        if empties or request.refused:
            self._empty(now)
        self._lower(now, request.left)
        self.run = asked.run
        others = sum(row.told for row in rows.values())
        silent = sum(row.told for row in rows.values() if now - row.seen > silent_after)
        if now > self.lost_until:
            self.lost = 0
        if me is None:
            self.joined += 1
            me = Row(asked.life, self.joined, now, 0)
            if request.holds and not self.lost_until:
                self.lost, self.lost_until = (
                    max(0, SHARES - others - request.holds),
                    now + self.terms.forget_after,
                )
            elif request.holds:
                self.lost = max(0, self.lost - request.holds)
        before = sum(row.joined < me.joined for row in rows.values())
        entitled = min(len(rows) + 1, self.budget.parts, MAX_PARTS)
        free, share = SHARES - others - self.lost, 0
        if before < entitled and not (request.holds == 0 and now - self.born < grace):
            target = SHARES // entitled
            if target > free:
                target = min(request.holds, target)
            if target <= free:
                share = target
        live = max(0, SHARES - silent - self.lost)
        self.slowdown = self.slowdown._replace(at=min(self.slowdown.at, now))
        if request.refused:
            self.slowdown = self.slowdown.refused(now)
            self.not_before = max(self.not_before, now + request.retry_after)
        factor = self.slowdown.now(now)
        self.not_before = min(self.not_before, now + LONGEST_INTERVAL)
        if serial:
            self.open_until = min(self.open_until, now + late + serial)
            if self.holder == name and not request.calling:
                self.holder, self.open_until = None, 0
            if (empties or inherits) and not request.calling:
                self.open_until = max(self.open_until, now + late + serial)
        granted, wait = self._grant(request.wanted, request.least, live, factor, now)
        if granted and serial:
            self.holder, self.open_until = name, now + late + serial
        self.rows = {**rows, name: Row(asked.life, me.joined, now, max(request.holds, share))}
        return Answer(Status.SERVED, granted, wait, share, now, live, factor)

    def _grant(self, wanted: int, least: int, live: int, factor: int, now: Micros) -> tuple[int, Micros]:
        granted, wait = wanted, max(0, self.not_before - now)
        if self.budget.serial:
            granted, wait = min(granted, 1), max(wait, self.open_until - now)
        if wait > 0:
            granted = 0
        metered = []
        for documented, arrival in zip(self.budget.meters, self.arrivals, strict=True):
            part = documented.part(live)
            if part is None:
                granted, wait = 0, max(wait, self.terms.silent_after)
            meter = (part or documented).used_within(self.terms.use_within).slowed(factor)
            metered.append(meter)
            granted = meter.take(arrival, now, granted)[0]
        if granted < least:
            granted = 0
        more = 1 if granted else max(1, least)
        for index, meter in enumerate(metered):
            after = meter.take(self.arrivals[index], now, granted)[1]
            wait = max(wait, meter.wait(after, now, more))
            if granted:
                self.arrivals[index] = after
        return granted, wait
