"""The input of every side: shipments of many SKUs, seeded, and where each brings its SKU.

They are parcels of order lines: every line is shipped in four. Which lines there must be is known from how many
shipments a SKU has.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from domain.facts import SECOND, Micros
from schemas.codec import Encoder

SHIPMENTS = "shipment-confirmed"
LOCATIONS = ("A", "B")
MOST_UNITS = 5
PARCELS = 4
"""Shipments of one order line."""
GAP: Micros = 1_000
"""Time between two events on their own axis."""


class Event(NamedTuple):
    """One input record, and where its key stands once it is counted: so many events, so many units gone."""

    key: bytes
    value: bytes
    events: int
    units: int
    topic: str = SHIPMENTS


class Shipments:
    """An endless, seeded stream of shipments. Keys are drawn evenly, which leaves the least to coalesce."""

    def __init__(self, encoder: Encoder, keys: int, seed: int, begins_at: Micros) -> None:
        self.keys = keys
        self.begins_at = begins_at
        self._encoder = encoder
        self._chance = random.Random(seed)
        self._number = 0
        self._events: dict[int, int] = {}
        self._units: dict[int, int] = {}

    def take(self, count: int) -> Iterator[Event]:
        """The next so many events."""
        random_, encode = self._chance.random, self._encoder.encode
        for number in range(self._number, self._number + count):
            drawn = int(random_() * self.keys)
            quantity = 1 + int(random_() * MOST_UNITS)
            events = self._events[drawn] = self._events.get(drawn, 0) + 1
            units = self._units[drawn] = self._units.get(drawn, 0) + quantity
            at = self.begins_at + number * GAP
            sku = sku_of(drawn)
            fields = _shipment(number, sku, (events - 1) // PARCELS, quantity, at)
            yield Event(sku.encode(), encode(fields), events, units)
        self._number += count

    @property
    def produced(self) -> int:
        """Events taken so far."""
        return self._number

    @property
    def opened_at(self) -> Micros:
        """When opening balances are cut: before the first event."""
        return self.begins_at - 60 * SECOND


def sku_of(number: int) -> str:
    """The SKU of that number."""
    return f"SKU-{number:07d}"


def order_of(sku: str, line: int) -> tuple[str, str]:
    """The order of a SKU's line of that number, and where the line is shipped from."""
    return f"O-{sku}-{line}", LOCATIONS[line % len(LOCATIONS)]


def _shipment(number: int, sku: str, line: int, quantity: int, at: Micros) -> dict[str, Any]:
    order, location = order_of(sku, line)
    return {
        "event_id": f"ev-{number}",
        "source": "wms",
        "sku": sku,
        "occurred_at": at,
        "revision": 0,
        "correlation_id": f"corr-{number}",
        "shipment_id": f"S-{number}",
        "order_id": order,
        "line_id": "1",
        "location": location,
        "quantity": quantity,
        "final": False,
        "ext": {},
    }
