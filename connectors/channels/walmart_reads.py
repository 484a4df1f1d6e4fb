"""What Walmart shows of a SKU: ``GET /v3/inventory`` and, by ship node, ``GET /v3/inventories/{sku}``.

By node it is ``inputQty``, the quantity that was sent; what is available to sell is less by what is reserved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.channels.http import Answered, CallFailed
from connectors.channels.reading import ANSWER_UNREADABLE, Shown, Unread, listed, read_object, whole
from connectors.channels.walmart_wire import Place, place

READ_SINGLE, READ_BY_NODE = "inventory read", "inventories read"
"""Rate limits of their own."""


def readable(listings: Sequence[str], by_node: bool) -> dict[str, Place]:
    """The listings that are of the SKU of the first one."""
    named = {listing: one for listing in listings if (one := place(listing, by_node)) is not None}
    first = named.get(listings[0])
    return {listing: one for listing, one in named.items() if first is not None and one.sku == first.sku}


def read_quantities(places: Mapping[str, Place], answer: Answered | CallFailed) -> Shown | Unread:
    """The quantity of each listing, all of one SKU."""
    content = read_object(answer)
    if isinstance(content, Unread):
        return content
    if content.get("sku") not in {one.sku for one in places.values()}:
        return Unread(ANSWER_UNREADABLE)
    if any(one.node is None for one in places.values()):
        return {listing: _amount(content.get("quantity")) for listing in places}
    nodes = listed(content.get("nodes"))
    if isinstance(nodes, Unread):
        return nodes
    by_node = {str(one.get("shipNode")): _amount(one.get("inputQty")) for one in nodes}
    return {listing: by_node.get(str(one.node)) for listing, one in places.items()}


def _amount(stated: object) -> int | None:
    return whole(stated.get("amount")) if isinstance(stated, dict) else None
