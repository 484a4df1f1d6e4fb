"""Which SKU a listing of a channel sells, and what it shows of it (decision 0017).

A listing lives in one place: the partition of its id, its *home*. Only there is it planned, so its updates have
one order whatever SKU it sells. The home knows what the listing sells (``Mapped``) and has the SKU's partition
supply it with the SKU's channel quantity (``Supply``) under a ``Subscription``.

    mapped, zeroed, supplied     what can happen to a listing at its home
    shown                        what the channel should show, as far as it is known
    priced                       what one of a listing sells for
    subscribed                   what can happen to a subscription at the partition of its SKU
    join                         two rows of the same listing after a crash

A supply counts only under the subscription in force, and a subscription begins after the listing was told 0. So no
listing shows stock of a SKU that it does not sell any more, whoever is late.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from domain.facts import Micros
from domain.prices import Price, dearer

ListingName = tuple[str, str]
"""A channel, and the id of a listing there."""


class Listed(NamedTuple):
    """Somebody says what a listing sells: a SKU in packs of ``pack_size`` base units, or nothing (None) any more.

    Of two statements about a listing the one with the later ``as_of`` holds. ``price``: of one pack, if known.
    """

    channel: str
    listing: str
    sku: str | None
    pack_size: int
    as_of: Micros
    price: Price | None = None


class Subscription(NamedTuple):
    """The home of a listing wants the channel quantities of a SKU, or (``wanted`` False) no longer.

    ``number`` grows with every subscription of a home.
    """

    channel: str
    listing: str
    sku: str
    number: int
    wanted: bool


class Supply(NamedTuple):
    """The channel quantity of a SKU for a listing under a subscription; ``version`` grows with every one of a SKU.

    ``units`` are what the channel is told of the SKU (semantics section 5), before they are divided into the
    listing's packs. ``caused_by`` and ``occurred_at`` travel with the update; ``repair`` tells it even if it was
    told before.
    """

    channel: str
    listing: str
    sku: str
    subscription: int
    units: int
    version: int
    caused_by: tuple[str, ...] = ()
    occurred_at: Micros | None = None
    repair: bool = False


class Mapped(NamedTuple):
    """What a listing sells, at its home. ``units`` None: the SKU's partition has not said yet.

    ``is_zeroed``: the channel was told 0 since the listing changed its SKU (or never anything else), so that the
    subscription ``number`` is in force. ``version`` is that of the newest supply under it.
    """

    sku: str | None
    pack_size: int
    as_of: Micros
    number: int
    is_zeroed: bool = False
    units: int | None = None
    version: int = 0


def mapped(before: Mapped | None, statement: Listed, number: int) -> Mapped | None:
    """What a statement makes of a listing; None: nothing, because it is known or an older one.

    Another SKU begins anew under the subscription ``number``; another pack size divides the same units.
    """
    if before is None or statement.sku != before.sku:
        after = Mapped(statement.sku, statement.pack_size, statement.as_of, number)
    else:
        after = before._replace(pack_size=statement.pack_size, as_of=statement.as_of)
    return after if before is None or _stated(after) > _stated(before) else None


def priced(before: Mapped | None, known: Price | None, statement: Listed) -> Price | None:
    """What one of a listing sells for after a statement. ``known``: by the statement that ``before`` is of.

    A price is not part of ``Mapped``: it decides nothing, and most listings of a million may have none.
    """
    if before is None or statement.as_of > before.as_of:
        return statement.price
    return dearer(known, statement.price) if statement.as_of == before.as_of else known


def zeroed(listing: Mapped) -> Mapped:
    """The channel was told 0: the subscription is in force."""
    return listing._replace(is_zeroed=True)


def supplied(listing: Mapped, supply: Supply) -> Mapped | None:
    """What a supply makes of a listing; None: nothing, another subscription or a newer supply is in force."""
    if not listing.is_zeroed or supply.subscription != listing.number or supply.version <= listing.version:
        return None
    return listing._replace(units=supply.units, version=supply.version)


def shown(listing: Mapped) -> int | None:
    """What the channel should show, in packs: 0 until a subscription is in force; None: what it was told last."""
    if listing.sku is None or not listing.is_zeroed:
        return 0
    return None if listing.units is None else max(0, listing.units) // listing.pack_size


def join(one: Mapped, other: Mapped) -> Mapped:
    """What two rows of a listing say together: the later statement, and of one statement the later state."""
    return max(one, other, key=_progress)


def subscribed(before: Subscription | None, after: Subscription) -> Subscription:
    """Which of two messages about a subscription of a SKU by a listing holds: the later; its end at last."""
    if before is None:
        return after
    return max(before, after, key=lambda each: (each.number, not each.wanted))


class ListingMap:
    """Which listings sell which SKU, from statements in any order."""

    def __init__(self) -> None:
        self._listings: dict[ListingName, Mapped] = {}

    def take(self, statement: Listed) -> None:
        """Take a statement."""
        name = (statement.channel, statement.listing)
        after = mapped(self._listings.get(name), statement, 0)
        if after is not None:
            self._listings[name] = after

    def by_sku(self) -> Mapping[tuple[str, str], Mapping[str, int]]:
        """Pack sizes of the listings that sell a SKU, by channel and SKU."""
        sold: dict[tuple[str, str], dict[str, int]] = {}
        for (channel, listing), each in self._listings.items():
            if each.sku is not None:
                sold.setdefault((channel, each.sku), {})[listing] = each.pack_size
            if (channel, listing) not in sold:
                sold[channel, listing] = {}  # the name is a listing: no SKU is listed under it by itself
        return sold


def _stated(listing: Mapped) -> tuple[Micros, bool, str, int]:
    # At one instant nothing is less than something, and larger packs show less: both are the careful choice.
    return (listing.as_of, listing.sku is None, listing.sku or "", listing.pack_size)


def _progress(listing: Mapped) -> tuple[tuple[Micros, bool, str, int], int, bool, int, int]:
    units = -1 if listing.units is None else listing.units
    return (_stated(listing), listing.number, listing.is_zeroed, listing.version, -units)
