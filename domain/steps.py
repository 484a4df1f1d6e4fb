"""The steps behind the numbers of a SKU, without the documents: what every message about it carries.

Units change from message to message; what the steps are called and why they are taken hardly does. So both are
kept apart: ``units`` are a column of numbers, and the ``Layout`` that says what they are is shared by many SKUs.
There are few layouts because notes have no units of a SKU in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from domain.availability import gross, tally_of
from domain.channels import ChannelSplit
from domain.numbers import Assessment, LocationNumbers, PoolNumbers
from domain.places import Place
from domain.policy import Policy
from domain.quick import new
from domain.state import SkuState
from domain.tally import Tally

LOCATION, POOL, CHANNEL = "location", "pool", "channel"
MOVEMENTS, WITHHELD, DEMAND_SHORTAGE = "movements", "withheld", "demand_shortage"

MAX_LAYOUTS = 4_096
"""Layouts that are remembered per scope; one more is made anew every time."""

_NOTHING: Mapping[str, int] = {}


class Layout:
    """What some steps are called, why they are taken, and which are totals of those before them.

    Compared by identity, which is what makes it a fast key; equal layouts are mostly one object.
    """

    __slots__ = ("names", "notes", "totals")

    def __init__(self, steps: Iterable[tuple[str, str]], totals: frozenset[str] = frozenset()) -> None:
        self.names, self.notes = zip(*steps, strict=True)
        self.totals = totals


class Steps(NamedTuple):
    """The steps that lead to one number, of a location, a pool or a channel: signed units, in order."""

    scope: str
    name: str
    layout: Layout
    units: tuple[int, ...]


def steps_of(state: SkuState, policy: Policy, assessment: Assessment) -> list[Steps]:
    """The steps that led to an assessment that was just made: of locations, then pools, then channels."""
    tally = tally_of(state, policy)
    steps = [location_steps(tally, name, numbers) for name, numbers in assessment.locations.items()]
    for name, pool in assessment.pools.items():
        steps.append(_pool_steps(policy, name, pool, assessment.locations))
    for name, part in assessment.splits.items():
        steps.append(new(Steps, (CHANNEL, name, CHANNEL_LAYOUT, _channel_units(part))))
    return steps


def location_steps(tally: Tally, location: str, numbers: LocationNumbers) -> Steps:
    """The steps from the balance of a location to what may be sold from there."""
    place = tally.places[location]
    stock = place.sellable
    units: tuple[int, ...] = (
        stock.after,
        numbers.on_hand,
        -numbers.reserved,
        -numbers.soft_reserved,
        numbers.net,
        -numbers.withheld,
        numbers.available_to_sell,
    )
    source = basis = None
    added = 0
    if stock.balances:
        newest = stock.balances[0]
        source, basis = newest.source, newest.basis
        added = gross(tally, place) - newest.quantity
        units = (newest.quantity, added, *units) if added else (newest.quantity, *units)
    why = _why(place, numbers)
    layout = _location_layout(source, basis, added != 0, numbers.confidence, why)
    return new(Steps, (LOCATION, location, layout, units))


def _why(place: Place, numbers: LocationNumbers) -> str:
    """What is special about what a location may sell; mostly nothing."""
    if place.rules.status != "OPEN":
        return f"the location is {place.rules.status}: it sells nothing"
    if not place.sellable.balances:
        return "no balance yet: published as 0"
    return "less than nothing is published as 0" if numbers.net < 0 else ""


@lru_cache(maxsize=MAX_LAYOUTS)
def _location_layout(source: str | None, basis: str | None, added: bool, grade: str, why: str) -> Layout:
    def steps() -> Iterator[tuple[str, str]]:
        if source is not None:
            yield "balance", f"{source}, {basis}"
        if added:
            yield "open_orders_added_back", "the balance was net of orders the ERP knew"
        yield MOVEMENTS, "after the balance"
        yield "on_hand", grade
        yield "reserved", "open units of released order lines"
        yield "soft_reserved", "reservations that have not run out"
        yield "net", ""
        yield WITHHELD, "safety stock, as far as there is stock left after demand"
        yield "available_to_sell", why

    return Layout(steps(), frozenset({"on_hand", "net", "available_to_sell"}))


def _pool_steps(policy: Policy, name: str, pool: PoolNumbers, locations: Mapping[str, LocationNumbers]) -> Steps:
    rules = policy.pools_or_default()[name]
    available = members = 0
    for location in locations if rules.locations is None else rules.locations:
        numbers = locations.get(location)
        if numbers is not None:
            available += numbers.available_to_sell
            members += 1
    short = -pool.demand_shortage if rules.re_sourcing else 0
    layout = _pool_layout(members, rules.re_sourcing)
    units = (available, -pool.unsourced, short, -pool.network_safety_stock, pool.available_to_sell)
    return new(Steps, (POOL, name, layout, units))


@lru_cache(maxsize=MAX_LAYOUTS)
def _pool_layout(members: int, re_sourcing: bool) -> Layout:
    steps = (
        ("locations", f"{members} locations"),
        ("unsourced", "demand without a location yet"),
        (DEMAND_SHORTAGE, "" if re_sourcing else "short, but demand is not re-sourced"),
        ("network_safety_stock", ""),
        ("available_to_sell", ""),
    )
    return Layout(steps, frozenset({"available_to_sell"}))


CHANNEL_LAYOUT = Layout(
    (
        ("pool", "available to sell in the channel's pool"),
        ("share", "kept for ring-fenced channels, or beyond this channel's part"),
        ("guard", "units that may be sold before the channel hears of a change"),
        ("buffer", "held back from this channel"),
        ("stop_sell", "at or below the channel's stop-sell level nothing is told"),
        ("packs", "whole packs"),
        ("cap", "most the channel may show"),
        ("blocked", "a blocked channel is told 0"),
        ("quantity", "told to the channel"),
    ),
    frozenset({"pool", "packs", "quantity"}),
)


def _channel_units(part: ChannelSplit) -> tuple[int, ...]:
    """What each step took away; from packs on, packs are counted instead of units."""
    pool, share, guard, buffer, stop_sell, packs, cap, quantity = part
    return (
        pool,
        share - pool,
        guard - share,
        buffer - guard,
        stop_sell - buffer,
        packs,
        cap - packs,
        quantity - cap,
        quantity,
    )
