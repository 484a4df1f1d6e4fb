"""Rows of the publications changelog about listings: what each sells, for how much, and who subscribes to SKUs."""

from __future__ import annotations

from collections import defaultdict
from functools import reduce
from typing import Generic, NamedTuple, TypeVar

from domain.listing_map import ListingName, Mapped, Subscription, join
from domain.prices import Price
from schemas.topics import PUBLICATIONS_CHANGELOG
from tables.listing_rows import (
    MAPPED_PREFIX,
    PRICE_PREFIX,
    SUBSCRIBED_PREFIX,
    listing_name,
    mapped_of,
    price_of,
    priced_name,
    subscription_of,
)
from tests.chaos.verifier.logs import Logs

Said = TypeVar("Said")


class Row(NamedTuple, Generic[Said]):
    """A row and where it lies."""

    partition: int
    offset: int
    said: Said


class ListingRows:
    """All rows about listings in offset order. A stale row of a paused worker is a row like any other."""

    def __init__(self, logs: Logs) -> None:
        self.mapped: dict[ListingName, list[Row[Mapped]]] = defaultdict(list)
        self.subscriptions: dict[tuple[str, str], dict[str, list[Row[Subscription]]]] = {}
        """By channel and SKU, and then by listing."""
        self._prices: dict[ListingName, list[tuple[int, Price]]] = defaultdict(list)
        for record in logs.all_of(PUBLICATIONS_CHANGELOG.name):
            key, value = record.key or b"", record.value
            if value is None:
                continue  # of no listing: their rows have no end
            if key.startswith(MAPPED_PREFIX):
                row = Row(record.partition, record.offset, mapped_of(value))
                self.mapped[listing_name(key)].append(row)
            elif key.startswith(SUBSCRIBED_PREFIX):
                each = subscription_of(value)
                by_listing = self.subscriptions.setdefault((each.channel, each.sku), defaultdict(list))
                by_listing[each.listing].append(Row(record.partition, record.offset, each))
            elif key.startswith(PRICE_PREFIX):
                self._prices[priced_name(key)].append(price_of(value))

    def standing(self, name: ListingName) -> Mapped | None:
        """What all rows of a listing say together."""
        rows = self.mapped.get(name, ())
        return reduce(join, (row.said for row in rows)) if rows else None

    def price(self, name: ListingName) -> Price | None:
        """What one of a listing sells for: a price counts if it is of the statement that holds."""
        listing = self.standing(name)
        as_of, price = max(self._prices.get(name, ()), default=(None, None))
        return price if listing is not None and as_of == listing.as_of else None
