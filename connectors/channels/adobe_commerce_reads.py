"""What a shop on Adobe Commerce shows of a source: the search for source items (Admin REST schema 2.4.9)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from connectors.channels.adobe_commerce_wire import PATH
from connectors.channels.http import Answered, CallFailed
from connectors.channels.reading import Shown, Unread, listed, read_object, whole

MOST_READ = 20


def search_path(skus: Sequence[str], source_code: str) -> str:
    """Path and query of a search. A SKU with a comma is not found: the condition takes a list with commas."""
    filters = {"source_code": ("eq", source_code), "sku": ("in", ",".join(skus))}
    query = {"searchCriteria[pageSize]": str(len(skus))}
    for number, (name, (condition, value)) in enumerate(filters.items()):
        part = f"searchCriteria[filter_groups][{number}][filters][0]"
        query |= {f"{part}[field]": name, f"{part}[value]": value, f"{part}[condition_type]": condition}
    return f"{PATH}?{urlencode(query)}"


def read_source_items(skus: Sequence[str], source_code: str, answer: Answered | CallFailed) -> Shown | Unread:
    """The quantity of each SKU at the source."""
    content = read_object(answer)
    stated = content if isinstance(content, Unread) else listed(content.get("items"))
    if isinstance(stated, Unread):
        return stated
    quantities = {
        str(one.get("sku")): whole(one.get("quantity")) for one in stated if one.get("source_code") == source_code
    }
    return {sku: quantities.get(sku) for sku in skus}
