"""What a WooCommerce store shows: "List all products" and "List all product variations" of its REST API v3."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.channels.http import Answered, CallFailed
from connectors.channels.reading import Shown, Unread, listed, read_json, whole
from connectors.channels.woocommerce_wire import Target, target

MOST_READ = 100
"""The most a page may hold."""


def readable(listings: Sequence[str]) -> dict[str, Target]:
    """The listings that share the route of the first one."""
    named = {listing: one for listing in listings if (one := target(listing)) is not None}
    first = named.get(listings[0])
    return {listing: one for listing, one in named.items() if first is not None and one.route == first.route}


def read_path(targets: Sequence[Target]) -> str:
    """Path and query of a read of one route."""
    route = targets[0].route.removesuffix("/batch")
    ids = ",".join(str(one.id) for one in targets)
    return f"{route}?include={ids}&per_page={len(targets)}&_fields=id,manage_stock,stock_quantity"


def read_objects(targets: dict[str, Target], answer: Answered | CallFailed) -> Shown | Unread:
    """The stock of each listing; None of one whose stock the store does not manage, or that is not there."""
    content = read_json(answer)
    stated = content if isinstance(content, Unread) else listed(content)
    if isinstance(stated, Unread):
        return stated
    quantities = {
        one.get("id"): whole(one.get("stock_quantity")) for one in stated if one.get("manage_stock") is True
    }
    return {listing: quantities.get(one.id) for listing, one in targets.items()}
