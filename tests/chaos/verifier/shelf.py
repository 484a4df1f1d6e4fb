"""What a channel should show, listing by listing, by the recomputed numbers and by what was said of listings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from domain.availability import assess
from tests.chaos.verifier.recomputation import Recomputation


class Due(NamedTuple):
    """What a listing should show. ``always``: also a 0 must have been told, though nothing was told before."""

    listing: str
    sku: str
    quantity: int
    always: bool = True


def dues(channel: str, recomputed: Recomputation) -> Iterator[Due]:
    """Every name that the channel may know, once."""
    statements = recomputed.statements
    names = {listing for of, listing in statements.holding if of == channel}
    for sku, state in sorted(recomputed.possible.items()):
        quantity = assess(state, recomputed.policy, recomputed.now).channels[channel]
        listings = statements.sold.get((channel, sku), {})
        for listing, pack_size in sorted(listings.items()):
            yield Due(listing, sku, max(0, quantity) // pack_size)
        if sku in names:
            continue
        if listings:
            yield Due(sku, sku, 0, always=False)
        else:
            yield Due(sku, sku, quantity)
    for listing in sorted(names):
        sold = statements.holding[channel, listing].sku
        if sold is None:
            yield Due(listing, "", 0, always=False)
        elif sold not in recomputed.possible:
            yield Due(listing, sold, 0)
