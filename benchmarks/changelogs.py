"""Real changelogs, filled quickly: what a worker would have written about many SKU-locations with open lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from confluent_kafka import Producer

from agents.policy_fingerprint import policy_fingerprint
from domain.facts import OPEN, PHYSICAL, SECOND, SELLABLE, Balance, Fact, LineVersion, Micros
from domain.listings import Listing
from domain.policy import Policy
from schemas.topics import FACTS_CHANGELOG, PUBLICATIONS_CHANGELOG
from streams.worker.partitioning import murmur2
from tables.publications import GENERATION_KEY, POLICY_KEY, listing_key, listing_value
from tables.rows import row_key, row_value

T0: Micros = 1_767_225_600 * SECOND
"""2026-01-01T00:00:00Z."""

UNITS_OF_A_LINE = 2


class Shape(NamedTuple):
    """How much there is: SKU-locations, open lines of each, locations a SKU is at, partitions, channels told."""

    positions: int
    lines: int
    locations: int
    partitions: int
    channels: tuple[str, ...] = ()

    @property
    def skus(self) -> int:
        """SKUs, each at all locations."""
        return self.positions // self.locations

    @property
    def rows(self) -> int:
        """Rows of both changelogs."""
        return self.positions * (1 + self.lines) + self.skus * len(self.channels)


def sku_of(number: int) -> str:
    return f"SKU-{number:07d}"


def on_hand(sku: int) -> int:
    """The balance of a SKU at each of its locations."""
    return 50 + sku % 50


def available(sku: int, shape: Shape) -> int:
    """What is available to sell of a SKU, and so told to every channel."""
    return shape.locations * (on_hand(sku) - shape.lines * UNITS_OF_A_LINE)


def facts_of(position: int, shape: Shape, line: int | None) -> tuple[int, Fact]:
    """The SKU's number with the balance (None) or one open line of a position."""
    sku, place = divmod(position, shape.locations)
    location = f"DC-{place + 1:02d}"
    if line is None:
        return sku, Balance(location, SELLABLE, "erp", T0, 0, 0, on_hand(sku), PHYSICAL, None, T0)
    order = f"O-{line * shape.positions + position:09d}"
    at = T0 + line * SECOND
    return sku, LineVersion(order, "1", 1, 0, UNITS_OF_A_LINE, 0, OPEN, location, "web", None, None, "oms", at)


def rows_of(shape: Shape) -> Iterator[tuple[int, bytes, bytes]]:
    """Rows of facts as a worker writes them, with the number of their SKU: all balances, then line by line."""
    for line in (None, *range(shape.lines)):
        for position in range(shape.positions):
            number, fact = facts_of(position, shape, line)
            yield number, row_key(sku_of(number), fact), row_value(fact)


def fill(producer: Producer, shape: Shape, policy: Policy) -> None:
    """Write facts and publications, and that everything was published under this policy."""
    homes = [(murmur2(sku_of(sku).encode()) & 0x7FFFFFFF) % shape.partitions for sku in range(shape.skus)]
    for number, key, value in rows_of(shape):
        _produce(producer, FACTS_CHANGELOG.name, homes[number], key, value)
    for channel in shape.channels:
        for number, home in enumerate(homes):
            units, seq = available(number, shape), (1 << 32) + number
            told = Listing(units, T0, seq, units, None, None, seq, units, 0, False, sku_of(number))
            key = listing_key(channel, sku_of(number))
            _produce(producer, PUBLICATIONS_CHANGELOG.name, home, key, listing_value(told))
    for partition in range(shape.partitions):
        for note, text in ((POLICY_KEY, policy_fingerprint(policy)), (GENERATION_KEY, "1")):
            _produce(producer, PUBLICATIONS_CHANGELOG.name, partition, note, text.encode())
    if producer.flush(120):
        raise RuntimeError("the broker did not take all rows within two minutes")


def _produce(producer: Producer, topic: str, partition: int, key: bytes, value: bytes) -> None:
    while True:
        try:
            return producer.produce(topic, key=key, value=value, partition=partition)
        except BufferError:
            producer.poll(0.1)
