"""A retailer's day from a seed: facts of every kind about a few SKUs, arriving late, twice or out of order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from domain.facts import NET_OF_OPEN_ORDERS, PHYSICAL, Fact, Micros
from tests import builders
from tests.builders import seconds

LOCATIONS = ("A", "B")
LONGEST_DELAY_S = 20


class Arrival(NamedTuple):
    """A fact as one topic delivers it. Nothing orders the topics among each other."""

    at: Micros
    topic: str
    sku: str
    fact: Fact


def story(chance: random.Random, skus: int, steps: int) -> list[Arrival]:
    """Arrivals by time. One in ten is delivered twice, each late by up to ``LONGEST_DELAY_S``."""
    arrivals = []
    for sku in range(skus):
        for topic, fact in _life(chance, steps):
            for _ in range(1 if chance.random() < 0.9 else 2):
                late = seconds(chance.uniform(0, LONGEST_DELAY_S))
                arrivals.append(Arrival(fact.occurred_at + late, topic, f"SKU-{sku}", fact))
    arrivals.sort()
    return arrivals


def _life(chance: random.Random, steps: int) -> Iterator[tuple[str, Fact]]:
    """What happens to one SKU, one thing every few seconds."""
    clock = 10
    for location in LOCATIONS:
        yield "stock", builders.balance(chance.randint(20, 60), 5, location)
    for step in range(steps):
        clock += chance.randint(1, 5)
        location, other = chance.sample(LOCATIONS, 2)
        happening = chance.choices(_HAPPENINGS, _WEIGHTS)[0]
        yield from happening(chance, f"{step}", clock, location, other)


def _sale(chance: random.Random, name: str, at: int, location: str, other: str) -> Iterator[tuple[str, Fact]]:
    quantity = chance.randint(1, 5)
    sourced = location if chance.random() < 0.8 else None
    quoted = f"V{name}" if chance.random() < 0.3 else None
    if quoted:
        yield "reservations", builders.reservation(quantity, at + 30, quoted, location=sourced, at=at - 1)
    yield "orders", builders.line(quantity, at, f"O{name}", location=sourced, reservation=quoted)
    version = 1
    if sourced is None:
        version += 1
        yield "orders", builders.line(quantity, at + 2, f"O{name}", version, location=location, reservation=quoted)
    fate = chance.random()
    if fate < 0.15:
        version += 1
        yield "orders", builders.line(quantity, at + 3, f"O{name}", version, location=location, state="CANCELLED")
    if 0.1 < fate < 0.8:
        shipped = chance.randint(1, quantity)
        source = location if chance.random() < 0.9 else other
        final = chance.random() < 0.3
        yield "shipments", builders.shipment(shipped, at + 6, f"O{name}", f"S{name}", location=source, final=final)
        if chance.random() < 0.3:
            wrong = chance.random() < 0.2
            echo = builders.adjustment(
                -shipped - wrong, at + chance.randint(6, 15), f"e{name}", source, ref=f"S{name}"
            )
            yield "stock", echo


def _abandoned_cart(
    chance: random.Random, name: str, at: int, location: str, other: str
) -> Iterator[tuple[str, Fact]]:
    yield "reservations", builders.reservation(chance.randint(1, 4), at + 20, f"V{name}", location=location, at=at)
    if chance.random() < 0.5:
        yield "reservations", builders.released(chance.randint(1, 5), at + 5, f"V{name}", f"X{name}")


def _count(chance: random.Random, name: str, at: int, location: str, other: str) -> Iterator[tuple[str, Fact]]:
    basis = NET_OF_OPEN_ORDERS if chance.random() < 0.3 else PHYSICAL
    yield "stock", builders.balance(chance.randint(-2, 50), at, location, basis=basis)
    if chance.random() < 0.1:
        yield "stock", builders.balance(chance.randint(0, 50), at, location, basis=basis, revision=1)


def _delta(chance: random.Random, name: str, at: int, location: str, other: str) -> Iterator[tuple[str, Fact]]:
    bucket = chance.choice(("SELLABLE", "SELLABLE", "QUARANTINE"))
    yield "stock", builders.adjustment(chance.randint(-3, 6), at, f"a{name}", location, bucket=bucket)


def _return(chance: random.Random, name: str, at: int, location: str, other: str) -> Iterator[tuple[str, Fact]]:
    quantity = chance.randint(1, 3)
    yield "returns", builders.returned(quantity, at, f"R{name}", location)
    if chance.random() < 0.7:
        yield "returns", builders.disposed(quantity - 1, 1, at + 4, f"R{name}", location)


def _transfer(chance: random.Random, name: str, at: int, location: str, other: str) -> Iterator[tuple[str, Fact]]:
    quantity = chance.randint(1, 6)
    route = {"from_location": location, "to_location": other}
    yield "transfers", builders.sent(quantity, at, f"T{name}", **route)
    if chance.random() < 0.8:
        yield "transfers", builders.arrived(chance.randint(1, quantity + 1), at + 7, f"T{name}", **route)
    if chance.random() < 0.3:
        yield "transfers", builders.transfer_closed(at + 12, f"T{name}")


_HAPPENINGS = (_sale, _abandoned_cart, _count, _delta, _return, _transfer)
_WEIGHTS = (10, 2, 3, 2, 2, 2)
