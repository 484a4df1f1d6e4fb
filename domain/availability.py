"""What is available to sell: the numbers of a SKU as a function of (facts, policy, now).

Formulas of semantics sections 3 and 4. ``assess`` is the one question the rest of the application asks.
"""

from __future__ import annotations

from collections.abc import Mapping

from domain import findings
from domain.channels import ChannelSplit, split
from domain.facts import NET_OF_OPEN_ORDERS, QUARANTINE, SELLABLE, Micros
from domain.numbers import (
    AMBIGUOUS,
    BOOTSTRAP,
    EXACT,
    TIMED,
    Assessment,
    Finding,
    LocationNumbers,
    PoolNumbers,
    Variance,
)
from domain.oddities import Oddities
from domain.places import Answer, BucketStock, Place
from domain.policy import DEFAULT_POOL, NET, Policy, PoolPolicy
from domain.quantities import held
from domain.quick import new
from domain.state import SkuState
from domain.tally import Tally

_NOTHING: Mapping[str, int] = {}
_NO_SPLITS: Mapping[str, ChannelSplit] = {}
_NONE: tuple[tuple[Finding, ...], tuple[str, ...]] = ((), ())


def assess(state: SkuState, policy: Policy, now: Micros, guards: Mapping[str, int] | None = None) -> Assessment:
    """Every number, finding and variance of a SKU at ``now``. ``guards``: measured guard units per channel."""
    tally = tally_of(state, policy)
    if now != tally.now:
        tally.advance(now)
    locations: dict[str, LocationNumbers] = {}
    found: tuple[Finding, ...] = ()
    variances: tuple[Variance, ...] = ()
    for place in tally.shown():
        answer = place.answer or answer_of(tally, place)
        locations[place.location] = answer.numbers
        if answer.findings:
            found += answer.findings
        if answer.variances:
            variances += answer.variances
    pools: dict[str, PoolNumbers] = {}
    for name, pool in policy.pools_or_default().items():
        pools[name] = pool_numbers(tally, name, pool, locations)
    channels: Mapping[str, int] = _NOTHING
    splits: Mapping[str, ChannelSplit] = _NO_SPLITS
    if policy.channels:
        splits = split_of(tally, pools, guards or _NOTHING)
        channels = {name: part.quantity for name, part in splits.items()}
    found, codes = _all_findings(tally.oddities, found)
    next_change_at = tally.next_expiry()
    return new(
        Assessment, (state.sku, locations, pools, channels, found, variances, next_change_at, codes, splits)
    )


