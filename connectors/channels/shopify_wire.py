"""What Shopify is asked: the GraphQL documents of Admin API 2026-10 and their variables.

Sources (shopify.dev): "inventorySetQuantities" (compare-and-set by ``changeFromQuantity``, null opts out, leaving
it out is an error), "Shopify API limits" (an array argument has at most 250 entries), "Implementing idempotency"
(the same variables have the same key, others another).
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from typing import NamedTuple

from connectors.channels.base import Update

API_VERSION = "2026-10"
MOST_QUANTITIES = 250
"""Entries of an input array ("Shopify API limits")."""

SET_QUANTITIES = """
mutation SetAvailable($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id }
    userErrors { code field message }
  }
}
""".strip()

READ_QUANTITIES = """
query Available($ids: [ID!]!, $location: ID!) {
  nodes(ids: $ids) {
    ... on InventoryItem {
      id
      inventoryLevel(locationId: $location) { quantities(names: ["available"]) { name quantity } }
    }
  }
}
""".strip()

_KEYS = uuid.UUID("6f9c1f4e-7c0b-5a52-9a39-0d6a1a1f3f5e")
_NUMBER = re.compile(r"[0-9]{1,20}")
_ITEM_GID = re.compile(r"gid://shopify/InventoryItem/[0-9]{1,20}")
LOCATION_GID = re.compile(r"gid://shopify/Location/[0-9]{1,20}")


class Change(NamedTuple):
    """One quantity to set. ``position`` is that of its update in the batch; ``expected`` None: whatever it is."""

    position: int
    update: Update
    inventory_item: str
    expected: int | None
    reason: str | None = None


def inventory_item(listing: str) -> str | None:
    """The global id of an inventory item, for its number or its global id; None when it is neither."""
    if _NUMBER.fullmatch(listing):
        return f"gid://shopify/InventoryItem/{listing}"
    return listing if _ITEM_GID.fullmatch(listing) else None


def set_quantities(changes: Sequence[Change], location: str, channel: str, new_key: str | None = None) -> bytes:
    """The request that sets them, or none of them.

    Its idempotency key follows from the updates and variables, so that the same attempt has the same key also
    after a restart; ``new_key`` replaces it.
    """
    given = {
        "name": "available",
        "reason": "correction",
        "referenceDocumentUri": f"gid://atstream/ChannelUpdates/{channel}",
        "quantities": [
            {
                "inventoryItemId": one.inventory_item,
                "locationId": location,
                "quantity": one.update.quantity,
                "changeFromQuantity": one.expected,
            }
            for one in changes
        ],
    }
    identity = json.dumps([given, [one.update.idempotency_key for one in changes]], separators=(",", ":"))
    key = new_key or str(uuid.uuid5(_KEYS, identity))
    return _request(SET_QUANTITIES, {"input": given, "key": key})


def read_quantities(changes: Sequence[Change], location: str) -> bytes:
    """The request that reads what the channel shows for these."""
    return _request(READ_QUANTITIES, {"ids": [one.inventory_item for one in changes], "location": location})


def _request(query: str, variables: dict[str, object]) -> bytes:
    return json.dumps({"query": query, "variables": variables}, separators=(",", ":")).encode()
