"""Sums at one location: demand, and per bucket the balance with the movements around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from domain.facts import SELLABLE, Balance, Micros
from domain.movements import Evidence, Move, after, ambiguous, contained
from domain.numbers import Finding, LocationNumbers, Variance
from domain.policy import LocationPolicy

BEGINNING: Micros = -(2**63)
BEFORE_BEGINNING: Micros = BEGINNING - 1
END: Micros = 2**63
"""No time is before the first two or after this."""


class BucketStock:
    """The balances of one bucket, newest first, and its movements, with the sum of those not in the balance.

    Movements that every kept balance certainly contains are put aside (``settled``), so that the next balance is
    held only against what happened since the last ones.
    """

    __slots__ = (
        "after",
        "balances",
        "between",
        "doubtless_after",
        "evidence",
        "horizon",
        "recent",
        "settled",
        "uncertain",
    )

    def __init__(self) -> None:
        self.balances: tuple[Balance, ...] = ()
        self.evidence: tuple[Evidence, ...] = ()
        self.recent: dict[tuple[str, ...], Move] = {}
        self.settled: dict[tuple[str, ...], Move] = {}
        self.horizon = BEGINNING
        """Movements posted before this are in every kept balance, and no clock doubts it."""
        self.doubtless_after = BEFORE_BEGINNING
        """Movements posted after this happened since the newest balance, beyond doubt."""
        self.after = 0
        """Units moved since the newest balance (semantics: sum of M not included in B)."""
        self.uncertain = 0
        """Units, without sign, of which the clocks cannot say whether the balance counted them."""
        self.between = 0
        """Units moved after the earlier balance and contained in the newest."""

    def moves(self) -> Iterator[Move]:
        """Movements that a kept balance may not contain."""
        yield from self.recent.values()

    def state_balances(self, balances: tuple[Balance, ...], evidence: tuple[Evidence, ...]) -> None:
        """Count from other balances: the movements are held against the newest one again."""
        self.balances, self.evidence = balances, evidence
        horizon = min((_settled_before(one) for one in evidence), default=BEGINNING)
        if horizon < self.horizon:
            self.recent.update(self.settled)
            self.settled.clear()
        self.horizon = horizon
        self.doubtless_after = _doubtless_after(evidence[0]) if evidence else BEFORE_BEGINNING
        self.after = self.uncertain = self.between = 0
        for name, move in list(self.recent.items()):
            if move.posted_at < horizon:
                self.settled[name] = self.recent.pop(name)
            else:
                self._weigh(move, +1)

    def add(self, name: tuple[str, ...], move: Move) -> None:
        """Count a movement."""
        posted_at = move.posted_at
        if posted_at > self.doubtless_after:  # nearly every event
            self.recent[name] = move
            self.after += move.delta
        elif posted_at < self.horizon:
            self.settled[name] = move
        else:
            self.recent[name] = move
            self._weigh(move, +1)

    def remove(self, name: tuple[str, ...]) -> None:
        """Stop counting a movement."""
        move = self.recent.pop(name, None)
        if move is None:
            del self.settled[name]
        else:
            self._weigh(move, -1)

    def _weigh(self, move: Move, sign: int) -> None:
        if move.posted_at > self.doubtless_after:
            self.after += sign * move.delta
            return
        evidence = self.evidence
        newest = evidence[0]
        if ambiguous(move, newest):
            self.uncertain += sign * abs(move.delta)
        self.after += sign * after(move, newest)
        if len(evidence) > 1 and contained(move, newest) and not contained(move, evidence[1]):
            self.between += sign * move.delta


def _settled_before(evidence: Evidence) -> Micros:
    return evidence.horizon if evidence.listed is not None else evidence.as_of - evidence.clock_skew


def _doubtless_after(newest: Evidence) -> Micros:
    return END if newest.listed is not None else newest.as_of + newest.clock_skew


class Answer(NamedTuple):
    """What a place contributes to an assessment."""

    numbers: LocationNumbers
    findings: tuple[Finding, ...]
    variances: tuple[Variance, ...]


class Place:
    """Demand and stock of a SKU at one location. ``answer`` is the last answer while nothing changed."""

    __slots__ = (
        "answer",
        "disposed",
        "in_transit",
        "location",
        "mentions",
        "reserved",
        "returned",
        "rules",
        "sellable",
        "soft_reserved",
        "stocks",
    )

    def __init__(self, location: str, rules: LocationPolicy) -> None:
        self.location = location
        self.rules = rules
        self.mentions = 0
        """How many facts name the location; a place nobody names any more is not shown."""
        self.reserved = 0
        self.soft_reserved = 0
        self.in_transit = 0
        self.returned = 0
        self.disposed = 0
        self.sellable = BucketStock()
        self.stocks = _NO_STOCKS
        """The other buckets."""
        self.answer: Answer | None = None

    def stock(self, bucket: str) -> BucketStock:
        """The bucket's sums, made on first mention."""
        if bucket == SELLABLE:
            return self.sellable
        stock = self.stocks.get(bucket)
        if stock is None:
            stock = BucketStock()
            self.stocks = {**self.stocks, bucket: stock}
        return stock


_NO_STOCKS: dict[str, BucketStock] = {}
"""Shared by all places where nothing but sellable stock is known. Never written to."""
