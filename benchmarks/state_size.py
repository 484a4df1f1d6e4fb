"""Memory of one worker, measured: bytes per SKU-location and per open line, at every stage of a SKU's life.

python -m benchmarks.state_size [--positions 1000000] [--lines 3] [--locations 1]

Stages: recovered (rows, encoded), decoded (the facts of every SKU), assessed (running sums added), let go (encoded
again); and what a worker remembers of one channel. Resident memory of this process, less what it had before.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from typing import Any

from agents.fan_out import FanOut
from agents.ports import Ports
from benchmarks.changelogs import T0, Shape, available, rows_of, sku_of
from benchmarks.environment import describe, resident_bytes
from domain.availability import assess
from domain.listings import Listing
from domain.policy import ChannelPolicy, Policy
from tables.facts import FactTable
from tables.publications import listing_key, listing_value

CHANNEL = "web"
BATCH = 1_000


class Stage:
    """Prints what a stage took and what is in memory after it."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        gc.collect()
        self._before = resident_bytes()
        self._cpu_s = time.process_time()

    def report(self, name: str, count: int) -> None:
        """After a stage in which ``count`` SKUs were handled."""
        gc.collect()
        size = resident_bytes() - self._before
        cpu_us = (time.process_time() - self._cpu_s) / count * 1e6
        per_position = size / self._shape.positions
        per_line = per_position / max(1, self._shape.lines)
        print(
            f"  {name:<28}{size / 1e9:8.3f} GB {per_position:9.0f} bytes a position {per_line:8.0f} a line"
            f" {cpu_us:8.1f} us a SKU",
            flush=True,
        )
        self._cpu_s = time.process_time()


def recovered(shape: Shape) -> FactTable:
    """A table as a recovery leaves it."""
    table = FactTable()
    rows: Iterator[tuple[bytes, bytes | None]] = ((key, value) for _, key, value in rows_of(shape))
    while batch := list(islice(rows, BATCH)):
        table.recover(batch)
    return table


def told(shape: Shape) -> FanOut:
    """What is remembered of one channel that was told about every SKU."""
    ports = Ports(_unused, _unused, lambda key: 0, lambda: 1)
    fan_out = FanOut(ports, Policy(channels={CHANNEL: ChannelPolicy()}), lambda: Fraction(1))
    for number in range(shape.skus):
        sku, units = sku_of(number), available(number, shape)
        listing = Listing(units, T0, number + 1, units, None, None, number + 1, units, 0, False, sku)
        fan_out.recover(0, [(listing_key(CHANNEL, sku), listing_value(listing))], T0)
    return fan_out


def _unused(*arguments: Any, **named: Any) -> Any:
    raise AssertionError("nothing is decoded or encoded here")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--positions", type=int, default=1_000_000)
    parser.add_argument("--lines", type=int, default=3)
    parser.add_argument("--locations", type=int, default=1, help="of one SKU")
    arguments = parser.parse_args()
    shape = Shape(arguments.positions, arguments.lines, arguments.locations, 1, (CHANNEL,))
    skus = [sku_of(number) for number in range(shape.skus)]
    policy = Policy()
    print(describe())
    print(f"\n{shape.positions:,} SKU-locations, {shape.lines} open lines each, {shape.skus:,} SKUs", flush=True)
    stage = Stage(shape)
    table = recovered(shape)
    stage.report("recovered (encoded rows)", shape.skus)
    for sku in skus:
        table.state(sku)
    stage.report("decoded (facts)", shape.skus)
    for sku in skus:
        assess(table.state(sku), policy, T0)
    stage.report("assessed (running sums)", shape.skus)
    del table
    stage = Stage(shape)
    fan_out = told(shape)
    stage.report("told on one channel", shape.skus)
    assert len(fan_out.planners[CHANNEL].listings) == shape.skus


if __name__ == "__main__":
    main()
