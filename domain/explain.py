"""Why is it 7? The waterfall from the ERP's balance to what a channel is told, with the facts behind each term."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from domain.availability import assess, tally_of
from domain.evidence import open_orders, open_reservations, shown
from domain.facts import Micros
from domain.movements import Move, after
from domain.numbers import Assessment, LocationNumbers, PoolNumbers
from domain.places import BucketStock
from domain.policy import Policy
from domain.state import SkuState
from domain.steps import DEMAND_SHORTAGE, LOCATION, MOVEMENTS, POOL, WITHHELD, Steps, steps_of
from domain.tally import Tally


class Term(NamedTuple):
    """One step of a waterfall: signed ``units``, or a total of the steps before it.

    ``refs`` are documents behind the step, ``at`` the instant a stated balance is true at.
    """

    name: str
    units: int
    note: str = ""
    refs: tuple[str, ...] = ()
    is_total: bool = False
    at: Micros | None = None


class Waterfall(NamedTuple):
    """The steps that lead to one number: of a location, a pool or a channel."""

    scope: str
    name: str
    terms: tuple[Term, ...]


class Explanation(NamedTuple):
    """Everything behind the numbers of a SKU at one instant."""

    assessment: Assessment
    waterfalls: tuple[Waterfall, ...]


def explain(state: SkuState, policy: Policy, now: Micros, guards: Mapping[str, int] | None = None) -> Explanation:
    """The numbers of a SKU with the steps that led to them: locations, then pools, then channels.

    With the documents behind each step and the numbers in its note, which messages (``domain.steps``) leave out;
    there the movements of a location are one step.
    """
    assessment = assess(state, policy, now, guards)
    tally = tally_of(state, policy)
    waterfalls = (
        Waterfall(steps.scope, steps.name, tuple(_terms(tally, steps, assessment, now)))
        for steps in steps_of(state, policy, assessment)
    )
    return Explanation(assessment, tuple(waterfalls))


def _terms(tally: Tally, steps: Steps, assessment: Assessment, now: Micros) -> Iterator[Term]:
    totals = steps.layout.totals
    terms = [
        Term(name, units, note, is_total=name in totals)
        for name, note, units in zip(steps.layout.names, steps.layout.notes, steps.units, strict=True)
    ]
    if steps.scope == LOCATION:
        return _documented(tally, assessment.locations[steps.name], steps.name, terms, now)
    return _counted(assessment.pools[steps.name], terms) if steps.scope == POOL else iter(terms)


def _counted(pool: PoolNumbers, terms: list[Term]) -> Iterator[Term]:
    """The terms of a pool with the units that are short but cost it nothing."""
    for term in terms:
        short = term.name == DEMAND_SHORTAGE and term.note
        yield term._replace(note=f"{pool.demand_shortage} {term.note}") if short else term


def _documented(
    tally: Tally, numbers: LocationNumbers, location: str, terms: list[Term], now: Micros
) -> Iterator[Term]:
    """The terms of a location with the facts behind them."""
    stock = tally.places[location].sellable
    for term in terms:
        if term.name == "balance":
            yield term._replace(at=stock.balances[0].as_of)
        elif term.name == MOVEMENTS:
            yield from _movements(stock)
        elif term.name == WITHHELD:
            yield term._replace(note=f"{numbers.safety_stock} of {term.note}")
        elif term.name == "reserved":
            yield term._replace(refs=open_orders(tally.state, location))
        elif term.name == "soft_reserved":
            yield term._replace(refs=open_reservations(tally.state, location, now))
        else:
            yield term


def _movements(stock: BucketStock) -> Iterator[Term]:
    kinds: dict[str, list[Move]] = {}
    for move in stock.moves():
        if after(move, stock.evidence[0]) if stock.evidence else move.delta:
            kinds.setdefault(move.kind, []).append(move)
    for kind, moves in sorted(kinds.items()):
        refs = shown(move.refs[0] for move in moves)
        yield Term(f"{kind}s", sum(move.delta for move in moves), f"{len(moves)} after the balance", refs)
