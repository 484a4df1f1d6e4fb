"""Law: what the changelog remembers of listings is what was said of them, and it is remembered at their homes."""

from __future__ import annotations

from collections.abc import Iterator

from domain.listing_map import ListingName
from tests.chaos.evidence import Violation
from tests.chaos.verifier.law_state import LAW
from tests.chaos.verifier.logs import home_of
from tests.chaos.verifier.recomputation import Recomputation


def violations(recomputed: Recomputation) -> Iterator[Violation]:
    """Every listing that is remembered as something else than was said last, or by a partition that is no home."""
    rows, partitions = recomputed.listing_rows, recomputed.logs.partitions
    for name in sorted({*rows.mapped, *recomputed.statements.holding}):
        yield from _differences(name, recomputed)
        if any(row.partition != home_of(name[1].encode(), partitions) for row in rows.mapped[name]):
            yield Violation(LAW, _where(name), "a row of it is in a partition that is not its home")
    for (channel, sku), by_listing in sorted(rows.subscriptions.items()):
        found = {row.partition for each in by_listing.values() for row in each}
        if found != {home_of(sku.encode(), partitions)}:
            yield Violation(LAW, f"{sku} on {channel}", "subscriptions to it are not in its partition")


def figures(recomputed: Recomputation) -> dict[str, int]:
    """How much was compared."""
    moves = sum(
        len({row.said.number for row in rows}) - 1 for rows in recomputed.listing_rows.mapped.values() if rows
    )
    return {"listings": len(recomputed.statements.holding), "listings moved": moves}


def _differences(name: ListingName, recomputed: Recomputation) -> Iterator[Violation]:
    said, kept = recomputed.statements.holding.get(name), recomputed.listing_rows.standing(name)
    if said is None or kept is None:
        yield Violation(LAW, _where(name), f"said to sell {said}, remembered as {kept}")
        return
    ours, theirs = (said.sku, said.pack_size, said.as_of), (kept.sku, kept.pack_size, kept.as_of)
    if ours != theirs:
        yield Violation(LAW, _where(name), f"said to sell {ours}, remembered as {theirs}")
        return
    price, kept_price = recomputed.statements.prices[name], recomputed.listing_rows.price(name)
    if price != kept_price:
        yield Violation(LAW, _where(name), f"said to sell for {price}, remembered as {kept_price}")


def _where(name: ListingName) -> str:
    channel, listing = name
    return f"{listing} on {channel}"
