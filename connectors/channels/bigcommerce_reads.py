"""What a BigCommerce store shows at a location: "Get location items" of the OpenAPI document ``inventory.v3.yml``.

``total_inventory_onhand`` is what an absolute adjustment sets; ``available_to_sell`` is less by the safety stock.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from connectors.channels.bigcommerce_wire import Identity
from connectors.channels.http import Answered, CallFailed
from connectors.channels.reading import Shown, Unread, listed, read_object, whole

MOST_READ = 50
"""Ours: the query grows with them."""


def read_path(listings: Sequence[str], identity: Identity, location_id: int) -> str:
    """Path and query of a read. A SKU with a comma is not found: the store takes a list with commas."""
    named = ",".join(quote(one, safe="") for one in listings)
    return f"/v3/inventory/locations/{location_id}/items?{identity}:in={named}&limit={len(listings)}"


def read_items(listings: Sequence[str], identity: Identity, answer: Answered | CallFailed) -> Shown | Unread:
    """The quantity of each listing."""
    content = read_object(answer)
    stated = content if isinstance(content, Unread) else listed(content.get("data"))
    if isinstance(stated, Unread):
        return stated
    quantities: dict[str, int | None] = {}
    for one in stated:
        named = one.get("identity")
        if isinstance(named, dict):
            listing = str(named.get(identity))
            # A product with variants is several items, and has no quantity of its own.
            several = listing in quantities
            quantities[listing] = None if several else whole(one.get("total_inventory_onhand"))
    return {listing: quantities.get(listing) for listing in listings}
