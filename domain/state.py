"""The state of a SKU: the set of facts known about it, and nothing else (semantics section 1).

Facts are grouped into *units*: the facts of one order line, one transfer, one reservation ... ``fold`` is the
only way to add one. Folding is a join: of two facts with the same business key the preferred one stays, and of
the balances of a bucket the two newest (the newest to count from, the one before it to explain a variance).
So recovery and merging are nothing but folding again, in any order, any number of times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from domain import findings
from domain.facts import Adjustment, Balance, Fact, FactKey, LineVersion, fact_key, preferred
from domain.quick import new
from domain.units import (
    ADJUSTMENT,
    IDENTITY,
    LINE,
    RESERVATION,
    UNIT_OF,
    Group,
    Unit,
    document_of,
    newness,
    unit_of,
)

KEPT_BALANCES = 2
SMALL_UNITS = 32
"""A SKU with fewer units is not searched for facts to forget."""

_NOTHING: Group = ()
_NO_INDEX: dict[str, tuple[Unit, ...]] = {}
"""Shared by all SKUs without echoes, which is most of them. Never written to."""


class Folded(NamedTuple):
    """What folding a fact did.

    ``kept`` is the fact to write down, or None when nothing changed; ``finding`` is "", DUPLICATE,
    CONFLICTING_DUPLICATE or SUPERSEDED_SNAPSHOT; ``dropped`` are keys that no longer count.
    """

    kept: Fact | None
    finding: str = ""
    dropped: tuple[FactKey, ...] = ()


class Observer(Protocol):
    """Keeps sums over the units up to date."""

    def changed(self, unit: Unit, before: Group, after: Group) -> None:
        """A unit on which no other depends has changed."""

    def line_grew(self, unit: Unit, before: Group, after: Group) -> None:
        """One fact more is known of an order line on which no other unit depends."""

    def leave(self, units: Iterable[Unit]) -> None:
        """Units that depend on each other are about to change."""

    def enter(self, units: Iterable[Unit]) -> None:
        """The same units are as they will stay."""


class SkuState:
    """The facts of one SKU by unit, with indexes of the documents they name.

    ``observer``, if any, is told of every change; it can be dropped at any time to save memory.
    """

    __slots__ = ("_reservations", "documents", "echoes", "observer", "sku", "units", "worth_pruning_at")

    def __init__(self, sku: str) -> None:
        self.sku = sku
        self.units: dict[Unit, Group] = {}
        self.documents = _NO_INDEX
        """Shipment, return and transfer ids -> units that report them first-hand. Kept from the first echo on."""
        self.echoes = _NO_INDEX
        """Document ids -> adjustments that claim to echo them."""
        self._reservations = 0
        """Number of reservations; without any, no line converts one."""
        self.observer: Observer | None = None
        self.worth_pruning_at = SMALL_UNITS
        """Number of units from which looking for facts to forget pays: twice what the last look left."""

    def facts(self) -> Iterator[Fact]:
        """Every fact, in no particular order."""
        for group in self.units.values():
            yield from group

    def fold(self, fact: Fact) -> Folded:
        """Add a fact to the set. Never raises for a valid fact; oddities come back as findings."""
        kind = type(fact)
        unit = UNIT_OF[kind](fact)
        group = self.units.get(unit, _NOTHING)
        if group:
            identity = IDENTITY[kind]
            for known in group:
                if type(known) is kind and identity(known) == identity(fact):
                    return self._settle(unit, group, known, fact)
            if kind is Balance:
                return self._rank_balance(unit, group, fact)
        after = group + (fact,)  # noqa: RUF005 - half the time, for every event
        if unit[0] == LINE and not self._reservations and self.echoes is _NO_INDEX:
            # Nearly every event: nothing else depends on the line.
            self.units[unit] = after
            if self.observer is not None:
                self.observer.line_grew(unit, group, after)
        else:
            self._put(unit, group, after, (fact,))
        return new(Folded, (fact, "", ()))

    def forget(self, facts: Iterable[Fact]) -> None:
        """Remove facts whose absence changes no number (``domain.pruning`` says which)."""
        gone: dict[Unit, list[Fact]] = {}
        for fact in facts:
            gone.setdefault(unit_of(fact), []).append(fact)
        for unit, leaving in gone.items():
            group = self.units.get(unit, ())
            remaining = tuple(fact for fact in group if fact not in leaving)
            self._put(unit, group, remaining, tuple(leaving))
        self.worth_pruning_at = max(SMALL_UNITS, 2 * len(self.units))

    def _settle(self, unit: Unit, group: Group, known: Fact, fact: Fact) -> Folded:
        if known == fact:
            return Folded(None, findings.DUPLICATE)
        winner = preferred(known, fact)
        if winner is known:
            return Folded(None, findings.CONFLICTING_DUPLICATE)
        after = tuple(winner if one is known else one for one in group)
        if type(winner) is Balance:
            after = tuple(sorted(after, key=newness, reverse=True))
        self._put(unit, group, after, (known, winner))
        return Folded(winner, findings.CONFLICTING_DUPLICATE)

    def _rank_balance(self, unit: Unit, group: Group, fact: Fact) -> Folded:
        ranked = sorted((*group, fact), key=newness, reverse=True)
        kept = tuple(ranked[:KEPT_BALANCES])
        finding = "" if kept[0] is fact else findings.SUPERSEDED_SNAPSHOT
        if fact not in kept:
            return Folded(None, finding)
        self._put(unit, group, kept, (fact,))
        return Folded(fact, finding, tuple(map(fact_key, ranked[KEPT_BALANCES:])))

    def _put(self, unit: Unit, before: Group, after: Group, changed: Group) -> None:
        observer = self.observer
        kind = unit[0]
        if kind == RESERVATION:
            self._reservations += bool(after) - bool(before)
        if self.echoes is _NO_INDEX and kind == ADJUSTMENT and any(map(document_of, changed)):
            self._index_documents()
        related = None if observer is None else self._related(unit, before, after, changed)
        if observer is not None and related:
            observer.leave(related)
        if after:
            self.units[unit] = after
        else:
            self.units.pop(unit, None)
        if self.echoes is not _NO_INDEX:
            self._index(unit, after, changed)
        if observer is not None:
            if related:
                observer.enter(related)
            else:
                observer.changed(unit, before, after)

    def _related(self, unit: Unit, before: Group, after: Group, changed: Group) -> list[Unit]:
        """The unit with all whose sums depend on it: echoes and documents, reservations of a line.

        Empty when there are no others.
        """
        others: list[Unit] = []
        if self.echoes is not _NO_INDEX:
            for fact in changed:
                reference = document_of(fact)
                if reference is not None:
                    others.extend(self.echoes.get(reference, ()))
                    if others or unit[0] == ADJUSTMENT:
                        others.extend(self.documents.get(reference, ()))
        if unit[0] == LINE:
            for group in (before, after):
                for fact in group:
                    if type(fact) is LineVersion and fact.reservation_id is not None:
                        quoted = (RESERVATION, fact.reservation_id)
                        if quoted in self.units:
                            others.append(quoted)
        return list(dict.fromkeys((unit, *others))) if others else others

    def _index_documents(self) -> None:
        """Start to keep the indexes: the first echo is about to arrive."""
        self.documents, self.echoes = {}, {}
        for unit, group in self.units.items():
            self._index(unit, group, group)

    def _index(self, unit: Unit, group: Group, changed: Group) -> None:
        for fact in changed:
            reference = document_of(fact)
            if reference is not None:
                index = self.echoes if type(fact) is Adjustment else self.documents
                _note(index, reference, unit, any(document_of(one) == reference for one in group))


def _note(index: dict[str, tuple[Unit, ...]], reference: str, unit: Unit, present: bool) -> None:
    units = index.get(reference, ())
    if present and unit not in units:
        index[reference] = (*units, unit)
    elif not present and unit in units:
        remaining = tuple(one for one in units if one != unit)
        if remaining:
            index[reference] = remaining
        else:
            del index[reference]
