"""What a planner of many listings costs: memory per listing, CPU time per change, update, answer and quiet tick.

python -m benchmarks.planner [--listings 1000000] [--changes 200000]
"""

from __future__ import annotations

import argparse
import gc
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import count
from time import process_time

from benchmarks.environment import describe, resident_bytes
from domain.channels import split
from domain.facts import SECOND
from domain.full_sync import InOrder, owed
from domain.listings import ACCEPTED, Listing
from domain.planner import ChannelUpdate, Planner
from domain.policy import EXCLUSIVE, PERCENT, ChannelPolicy, Held, PublishPolicy

PUBLISH = PublishPolicy(rise_debounce=30 * SECOND, min_delta=Held(3, Fraction(5)), low_band=5)
CHANNELS = {
    "web": ChannelPolicy(mode=EXCLUSIVE, quota=30, priority=1),
    "amazon": ChannelPolicy(buffer=Held(5, Fraction(10)), cap=50),
    "ebay": ChannelPolicy(mode=PERCENT, percent=Fraction(40), stop_sell_at=3, guard_units=2),
}
TICK = 1000  # updates per tick
SIZES = (10_000, 100_000, 1_000_000)
"""Listings among which as many are due in each tick."""


@contextmanager
def timed(what: str, times: int) -> Iterator[None]:
    gc.collect()
    started = process_time()
    yield
    seconds = process_time() - started
    rate = f"{seconds / times * 1e6:9.2f} us each {times / seconds:14,.0f} /s"
    print(f"{what:<44} {rate}   ({times:,} in {seconds:.2f} s)")


def settled(quantity: int, name: str, number: int) -> Listing:
    """A listing with numbers of the size they have in production, none of them shared."""
    seq = (5 << 32) + number
    return Listing(
        quantity, 900 * SECOND + number, seq, quantity, acked_seq=seq, acked_quantity=quantity, sku=name
    )


def drained(planner: Planner, now: int) -> list[ChannelUpdate]:
    updates: list[ChannelUpdate] = []
    while batch := planner.tick(now, TICK):
        updates += batch
    return updates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listings", type=int, default=1_000_000)
    parser.add_argument("--changes", type=int, default=200_000)
    arguments = parser.parse_args()
    print(describe(), end="\n\n")
    chance = random.Random(1)
    names = [f"SKU-{number:08d}" for number in range(arguments.listings)]
    planner = Planner("web", PUBLISH, count(6 << 32).__next__)
    run(planner, names, arguments.changes, chance)
    del planner, names
    measure_due([size for size in SIZES if size <= arguments.listings])
    measure_split(chance)


def run(planner: Planner, names: list[str], changes: int, chance: random.Random) -> None:
    gc.collect()
    before = resident_bytes()
    with timed("restore a row", len(names)):
        for number, name in enumerate(names):
            planner.restore(name, settled(chance.randrange(100), name, number), 0)
    print(f"{'memory of a listing, its id aside':<44} {(resident_bytes() - before) / len(names):9.0f} bytes")
    now = 1000 * SECOND
    wants = [(chance.choice(names), chance.randrange(100)) for _ in range(changes)]
    with timed("change a quantity", changes):
        for name, quantity in wants:
            planner.want(name, quantity, now)
    updates: list[ChannelUpdate] = []
    now += 600 * SECOND
    ready = planner.ready(now)
    with timed(f"tell an update, in ticks of {TICK:,}", ready):
        updates = drained(planner, now)
    with timed("take in an answer", len(updates)):
        for update in updates:
            planner.acknowledged(update.listing, update.publish_seq, ACCEPTED, update.quantity, now)
    measure_tick(planner, now)
    with timed("pass over a listing in a full sync", len(names)):
        ids = InOrder(planner.listings)
        while not ids.are_sorted:
            ids.sort_some()
        for each in ids:
            owed(planner.listings[each], 0)


def measure_tick(planner: Planner, now: int, ticks: int = 100_000) -> None:
    tick: Callable[[int, int], list[ChannelUpdate]] = planner.tick
    with timed("tick when there is nothing to tell", ticks):
        for number in range(ticks):
            tick(now + number, TICK)


def measure_due(sizes: list[int], rounds: int = 10) -> None:
    """The cost of what is due, whatever else is known: it grows with the depth of the heaps at most."""
    for size in sizes:
        planner = Planner("web", PUBLISH, count(6 << 32).__next__)
        names = [f"SKU-{number:08d}" for number in range(size)]
        for number, name in enumerate(names):
            planner.restore(name, settled(1000, name, number), 0)
        now = 1000 * SECOND
        step = size // TICK
        with timed(f"change and tell {TICK:,} of {size:,}, an update", rounds * TICK):
            for quantity in range(920, 920 - 80 * rounds, -80):
                for index in range(0, TICK * step, step):
                    planner.want(names[index], quantity, now)
                now += SECOND
                assert len(planner.tick(now, TICK)) == TICK


def measure_split(chance: random.Random, splits: int = 100_000) -> None:
    pools = [{"default": chance.randrange(200)} for _ in range(splits)]
    consumed = {"web": 7}
    with timed(f"split a pool among {len(CHANNELS)} channels", splits):
        for pool in pools:
            split(pool, CHANNELS, consumed)


if __name__ == "__main__":
    main()
