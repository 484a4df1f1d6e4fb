"""Seeded events of every topic about a few hundred SKUs, as canonical lines in the order they happened."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Iterator
from typing import Any

LOCATIONS = ("A", "B", "C", "D")
CHANNELS = ("web", "amazon", None)
BALANCES_NAMING_DOCUMENTS = 0.15
HUGE_BALANCES, HUGE_DOCUMENTS = 0.005, 9_700
_COSTLY = '"' * 100
"""As many documents as fit a message, of names that need twice the room in JSON."""
SHORT_RESERVATION_S = (1, 3)
"""A reservation may run out in the middle of a round; before a round is judged, all of these have."""

Line = dict[str, Any]


class Retail:
    """A source of lines. ``start`` is when the first event happens; each is one millisecond after the other.

    ``run`` keeps the documents of several sources apart, ``large`` is the part of ``HUGE_BALANCES`` that is made.
    """

    def __init__(self, seed: int, skus: int, start: datetime.datetime, run: str = "", large: float = 1.0) -> None:
        self._run = run
        self._huge_share = HUGE_BALANCES * large
        self._chance = random.Random(f"retail-{seed}")
        self._skus = [f"SKU-{number}" for number in range(skus)]
        self._start = start
        self._number = 0
        self._lines: list[Line] = []
        self._reservations: list[Line] = []
        self._returns: list[Line] = []
        self._transfers: list[Line] = []
        self._shipped: list[Line] = []
        self._kinds: dict[Callable[[Line], Line | None], int] = {
            self._balance: 12,
            self._delta: 9,
            self._release: 28,
            self._change: 8,
            self._ship: 20,
            self._reserve: 7,
            self._free: 3,
            self._return: 4,
            self._dispose: 3,
            self._send: 4,
            self._receive: 4,
        }

    def lines(self, count: int) -> Iterator[Line]:
        """So many lines."""
        kinds, weights = list(self._kinds), list(self._kinds.values())
        made = 0
        while made < count:
            [kind] = self._chance.choices(kinds, weights=weights)
            line = kind(self._common())
            if line is not None:
                made += 1
                yield line

    def _common(self) -> Line:
        self._number += 1
        return {
            "event_id": f"ev-{self._run}{self._number}",
            "sku": self._chance.choice(self._skus),
            "occurred_at": _iso(self._start + datetime.timedelta(milliseconds=self._number)),
            "correlation_id": f"corr-{self._run}{self._number}" if self._chance.random() < 0.2 else None,
        }

    def _location(self) -> str:
        return self._chance.choice(LOCATIONS)

    def _balance(self, common: Line) -> Line:
        line = {
            **common,
            "type": "stock-adjusted",
            "kind": "BALANCE",
            "source": self._chance.choice(("erp", "wms")),
            "location": self._location(),
            "bucket": self._chance.choices(("SELLABLE", "QUARANTINE", "BLOCKED"), weights=(90, 5, 5))[0],
            "quantity": self._chance.randrange(-2, 90),
            "as_of": common["occurred_at"],
            "sequence": self._number,
            "basis": self._chance.choice(("PHYSICAL", "PHYSICAL", "NET_OF_OPEN_ORDERS")),
        }
        if self._shipped and self._chance.random() < BALANCES_NAMING_DOCUMENTS:
            named = self._chance.sample(self._shipped, min(5, len(self._shipped)))
            line["includes"] = [each["shipment_id"] for each in named]
        elif self._chance.random() < self._huge_share:
            line["includes"] = [f"{_COSTLY}{number}" for number in range(HUGE_DOCUMENTS)]
        return line

    def _delta(self, common: Line) -> Line:
        line = {
            **common,
            "type": "stock-adjusted",
            "kind": "DELTA",
            "source": "erp",
            "location": self._location(),
            "quantity": self._chance.randrange(-5, 12),
            "adjustment_id": f"ADJ-{self._run}{self._number}",
            "reason": self._chance.choice(("RECEIPT", "POS_SALE", "COUNT", "DAMAGE", "OTHER")),
        }
        if self._shipped and self._chance.random() < 0.4:
            echoed = self._chance.choice(self._shipped)
            line |= {
                "sku": echoed["sku"],
                "location": echoed["location"],
                "quantity": -echoed["quantity"],
                "reason": "GOODS_ISSUE",
                "document_ref": echoed["shipment_id"],
            }
        return line

    def _release(self, common: Line) -> Line:
        line = {
            **common,
            "type": "order-released",
            "source": "oms",
            "order_id": f"O-{self._run}{self._number}",
            "line_id": "1",
            "version": 1,
            "quantity": self._chance.randrange(1, 6),
            "cancelled_quantity": 0,
            "state": "OPEN",
            "location": self._location() if self._chance.random() < 0.9 else None,
            "channel": self._chance.choice(CHANNELS),
            "reservation_id": None,
        }
        if self._reservations and self._chance.random() < 0.15:
            held = self._reservations.pop(self._chance.randrange(len(self._reservations)))
            line |= {"sku": held["sku"], "reservation_id": held["reservation_id"], "location": held["location"]}
        self._lines.append(line)
        return line

    def _change(self, common: Line) -> Line | None:
        if not self._lines:
            return None
        index = self._chance.randrange(len(self._lines))
        line = {
            **self._lines[index],
            "event_id": common["event_id"],
            "occurred_at": common["occurred_at"],
            "version": self._lines[index]["version"] + 1,
        }
        change = self._chance.choice(("more", "cut", "cancel", "close", "source"))
        if change == "more":
            line["quantity"] += 1
        elif change == "cut":
            line["cancelled_quantity"] = min(line["quantity"], line["cancelled_quantity"] + 1)
        elif change == "source":
            line["location"] = self._location()
        else:
            line["state"] = {"cancel": "CANCELLED", "close": "CLOSED"}[change]
        self._lines[index] = line
        return line

    def _ship(self, common: Line) -> Line | None:
        if not self._lines:
            return None
        index = self._chance.randrange(len(self._lines))
        ordered = self._lines[index]
        final = self._chance.random() < 0.7
        line = {
            **common,
            "type": "shipment-confirmed",
            "sku": ordered["sku"],
            "source": "wms",
            "shipment_id": f"S-{self._run}{self._number}",
            "order_id": ordered["order_id"],
            "line_id": "1",
            "location": ordered["location"] or self._location(),
            "quantity": self._chance.randrange(1, ordered["quantity"] + 1),
            "final": final,
        }
        if final:
            self._lines.pop(index)
        self._shipped.append(line)
        return line

    def _reserve(self, common: Line) -> Line:
        expires = self._start + datetime.timedelta(days=3650)
        if self._chance.random() < 0.4:
            held_s = self._chance.uniform(*SHORT_RESERVATION_S)
            expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=held_s)
        line = {
            **common,
            "type": "reservation-changed",
            "action": "REQUESTED",
            "source": "shop",
            "reservation_id": f"V-{self._run}{self._number}",
            "quantity": self._chance.randrange(1, 3),
            "location": self._location() if self._chance.random() < 0.7 else None,
            "channel": "web",
            "expires_at": _iso(expires),
        }
        self._reservations.append(line)
        return line

    def _free(self, common: Line) -> Line | None:
        if not self._reservations:
            return None
        held = self._chance.choice(self._reservations)
        return {
            **common,
            "type": "reservation-changed",
            "sku": held["sku"],
            "action": "RELEASED",
            "source": "shop",
            "reservation_id": held["reservation_id"],
            "release_id": f"X-{self._run}{self._number}",
            "quantity": 1,
        }

    def _return(self, common: Line) -> Line:
        line = {
            **common,
            "type": "return-recorded",
            "source": "wms",
            "return_id": f"R-{self._run}{self._number}",
            "step": "RECEIVED",
            "location": self._location(),
            "quantity": self._chance.randrange(1, 4),
        }
        self._returns.append(line)
        return line

    def _dispose(self, common: Line) -> Line | None:
        if not self._returns:
            return None
        back = self._returns.pop(self._chance.randrange(len(self._returns)))
        restocked = self._chance.randrange(back["quantity"] + 1)
        return {
            **common,
            "type": "return-recorded",
            "sku": back["sku"],
            "source": "wms",
            "return_id": back["return_id"],
            "step": "DISPOSED",
            "location": back["location"],
            "restocked": restocked,
            "scrapped": back["quantity"] - restocked,
        }

    def _send(self, common: Line) -> Line:
        origin, target = self._chance.sample(LOCATIONS, 2)
        line = {
            **common,
            "type": "transfer-recorded",
            "source": "wms",
            "transfer_id": f"T-{self._run}{self._number}",
            "step": "SHIPPED",
            "from_location": origin,
            "to_location": target,
            "quantity": self._chance.randrange(2, 9),
        }
        self._transfers.append(line)
        return line

    def _receive(self, common: Line) -> Line | None:
        if not self._transfers:
            return None
        sent = self._chance.choice(self._transfers)
        line = {**sent, "event_id": common["event_id"], "occurred_at": common["occurred_at"], "step": "RECEIVED"}
        if self._chance.random() < 0.2:
            self._transfers.remove(sent)
            return {name: line[name] for name in (*common, "type", "source", "transfer_id")} | {"step": "CLOSED"}
        return line | {"part": str(self._number), "quantity": 1}


def _iso(at: datetime.datetime) -> str:
    return at.isoformat()
