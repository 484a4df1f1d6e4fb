"""What eBay shows: ``bulkGetInventoryItem`` (25 SKUs a call) and ``getOffer`` of the Inventory API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from connectors.channels.authorized import AuthorizedCaller
from connectors.channels.ebay_wire import place
from connectors.channels.http import Answered, CallFailed
from connectors.channels.reading import Shown, Unread, listed, read_object, whole

MOST_READ = 25
BASE = "/sell/inventory/v1"
_HEADERS = {"accept": "application/json", "content-type": "application/json"}


async def read_back(caller: AuthorizedCaller, url: str, listings: Sequence[str]) -> Shown | Unread:
    """Read the offer of the first listing; if it has none, it and all others without, by their SKUs."""
    first = place(listings[0])
    if first.offer is not None:
        address = f"{url}{BASE}/offer/{quote(first.offer, safe='')}"
        return _of_offer(listings[0], first.sku, await caller.call("GET", address, headers=_HEADERS))
    skus = [one for one in listings if place(one).offer is None]
    body = json.dumps({"requests": [{"sku": sku} for sku in skus]}).encode()
    address = f"{url}{BASE}/bulk_get_inventory_item"
    return _of_items(skus, await caller.call("POST", address, headers=_HEADERS, body=body))


def _of_offer(listing: str, sku: str, answer: Answered | CallFailed) -> Shown | Unread:
    content = read_object(answer)
    if isinstance(content, Unread):
        return content
    return {listing: whole(content.get("availableQuantity")) if content.get("sku") == sku else None}


def _of_items(skus: Sequence[str], answer: Answered | CallFailed) -> Shown | Unread:
    content = read_object(answer)
    stated = content if isinstance(content, Unread) else listed(content.get("responses"))
    if isinstance(stated, Unread):
        return stated
    quantities = {
        str(one.get("sku")): whole(
            _within(one, "inventoryItem", "availability", "shipToLocationAvailability", "quantity")
        )
        for one in stated
        if one.get("statusCode") == 200
    }
    return {sku: quantities.get(sku) for sku in skus}


def _within(stated: dict[str, Any], *names: str) -> object:
    found: object = stated
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found
