"""Seeded traffic of a small retailer: orders, shipments, balances, reservations, and everything twice at times."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator
from typing import Any

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
LOCATIONS = ("A", "B", "C")
REPEATED_PERCENT = 5
OUT_OF_ORDER = 40
"""Events are shuffled within windows of this many."""


def traffic(seed: int, events: int, skus: int = 60, run: str = "") -> Iterator[dict[str, Any]]:
    """Canonical lines in delivery order. ``run`` keeps the documents of several calls apart."""
    chance = random.Random(seed)
    lines = list(_lines(chance, events, skus, f"{run}{seed}"))
    for start in range(0, len(lines), OUT_OF_ORDER):
        window = lines[start : start + OUT_OF_ORDER]
        window += [line for line in window if chance.randrange(100) < REPEATED_PERCENT]
        chance.shuffle(window)
        yield from window


def _lines(chance: random.Random, events: int, skus: int, run: str) -> Iterator[dict[str, Any]]:
    open_lines: list[dict[str, Any]] = []
    for number in range(events):
        at = START + datetime.timedelta(seconds=number)
        sku = f"SKU-{chance.randrange(skus)}"
        common = {"event_id": f"{run}-{number}", "sku": sku, "occurred_at": at.isoformat()}
        location = chance.choice(LOCATIONS)
        kind = chance.random()
        if kind < 0.15:
            yield {
                **common,
                "type": "stock-adjusted",
                "kind": "BALANCE",
                "source": "erp",
                "location": location,
                "quantity": chance.randrange(-2, 60),
                "as_of": (at - datetime.timedelta(seconds=chance.randrange(30))).isoformat(),
                "sequence": number,
                "basis": "PHYSICAL",
            }
        elif kind < 0.60 or not open_lines:
            line = {
                **common,
                "type": "order-released",
                "source": "oms",
                "order_id": f"O-{run}-{number}",
                "line_id": "1",
                "version": 1,
                "quantity": chance.randrange(1, 5),
                "cancelled_quantity": 0,
                "state": "OPEN",
                "location": location if chance.random() < 0.9 else None,
                "channel": chance.choice(("web", "amazon")),
                "reservation_id": None,
            }
            open_lines.append(line)
            yield line
        elif kind < 0.92:
            line = open_lines.pop(chance.randrange(len(open_lines)))
            yield {
                **common,
                "sku": line["sku"],
                "type": "shipment-confirmed",
                "source": "wms",
                "shipment_id": f"S-{run}-{number}",
                "order_id": line["order_id"],
                "line_id": "1",
                "location": line["location"] or location,
                "quantity": line["quantity"],
                "final": False,
            }
        else:
            yield {
                **common,
                "type": "reservation-changed",
                "action": "REQUESTED",
                "source": "shop",
                "reservation_id": f"V-{run}-{number}",
                "quantity": 1,
                "location": location,
                "channel": "web",
                "expires_at": (START + datetime.timedelta(days=3650)).isoformat(),
            }
