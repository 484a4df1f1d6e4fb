"""The measured guards of one SKU: how fast each channel sells it, times how long the channel takes to react."""

from __future__ import annotations

from collections.abc import Mapping

from domain.facts import Micros
from domain.guard import measured_guard
from domain.sums import Sums
from domain.velocity import SLOT

NO_GUARDS: Mapping[str, int] = {}


def guards_of(sums: Sums, reactions: Mapping[str, Micros], now: Micros) -> Mapping[str, int]:
    """Guard units per channel that has a service level and sold the SKU within a day.

    ``reactions``: how long each channel takes to show what it is told; 0 where it is missing.
    """
    sales = sums.sales
    if sales is None or not reactions:
        return NO_GUARDS
    guards: dict[str, int] = {}
    for channel in sales.channels(now):
        reaction = reactions.get(channel, 0)
        if reaction and channel in sums.service_levels:
            velocity = sales.per_hour(channel, now)
            guards[channel] = measured_guard(velocity, reaction, sums.service_levels[channel])
    return guards


def guards_change_at(sums: Sums, now: Micros) -> Micros | None:
    """When the guards may be others although nothing happens: as sales get older; None: not by the clock."""
    if sums.sales is None or not sums.sales.channels(now):
        return None
    return (now // SLOT + 1) * SLOT
