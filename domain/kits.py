"""How many kits can be sold, given what their components have available to sell (semantics section 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

NOWHERE: Mapping[str, int] = {}


def kit_available(
    component_ats: Mapping[str, Mapping[str, int]],
    need: Sequence[tuple[str, int]],
    prebuilt: int = 0,
    across_locations: bool = False,
) -> int:
    """Kits available to sell.

    ``component_ats`` is the available-to-sell of each component per location, ``need`` the components of one kit
    with their units; a component named twice needs the sum. Kits are assembled at one location unless
    ``across_locations``. ``prebuilt`` kits come on top. A component that is unknown has 0, and so has the kit;
    a kit that needs nothing exists only prebuilt.
    """
    needed: Counter[str] = Counter()
    for component, units in need:
        needed[component] += units
    stocks = [(component_ats.get(component, NOWHERE), units) for component, units in needed.items() if units > 0]
    if not stocks:
        return max(0, prebuilt)
    if across_locations:
        assembled = min(sum(max(0, ats) for ats in stock.values()) // units for stock, units in stocks)
    else:
        # A location that lacks any one component assembles nothing, so one component's locations are enough.
        assembled = sum(
            min(max(0, stock.get(location, 0)) // units for stock, units in stocks) for location in stocks[0][0]
        )
    return max(0, prebuilt) + assembled
