"""The true stock of the story: what physically lies where, and what the ERP has booked at any instant.

The demo checks the engine against this book. It shares no code with the engine on purpose: stock here is a plain
sum over a list of movements, the most naive way there is.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple, TypeAlias

from domain.facts import Micros

Place: TypeAlias = tuple[str, str]
"""SKU and location."""


class Booking(NamedTuple):
    """Units that entered (+) or left (-), and when the ERP books them."""

    posted_at: Micros
    units: int


class Warehouse:
    """Sellable units and quarantine per SKU and location, with the history that balances are cut from."""

    def __init__(self, opening: dict[Place, int]) -> None:
        self.opening = opening
        self.on_hand: dict[Place, int] = dict(opening)
        self.quarantine: dict[Place, int] = defaultdict(int)
        self.bookings: dict[Place, list[Booking]] = defaultdict(list)

    def move(self, place: Place, units: int, posted_at: Micros) -> None:
        """Units enter or leave now; the ERP books them at ``posted_at``."""
        self.on_hand[place] = self.on_hand.get(place, 0) + units
        self.bookings[place].append(Booking(posted_at, units))

    def booked(self, place: Place, as_of: Micros) -> int:
        """What a balance cut at ``as_of`` truthfully says: opening and all bookings up to then, tie included."""
        booked = sum(booking.units for booking in self.bookings[place] if booking.posted_at <= as_of)
        return self.opening.get(place, 0) + booked
