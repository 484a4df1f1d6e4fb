"""What Omnichannel Inventory shows of a location.

Source (developer.salesforce.com): "Availability Records, Get Availability" of the Connect REST API, version 51.0.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from connectors.channels.http import Answered, CallFailed
from connectors.channels.reading import Shown, Unread, listed, read_object, whole

MOST_READ = 100


def read_path(api_version: str) -> str:
    """Path of the read in an org."""
    return f"/services/data/v{api_version}/commerce/oci/availability/availability-records/actions/get-availability"


def read_body(skus: Sequence[str], location: str) -> bytes:
    """The body of a read, past the cache."""
    asked = {"locationIdentifiers": [location], "stockKeepingUnits": list(skus), "useCache": False}
    return json.dumps(asked, ensure_ascii=False, separators=(",", ":")).encode()


def read_records(skus: Sequence[str], location: str, answer: Answered | CallFailed) -> Shown | Unread:
    """What is on hand of each SKU at the location."""
    content = read_object(answer)
    stated = content if isinstance(content, Unread) else listed(content.get("locations"))
    if isinstance(stated, Unread):
        return stated
    quantities: dict[str, int | None] = {}
    for place in stated:
        records = listed(place.get("inventoryRecords"))
        if place.get("locationIdentifier") == location and not isinstance(records, Unread):
            quantities |= {str(one.get("stockKeepingUnit")): whole(one.get("onHand")) for one in records}
    return {sku: quantities.get(sku) for sku in skus}