def _all_findings(
    of_units: Oddities | None, of_places: tuple[Finding, ...]
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Findings and their codes, in order."""
    found = () if of_units is None else of_units.told()
    if not of_places:
        return (found, tuple(sorted(of_units.codes))) if of_units is not None else _NONE
    found = tuple(sorted((*found, *of_places)))
    return found, tuple(sorted({one.code for one in found}))


def opened(state: SkuState, assessment: Assessment, told: tuple[Finding, ...]) -> list[Finding]:
    """Findings of an assessment that was just made that were not among those ``told`` before, in order."""
    found = assessment.findings
    if not found or found is told:
        return []
    of_units = state.observer.oddities if isinstance(state.observer, Tally) else None
    if of_units is not None and found is of_units.told():
        return of_units.opened_since(told)
    return sorted(set(found).difference(told))


def tally_of(state: SkuState, policy: Policy) -> Tally:
    """The running sums of the state under this policy; rebuilt from the facts when the policy is another one."""
    tally = state.observer
    if type(tally) is not Tally or tally.policy is not policy:
        tally = state.observer = Tally.of(state, policy)
    return tally


def answer_of(tally: Tally, place: Place) -> Answer:
    """The terms of one location with what is odd there; kept until something changes."""
    numbers = _numbers(tally, place)
    found = _findings(place, numbers)
    variances = () if len(place.sellable.balances) < 2 else (variance_of(tally, place),)
    answer = place.answer = new(Answer, (numbers, found, variances))
    return answer


def _numbers(tally: Tally, place: Place) -> LocationNumbers:
    stock = place.sellable
    rules = place.rules
    on_hand = stock.after
    if stock.balances:
        on_hand += gross(tally, place)
    demand = place.reserved + place.soft_reserved
    net = on_hand - demand
    # Written out instead of max(0, ...): this is computed for every event.
    sellable = net if net > 0 else 0
    there = on_hand if on_hand > 0 else 0
    safety_stock = held(rules.safety_stock, sellable if rules.base == NET else there)
    withheld = safety_stock if safety_stock < sellable else sellable
    return new(
        LocationNumbers,
        (
            on_hand,
            place.reserved,
            place.soft_reserved,
            net,
            safety_stock,
            withheld,
            sellable - withheld if stock.balances and rules.status == "OPEN" else 0,
            demand - there if demand > there else 0,
            place.in_transit,
            _quarantine(place) if place.stocks else 0,
            stock.uncertain,
            _grade(stock),
        ),
    )


def _quarantine(place: Place) -> int:
    stock = place.stocks.get(QUARANTINE)
    if stock is None:
        return 0
    return max(0, stock.after + (stock.balances[0].quantity if stock.balances else 0))


def _grade(stock: BucketStock) -> str:
    if not stock.balances:
        return BOOTSTRAP
    if stock.uncertain:
        return AMBIGUOUS
    return EXACT if stock.balances[0].includes is not None else TIMED


def gross(tally: Tally, place: Place) -> int:
    """What the newest balance says is physically there, open orders added back if it is net of them."""
    balance = place.sellable.balances[0]
    if balance.basis != NET_OF_OPEN_ORDERS:
        return balance.quantity
    return balance.quantity + place.reserved + tally.net_orders[place.location].corrections[0]


def likely_gross(tally: Tally, place: Place, index: int) -> int:
    """The same of the balance at ``index`` (0: newest) without pessimism: ambiguous movements by their time."""
    balance = place.sellable.balances[index]
    if balance.basis != NET_OF_OPEN_ORDERS:
        return balance.quantity
    return balance.quantity + place.reserved + tally.net_orders[place.location].corrections[1 + index]


def pool_numbers(
    tally: Tally, name: str, pool: PoolPolicy, locations: Mapping[str, LocationNumbers]
) -> PoolNumbers:
    """The pool's sum after un-sourced demand, shortage (while re-sourcing) and network safety stock."""
    total = shortage = 0
    for location in locations if pool.locations is None else pool.locations:
        numbers = locations.get(location)
        if numbers is not None:
            total += numbers.available_to_sell
            shortage += numbers.demand_shortage
    unsourced = 0
    for channel, units in tally.unsourced.items():
        if _drains(tally, channel, name):
            unsourced += units
    network = held(pool.network_safety_stock, total)
    left = total - unsourced - (shortage if pool.re_sourcing else 0) - network
    return new(PoolNumbers, (left if left > 0 else 0, unsourced, shortage, network))


def _drains(tally: Tally, channel: str | None, pool: str) -> bool:
    """Whether un-sourced demand of a channel drains a pool: its own; an unknown channel's, the default one.

    Where there is no default pool, demand of an unknown channel drains every pool: it will be served somewhere.
    """
    policy = tally.policy
    if channel is not None and channel in policy.channels:
        return policy.channel_of(tally.state.sku, channel).pool == pool
    return pool == DEFAULT_POOL or DEFAULT_POOL not in policy.pools_or_default()


def split_of(
    tally: Tally, pools: Mapping[str, PoolNumbers], guards: Mapping[str, int]
) -> Mapping[str, ChannelSplit]:
    """Each channel's quantity with the steps that led to it (semantics section 5)."""
    policy = tally.policy
    sku = tally.state.sku
    channels = policy.channels
    if policy.items and sku in policy.items:
        channels = {name: policy.channel_of(sku, name) for name in policy.channels}
    available = {name: pool.available_to_sell for name, pool in pools.items()}
    return split(available, channels, tally.consumed, guards)


def variance_of(tally: Tally, place: Place) -> Variance:
    """The newest balance of a location against what the one before it predicted."""
    stock = place.sellable
    newest = stock.balances[0]
    units = likely_gross(tally, place, 0) - likely_gross(tally, place, 1) - stock.between
    return Variance(
        place.location,
        newest.as_of,
        newest.sequence,
        newest.source,
        newest.quantity,
        newest.quantity - units,
    )


def attribution(state: SkuState, policy: Policy, variance: Variance) -> tuple[str, ...]:
    """Documents of single movements that would explain a variance, at most ten.

    Either the ERP already counted a movement we place after the balance, or it has not counted one we place
    before it. Movements before the balance that predicted are no suspects: both balances contain them.
    """
    units = variance.units
    explained = {
        move.refs[0]
        for move in tally_of(state, policy).places[variance.location].sellable.moves()
        if units
        and (
            (move.delta == units and move.posted_at > variance.as_of)
            or (move.delta == -units and move.posted_at <= variance.as_of)
        )
    }
    return tuple(sorted(explained)[:10])


def _findings(place: Place, numbers: LocationNumbers) -> tuple[Finding, ...]:
    """Findings that compare sums: they hold for a location as a whole."""
    location = place.location
    found: tuple[Finding, ...] = ()
    for bucket, stock in place.stocks.items():
        if stock.balances and stock.balances[0].quantity < 0:
            found += (Finding(findings.NEGATIVE_BALANCE, location, (bucket,)),)
    if place.sellable.balances and place.sellable.balances[0].quantity < 0:
        found += (Finding(findings.NEGATIVE_BALANCE, location, (SELLABLE,)),)
    if numbers.uncertain:
        found += (Finding(findings.AMBIGUOUS_MOVEMENT, location, ()),)
    if numbers.demand_shortage and numbers.confidence != BOOTSTRAP:
        found += (Finding(findings.OVER_RESERVATION, location, ()),)
    if place.disposed > place.returned:
        found += (Finding(findings.DISPOSITION_BEFORE_RECEIPT, location, ()),)
    return found
