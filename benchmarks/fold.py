"""What an event costs the pure core: folding and assessing, against the history of a SKU, and memory per position.

python -m benchmarks.fold [--events 20000] [--runs 5] [--positions 50000]
"""

from __future__ import annotations

import argparse
import gc
import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from statistics import median
from time import process_time

from benchmarks.environment import describe, resident_bytes
from domain.availability import assess, tally_of
from domain.facts import (
    NET_OF_OPEN_ORDERS,
    OPEN,
    PHYSICAL,
    SECOND,
    SELLABLE,
    Balance,
    Fact,
    LineVersion,
    Micros,
    Shipment,
)
from domain.policy import EXCLUSIVE, PERCENT, ChannelPolicy, Held, Policy
from domain.pruning import forgettable, worth_pruning
from domain.state import SkuState

FEW_LINES, MANY_LINES = 10, 10_000
ALLOWED_RATIO = 1.5
EVENTS_PER_BALANCE = 200
"""A busy SKU hears from its ERP once in so many events."""

CHANNELS = {
    "web": ChannelPolicy(mode=EXCLUSIVE, quota=30, priority=1),
    "amazon": ChannelPolicy(buffer=Held(5, Fraction(10)), cap=50),
    "ebay": ChannelPolicy(mode=PERCENT, percent=Fraction(40), stop_sell_at=3),
}
POLICIES = {"no channels": Policy(), "three channels": Policy(channels=CHANNELS)}


def balance(location: str, quantity: int, as_of: Micros, basis: str = PHYSICAL) -> Balance:
    return Balance(location, SELLABLE, "erp", as_of, 0, 0, quantity, basis, None, as_of)


def release(number: int, location: str, quantity: int, at: Micros) -> LineVersion:
    return LineVersion(f"O{number}", "1", 1, 0, quantity, 0, OPEN, location, "amazon", None, None, "oms", at)


def shipment(number: int, location: str, quantity: int, at: Micros) -> Shipment:
    return Shipment(f"S{number}", f"O{number}", "1", 0, location, quantity, False, "wms", at)


def traffic(open_lines: int, events: int, basis: str | None, seed: int) -> Iterator[Fact]:
    """Lines are released and shipped in turn, ``open_lines`` open at any time; with a basis, balances between."""
    chance = random.Random(seed)
    waiting: list[tuple[int, str, int]] = []
    now = SECOND
    for number in range(open_lines + events):
        now += SECOND
        if len(waiting) < open_lines or number % 2:
            waiting.append((number, chance.choice("AB"), chance.randint(1, 3)))
            yield release(*waiting[-1], now)
        else:
            # Any of the open lines: swap it with the last to take it out at once.
            index = chance.randrange(len(waiting))
            waiting[index], waiting[-1] = waiting[-1], waiting[index]
            yield shipment(*waiting.pop(), now)
        if basis is not None and number % EVENTS_PER_BALANCE == 0:
            yield balance(chance.choice("AB"), 50_000, now - 60 * SECOND, basis)


def micros_per_event(steps: Callable[[], int]) -> float:
    """CPU time per event; ``steps`` says how many there were."""
    gc.collect()
    started = process_time()
    events = steps()
    return (process_time() - started) / events * 1e6


def small_skus(policy: Policy, events: int, assessed: bool, seed: int) -> float:
    """Micros per event over many SKUs with a few open lines each."""
    skus = 200
    states = [SkuState(f"SKU-{number}") for number in range(skus)]
    feeds = [list(traffic(3, events // skus, PHYSICAL, seed + number)) for number in range(skus)]
    arrivals = [
        (state, fact) for facts in zip(*feeds, strict=True) for state, fact in zip(states, facts, strict=True)
    ]
    for state in states:
        for location in "AB":
            state.fold(balance(location, 5000, 0))
        tally_of(state, policy)

    def steps() -> int:
        for number, (state, fact) in enumerate(arrivals):
            state.fold(fact)
            if assessed:
                assess(state, policy, number)
        return len(arrivals)

    return micros_per_event(steps)


def one_sku(open_lines: int, events: int, basis: str | None, seed: int) -> float:
    """Micros per event (folded, assessed, pruned when worth it) on a SKU that already has so many open lines."""
    policy = Policy()
    state = SkuState("SKU")
    for location in "AB":
        state.fold(balance(location, 50_000, 0, basis or PHYSICAL))
    facts = traffic(open_lines, events, basis, seed)
    while len(state.units) < open_lines + 2:
        state.fold(next(facts))
    assess(state, policy, 0)
    arrivals = list(facts)

    def steps() -> int:
        for fact in arrivals:
            state.fold(fact)
            if worth_pruning(state):
                state.forget(forgettable(state, tally_of(state, policy), fact.occurred_at))
            assess(state, policy, fact.occurred_at)
        return len(arrivals)

    return micros_per_event(steps)


def memory(positions: int) -> tuple[float, float]:
    """Bytes per SKU-location with two balances and three open lines: its facts; with running sums added.

    One location a SKU, the dearest case. Everything stays alive.
    """
    gc.collect()
    before = resident_bytes()
    states = []
    for sku in range(positions):
        state = SkuState(f"SKU-{sku}")
        for as_of in (0, SECOND):
            state.fold(balance("A", 5000 + sku, as_of))
        for line in range(3):
            state.fold(release(3 * sku + line, "A", 2, sku * SECOND + line))
        states.append(state)
    facts = resident_bytes() - before
    policy = Policy()
    for state in states:
        assess(state, policy, 0)
    return facts / positions, (resident_bytes() - before) / positions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--positions", type=int, default=50_000)
    arguments = parser.parse_args()
    print(describe())
    # Memory first, while the process is small and nothing freed is taken again.
    print(f"\nmemory per position ({arguments.positions:,} SKU-locations, 2 balances and 3 open lines each)")
    for name, size in zip(("facts alone", "facts and running sums"), memory(arguments.positions), strict=True):
        print(f"  {name:<24}{size:8,.0f} bytes   {size / 1000:6.2f} GB per million")

    def typical(measure: Callable[[int], float]) -> float:
        return median(measure(seed) for seed in range(arguments.runs))

    print(f"\nCPU time per event, {arguments.events:,} events, median of {arguments.runs} runs")
    for name, policy in POLICIES.items():
        for assessed in (False, True):
            cost = typical(lambda seed, p=policy, a=assessed: small_skus(p, arguments.events, a, seed))  # type: ignore[misc]
            what = "fold + assess" if assessed else "fold"
            print(f"  {name + ', ' + what:<32}{cost:7.2f} us   {1e6 / cost:10,.0f} events/s")
    print(f"\none SKU, fold + assess + prune, {FEW_LINES} and {MANY_LINES:,} open lines")
    for basis in (None, PHYSICAL, NET_OF_OPEN_ORDERS):
        few, many = (
            typical(lambda seed, n=lines, b=basis: one_sku(n, arguments.events, b, seed))  # type: ignore[misc]
            for lines in (FEW_LINES, MANY_LINES)
        )
        name = (
            "no balances" if basis is None else f"{basis.split('_')[0]} balance every {EVENTS_PER_BALANCE} events"
        )
        verdict = "ok" if many <= ALLOWED_RATIO * few else f"more than {ALLOWED_RATIO}x"
        print(f"  {name:<34}{few:7.2f} us {many:8.2f} us   x {many / few:.2f}   {verdict}")


if __name__ == "__main__":
    main()
