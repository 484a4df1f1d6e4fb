"""What the acknowledgement loop costs: memory of what is odd, CPU time per change, answer, guard and look.

python -m benchmarks.answers [--listings 1000000]
"""

from __future__ import annotations

import argparse
import gc
import os
import random
from fractions import Fraction
from itertools import count
from pathlib import Path

from agents.channel_watch import ChannelWatch
from benchmarks.environment import describe
from benchmarks.planner import PUBLISH, settled, timed
from domain.exposure import ExposureBook
from domain.facts import SECOND, Acknowledgement
from domain.guard import measured_guard
from domain.latency import MILLISECOND, LatencyWindow
from domain.listings import ACCEPTED
from domain.planner import Planner
from domain.velocity import SLOT, Sales

P95 = Fraction(95, 100)
NOW = 1_000_000 * SECOND


def resident_bytes() -> int:
    """Memory of this process now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listings", type=int, default=1_000_000)
    parser.add_argument("--changes", type=int, default=100_000)
    arguments = parser.parse_args()
    print(describe(), end="\n\n")
    chance = random.Random(1)
    measure_loop(arguments.listings, min(arguments.changes, arguments.listings))
    measure_exposure(arguments.listings)
    measure_latency(chance)
    measure_guard(chance, arguments.changes)


def measure_loop(listings: int, changes: int) -> None:
    """A channel of quiet listings, of which some change, are told and answered."""
    planner = Planner("web", PUBLISH, count(6 << 32).__next__)
    names = [f"SKU-{number:08d}" for number in range(listings)]
    for number, name in enumerate(names):
        planner.restore(name, settled(50, name, number), 0)
    watch = ChannelWatch(planner)
    gc.collect()
    before = resident_bytes()
    with timed("watch a restored listing", listings):
        for name in names:
            watch.restored(name, NOW)
    print(f"{'memory of a quiet listing':<44} {(resident_bytes() - before) / listings:9.0f} bytes")
    some = names[:: listings // changes][:changes]
    for name in some:
        planner.want(name, 10, NOW)
    with timed("note a fall: exposed", len(some)):
        for name in some:
            watch.changed(name, NOW)
    updates = planner.tick(NOW, len(some))
    with timed("note an update", len(updates)):
        for update in updates:
            watch.told(update, NOW)
    answers = [
        Acknowledgement("web", each.listing, each.publish_seq, ACCEPTED, each.quantity, 120, None, NOW)
        for each in updates
    ]
    for answer in answers:
        planner.acknowledged(answer.listing, answer.publish_seq, ACCEPTED, answer.quantity, NOW)
    with timed("note an answer: exposed no more", len(answers)):
        for answer in answers:
            watch.answered(answer, True, NOW)
    assert watch.exposure.totals().listings == 0


def measure_exposure(listings: int) -> None:
    """Everything is exposed: the worst that can be."""
    names = [f"SKU-{number:08d}" for number in range(listings)]
    gc.collect()
    before = resident_bytes()
    book = ExposureBook()
    with timed("expose a listing", listings):
        for number, name in enumerate(names):
            book.observe(name, 50, number % 50, NOW + number)
    print(f"{'memory of an exposed listing':<44} {(resident_bytes() - before) / listings:9.0f} bytes")
    with timed(f"totals of {listings:,} exposed listings", 100_000):
        for _ in range(100_000):
            book.totals()
    with timed(f"the 20 largest of {listings:,}", 1):
        for _ in book.largest(20):
            pass


def measure_latency(chance: random.Random, samples: int = 200_000) -> None:
    latencies = [round(chance.lognormvariate(5, 1)) * MILLISECOND for _ in range(samples)]
    window = LatencyWindow()
    with timed("count a latency", samples):
        for number, latency in enumerate(latencies):
            window.add(NOW + number * 3000, latency)
    with timed("ask for the 95 % quantile", 10_000):
        for _ in range(10_000):
            window.quantile(P95)


def measure_guard(chance: random.Random, skus: int) -> None:
    gc.collect()
    before = resident_bytes()
    sold = [Sales() for _ in range(skus)]
    with timed("count a sale, 20 a SKU and day", skus * 20):
        for sales in sold:
            for _ in range(20):
                sales.add("web", NOW - chance.randrange(288) * SLOT, 1)
    print(f"{'memory of the sales of a SKU, 20 a day':<44} {(resident_bytes() - before) / skus:9.0f} bytes")
    with timed("guard of a SKU: velocity and quantile", skus):
        for sales in sold:
            measured_guard(sales.per_hour("web", NOW), 600 * SECOND, P95)


if __name__ == "__main__":
    main()
