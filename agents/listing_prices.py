"""What the listings of one partition sell for. Memory follows the listings that have a price."""

from __future__ import annotations

from collections.abc import Mapping
from sys import intern

from agents.ports import Outgoing
from domain.facts import Micros
from domain.listing_map import Listed, ListingName, Mapped, priced
from domain.prices import Price
from schemas.topics import PUBLICATIONS_CHANGELOG
from tables.listing_rows import price_key, price_of, price_row, priced_name


class ListingPrices:
    """Prices of listings whose home is the partition ``number``.

    A price belongs to the statement that says what the listing sells, and that statement's row may be newer than
    the price's, after a crash between them: such a price is dropped in ``settle``. Its statement comes again.
    So is the price before a statement without one: a row that ended it, late out of a paused worker, could end
    another.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._prices: dict[str, dict[str, Price]] = {}
        """By channel and listing."""
        self._recovered: dict[str, dict[str, tuple[Micros, Price]]] = {}
        """The same with the ``as_of`` of their statements, until all rows are there."""

    def recover(self, key: bytes, value: bytes) -> None:
        """Take a changelog row; of several of one listing the later holds."""
        (channel, listing), row = priced_name(key), price_of(value)
        rows = self._recovered.setdefault(intern(channel), {})
        rows[listing] = max(row, rows.get(listing, row))

    def settle(self, listings: Mapping[str, Mapping[str, Mapped]]) -> None:
        """Every row is recovered: keep the prices that are of the statements in force, by channel and listing."""
        recovered, self._recovered = self._recovered, {}
        for channel, rows in recovered.items():
            prices = self._prices.setdefault(channel, {})
            for listing, each in listings.get(channel, {}).items():  # their names, so that each is kept once
                as_of, price = rows.get(listing, (None, None))
                if price is not None and as_of == each.as_of:
                    prices[listing] = price

    def of(self, name: ListingName) -> Price | None:
        """What one of a listing sells for; None: not known."""
        prices = self._prices.get(name[0])
        return None if prices is None else prices.get(name[1])

    def said(self, before: Mapped | None, statement: Listed) -> list[Outgoing]:
        """Take a statement about a listing that was ``before``: the row to write, if the price is another one."""
        name = statement.channel, statement.listing
        known = self.of(name)
        price = priced(before, known, statement)
        if price is None:
            if known is not None:
                del self._prices[name[0]][name[1]]
            return []
        is_restated = before is None or statement.as_of > before.as_of
        if price == known and not is_restated:
            return []
        self._prices.setdefault(intern(name[0]), {})[name[1]] = price
        row = price_row(price, statement.as_of)
        return [Outgoing(PUBLICATIONS_CHANGELOG.name, self._number, price_key(name), row)]
