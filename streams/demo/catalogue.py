"""What the shops call what they sell: the web shop has inventory items, single ones and packs.

The marketplace and the outlet list a SKU by its own name, for which nothing has to be said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

WEB = "web"
FIRST_ITEM, FIRST_PACK = 7_000_001, 8_000_001
PACK_OF, PACKS_EVERY = 4, 6
"""Every so many SKUs, one is sold in packs as well."""


class Sold(NamedTuple):
    """A listing of a channel, the SKU that it sells, and how many base units are one of it."""

    channel: str
    listing: str
    sku: str
    pack_size: int

    def record(self, as_of: str) -> Mapping[str, Any]:
        """The canonical record that says so, since ``as_of`` (ISO 8601)."""
        return {
            "type": "listings",
            "channel": self.channel,
            "listing": self.listing,
            "sku": self.sku,
            "pack_size": self.pack_size,
            "as_of": as_of,
            "event_id": f"demo-{self.channel}-{self.listing}",
            "source": "demo",
        }


def catalogue(skus: Collection[str]) -> tuple[Sold, ...]:
    """What the web shop lists: each SKU as an inventory item, every ``PACKS_EVERY``-th also as a pack."""
    ordered = sorted(skus)
    single = [Sold(WEB, str(FIRST_ITEM + number), sku, 1) for number, sku in enumerate(ordered)]
    packs = [
        Sold(WEB, str(FIRST_PACK + number), sku, PACK_OF) for number, sku in enumerate(ordered[::PACKS_EVERY])
    ]
    return (*single, *packs)


def of_channel(sold: Sequence[Sold], channel: str) -> dict[str, list[Sold]]:
    """The listings of a channel by the SKU that they sell."""
    found: dict[str, list[Sold]] = {}
    for one in sold:
        if one.channel == channel:
            found.setdefault(one.sku, []).append(one)
    return found
