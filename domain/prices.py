"""Prices: what one of a listing sells for. Amounts of different currencies are never compared and never added."""

from __future__ import annotations

from typing import NamedTuple


class Price(NamedTuple):
    """``amount`` in the smallest unit of ``currency`` (ISO 4217): 1999 of EUR are 19.99 euros, of JPY 1999 yen."""

    amount: int
    currency: str


def dearer(one: Price | None, other: Price | None) -> Price | None:
    """Which of two statements of one instant holds: any price before none, else always the same one."""
    return max(one, other, key=lambda price: (price is not None, price or ()))


class Offer(NamedTuple):
    """One of a listing: how many units of the SKU it is, and what it sells for; None: not known."""

    pack_size: int
    price: Price | None = None
