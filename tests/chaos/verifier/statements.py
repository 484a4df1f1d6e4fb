"""What was said about listings, and what partitions told each other about that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from domain.listing_map import Listed, ListingName, Mapped, Subscription, Supply, mapped
from domain.prices import Price, dearer
from schemas.topics import LISTINGS
from tests.chaos.verifier.logs import Record

Told: TypeAlias = Listed | Subscription | Supply


class Statements:
    """Folded from the topics in any order: of statements about one listing the later holds."""

    def __init__(self, told: Iterable[tuple[Record, Told]]) -> None:
        self.holding: dict[ListingName, Mapped] = {}
        """What each listing sells by all that was said of it."""
        self.prices: dict[ListingName, Price | None] = {}
        self.made: set[Listed] = set()
        self.copies: dict[tuple[int, Listed], int] = {}
        """Offsets of statements that were passed on, by the partition of the exchange that they went to."""
        self.sold: dict[tuple[str, str], dict[str, int]] = {}
        """Pack sizes of the listings that sell a SKU, by channel and SKU."""
        self.supplies: list[tuple[Record, Supply]] = []
        self._pairs: set[tuple[str, str, str | None]] = set()
        for record, each in told:
            if isinstance(each, Listed):
                self._stated(record, each)
            elif isinstance(each, Supply):
                self.supplies.append((record, each))
        for (channel, listing), each in self.holding.items():
            if each.sku is not None:
                self.sold.setdefault((channel, each.sku), {})[listing] = each.pack_size

    def explain(self, each: Told) -> bool:
        """Whether somebody said what a message of the exchange is about."""
        if isinstance(each, Listed):
            return each in self.made
        return (each.channel, each.listing, each.sku) in self._pairs

    def _stated(self, record: Record, statement: Listed) -> None:
        if record.topic != LISTINGS.name:
            self.copies.setdefault((record.partition, statement), record.offset)
            return
        self.made.add(statement)
        self._pairs.add((statement.channel, statement.listing, statement.sku))
        name = statement.channel, statement.listing
        before = self.holding.get(name)
        if before is None or statement.as_of > before.as_of:
            self.prices[name] = statement.price
        elif statement.as_of == before.as_of:
            self.prices[name] = dearer(self.prices[name], statement.price)
        self.holding[name] = mapped(before, statement, 0) or self.holding[name]
