"""The documents behind the sums: which orders, reservations and movements stand behind a term of a waterfall.

Reads all facts of the SKU, so it is for people who ask, not for every event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from domain.facts import Micros, Reservation, ReservationRelease
from domain.lines import line_of, open_quantity
from domain.state import SkuState

SHOWN = 10
"""Documents named per term; the rest is counted."""


def open_orders(state: SkuState, location: str | None) -> tuple[str, ...]:
    """Order lines that reserve units at a location (None: lines not sourced yet), as ``order/line (units)``."""
    return shown(_open_orders(state, location))


def open_reservations(state: SkuState, location: str | None, now: Micros) -> tuple[str, ...]:
    """Reservations at a location that have not run out. Units a line converted are not taken off."""
    return shown(_open_reservations(state, location, now))


def shown(documents: Iterable[str]) -> tuple[str, ...]:
    """The first documents by name, and how many more there are."""
    names = sorted(documents)
    more = len(names) - SHOWN
    return (*names[:SHOWN], f"and {more} more") if more > 0 else tuple(names)


def _open_orders(state: SkuState, location: str | None) -> Iterator[str]:
    for unit, facts in state.units.items():
        if unit[0] != "line":
            continue
        line = line_of(facts)
        version = line.current
        if version is None or version.location != location:
            continue
        short = any(shipment.final for shipment in line.shipments)
        units = open_quantity(version, line.shipped, short)
        if units:
            yield f"{version.order_id}/{version.line_id} ({units})"


def _open_reservations(state: SkuState, location: str | None, now: Micros) -> Iterator[str]:
    for unit, facts in state.units.items():
        if unit[0] != "reservation":
            continue
        released = sum(fact.quantity for fact in facts if isinstance(fact, ReservationRelease))
        for fact in facts:
            if (
                isinstance(fact, Reservation)
                and fact.location == location
                and fact.expires_at > now
                and fact.quantity > released
            ):
                yield f"{fact.reservation_id} ({fact.quantity - released})"
