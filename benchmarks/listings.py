"""What listings of their own cost a worker: memory per listing, CPU time per change, and a tick with nothing due.

python -m benchmarks.listings [--listings 1000000] [--changes 200000] [--prices]

Each SKU has one listing, whose id says nothing of it. All partitions are this worker's, so what they tell each
other is handed over in memory, encoded and decoded as it would be on its way through Kafka.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import count
from typing import Any

from agents.causes import Cause
from agents.listing_fan_out import ListingFanOut
from agents.ports import Outgoing, Ports
from agents.sku_partition import Wanted
from benchmarks.environment import describe, resident_bytes
from domain.facts import SECOND
from domain.listing_map import Listed, Mapped, Subscription
from domain.listings import Listing
from domain.policy import ChannelPolicy, Policy, PublishPolicy
from domain.prices import Price
from schemas.codec import Encoder
from schemas.listing_exchange import Exchanged, exchanged_of
from schemas.rejections import Rejection
from schemas.topics import CHANNEL_UPDATES, LISTING_EXCHANGE
from streams.worker.partitioning import partition_of_key
from tables.listing_rows import listing_row, mapped_key, price_key, price_row, subscription_key
from tables.publications import listing_key, listing_value

PARTITIONS = 12
CHANNEL = "amazon"
T0 = 1_767_225_600 * SECOND
POLICY = Policy(
    channels={
        CHANNEL: ChannelPolicy(
            publish=PublishPolicy(rate_per_s=Fraction(10**9), burst=10**9, heartbeat=0, resend_after=0)
        )
    }
)


def sku_of(number: int) -> str:
    return f"SKU-{number:08d}"


def listing_of(number: int) -> str:
    return f"B0{number * 7919 % 10**8:08d}"


@contextmanager
def timed(what: str, times: int) -> Iterator[None]:
    gc.collect()
    started = time.process_time()
    yield
    seconds = time.process_time() - started
    print(f"{what:<60} {seconds / times * 1e6:9.2f} us   ({times:,} in {seconds:.2f} s)", flush=True)


def memory(what: str, before: int, listings: int) -> int:
    gc.collect()
    now = resident_bytes()
    print(f"{what:<60} {(now - before) / listings:9.0f} bytes", flush=True)
    return now


def partition_of(name: str) -> int:
    return partition_of_key(name.encode(), PARTITIONS)


class Worker:
    """A fan-out that owns every partition; ``turn`` is an epoch without SKUs to assess."""

    def __init__(self) -> None:
        self.now = T0
        encoder = Encoder(CHANNEL_UPDATES, 1)
        versions = count(6 << 32)
        ports = Ports(
            _unused,
            lambda _topic, record: encoder.encode(record),
            lambda key: partition_of_key(key, PARTITIONS),
            versions.__next__,
        )
        self.fan_out = ListingFanOut(ports, POLICY, lambda: Fraction(1))

    def recover_told(self, listings: int) -> None:
        """What the channel was told, as for listings that are SKUs."""
        for number in range(listings):
            sku, listing, seq = sku_of(number), listing_of(number), (5 << 32) + number
            told = Listing(number % 90, T0, seq, number % 90, None, None, seq, number % 90, 0, False, sku)
            row = (listing_key(CHANNEL, listing), listing_value(told))
            self.fan_out.recover(partition_of(listing), [row], T0)

    def recover_mapped(self, listings: int) -> None:
        """What the listings sell."""
        for number in range(listings):
            sku, listing, seq = sku_of(number), listing_of(number), (5 << 32) + number
            mapped = Mapped(sku, 1, T0 - number, seq, True, number % 90, seq + 1)
            row = (mapped_key((CHANNEL, listing)), listing_row(mapped))
            self.fan_out.recover(partition_of(listing), [row], T0)
            subscription = Subscription(CHANNEL, listing, sku, seq, wanted=True)
            row = (subscription_key(subscription), listing_row(subscription))
            self.fan_out.recover(partition_of(sku), [row], T0)

    def recover_prices(self, listings: int) -> None:
        """What the listings sell for; every one has a price, of a few thousand different ones."""
        for number in range(listings):
            row = (
                price_key((CHANNEL, listing_of(number))),
                price_row(Price(99 + 100 * (number % 5_000), "EUR"), T0 - number),
            )
            self.fan_out.recover(partition_of(listing_of(number)), [row], T0)

    def hear(self, messages: Iterable[tuple[int, Exchanged]]) -> list[Outgoing]:
        """Take messages at their partitions."""
        return [
            outgoing
            for partition, message in messages
            for outgoing in self.fan_out.exchanged(partition, [message], lambda _sku: False, self.now)
        ]

    def tick(self) -> list[Outgoing]:
        """What goes now."""
        return [record for part in self.fan_out.tick(self.now) for record in part]


def decoded(produced: Iterable[Outgoing]) -> list[tuple[int, Exchanged]]:
    """Messages as their partitions receive them."""
    messages = []
    for record in produced:
        if record.topic == LISTING_EXCHANGE.name:
            message = exchanged_of(record.value)
            assert not isinstance(message, Rejection)
            assert record.partition is not None
            messages.append((record.partition, message))
    return messages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listings", type=int, default=1_000_000)
    parser.add_argument("--changes", type=int, default=200_000)
    parser.add_argument("--prices", action="store_true", help="every listing has a price")
    arguments = parser.parse_args()
    print(describe(), end="\n\n")
    run(arguments.listings, arguments.changes, arguments.prices, random.Random(1))


def run(listings: int, changes: int, priced: bool, chance: random.Random) -> None:
    worker = Worker()
    before = resident_bytes()
    with timed("recover what a listing was told", listings):
        worker.recover_told(listings)
    before = memory("memory of a listing in its planner", before, listings)
    with timed("recover what it sells, and the subscription", listings):
        worker.recover_mapped(listings)
    before = memory("memory of what it sells, and the subscription", before, listings)
    if priced:
        with timed("recover what it sells for", listings):
            worker.recover_prices(listings)
    with timed("take up a listing after a recovery", listings):
        for partition in range(PARTITIONS):
            worker.fan_out.resume(partition, T0)
    if priced:
        memory("memory of what it sells for", before, listings)
    worker.tick()
    worker.now += 600 * SECOND
    wants = [(sku_of(chance.randrange(listings)), 100 + chance.randrange(900)) for _ in range(changes)]
    with timed("change a SKU: the message to its listing", changes):
        for sku, units in wants:
            worker.fan_out.want(partition_of(sku), Wanted(sku, {CHANNEL: units}, Cause()), worker.now)
        supplies = worker.tick()
    with timed("decode the message", changes):
        messages = decoded(supplies)
    with timed("take the message: row, plan", len(messages)):
        worker.hear(messages)
    worker.now += 600 * SECOND
    with timed("tell an update: row, update", len(messages)):
        while worker.fan_out.planners[CHANNEL].ready(worker.now):
            worker.tick()
            worker.now += SECOND
    ticks = 10_000
    with timed(f"tick with nothing due, of {listings:,} listings", ticks):
        for _ in range(ticks):
            worker.tick()
    move(worker, min(listings, changes) // 4)


def move(worker: Worker, moved: int) -> None:
    """Listings change their SKU: told 0, then supplied by the other."""
    statements = [
        (partition_of(name), Listed(CHANNEL, name, sku_of(number + 1), 1, worker.now))
        for number in range(moved)
        for name in [listing_of(number)]
    ]
    with timed("change the SKU of a listing, all in all", moved):
        produced = worker.hear(statements)
        while messages := decoded(produced + worker.tick()):
            produced = worker.hear(messages)
            worker.now += SECOND


def _unused(*arguments: Any, **named: Any) -> Any:
    raise AssertionError("nothing is decoded here")


if __name__ == "__main__":
    main()
