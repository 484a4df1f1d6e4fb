"""Exposure: listings of which a channel accepted more than is safe to tell it now (semantics section 5).

One book a channel, told of every change of a listing. A change costs O(log n), totals O(1); memory follows the
listings that are exposed, not all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import nsmallest
from typing import NamedTuple

from domain.ages import Ages
from domain.facts import Micros


class Exposed(NamedTuple):
    """A listing whose channel shows ``units`` more than is safe, since ``since``. ``value`` None: price unknown.

    Units are those of the SKU. The value is in the smallest unit of the price's currency, such as cents.
    """

    listing: str
    sku: str
    accepted: int
    safe: int
    units: int
    value: int | None
    since: Micros


class ExposureTotals(NamedTuple):
    """Exposure of a whole channel. ``unpriced``: units of SKUs without a price, which ``value`` leaves out.

    ``since``: since when the listing has been exposed that is exposed longest; None when none is.
    """

    listings: int
    units: int
    value: int
    unpriced: int
    since: Micros | None


class _Excess(NamedTuple):
    sku: str
    accepted: int
    safe: int
    units: int
    price: int | None


class ExposureBook:
    """What one channel was told beyond what is safe. ``prices``: price of one unit by SKU, in cents or alike.

    A price is read when a listing changes; a new price holds from its next change on.
    """

    __slots__ = ("_ages", "_excess", "_prices", "_units", "_unpriced", "_value")

    def __init__(self, prices: Mapping[str, int] | None = None) -> None:
        self._prices = prices or {}
        self._excess: dict[str, _Excess] = {}
        self._ages = Ages()
        self._units = self._value = self._unpriced = 0

    def observe(
        self,
        listing: str,
        accepted: int | None,
        safe: int | None,
        now: Micros,
        *,
        sku: str = "",
        pack_size: int = 1,
        since: Micros | None = None,
    ) -> None:
        """A listing is like this from ``now`` on: ``accepted`` by the channel, ``safe`` to tell it, both in packs.

        None: not known, and what is not known is not exposure. ``since``: if it is known to be exposed since then,
        such as after a restart.
        """
        known = self._excess.get(listing)
        if accepted is None or safe is None or accepted <= safe:
            if known is not None:
                self.forget(listing)
            return
        sku = sku or listing
        excess = _Excess(sku, accepted, safe, (accepted - safe) * pack_size, self._prices.get(sku))
        if excess == known:
            return
        if known is not None:
            self._count(known, -1)
        self._excess[listing] = excess
        self._count(excess, +1)
        self._ages.begin(listing, now if since is None else min(since, now))

    def forget(self, listing: str) -> None:
        """The listing is not exposed, or not ours."""
        known = self._excess.pop(listing, None)
        if known is not None:
            self._count(known, -1)
            self._ages.end(listing)

    def totals(self) -> ExposureTotals:
        """Exposure of the channel now."""
        return ExposureTotals(len(self._excess), self._units, self._value, self._unpriced, self._ages.oldest())

    def units_of(self, listing: str) -> int:
        """Units that a listing is exposed by; 0 for one that is not."""
        known = self._excess.get(listing)
        return 0 if known is None else known.units

    def largest(self, most: int) -> list[Exposed]:
        """The most exposed listings: by value, then units, then age, then name. O(exposed): for people who ask."""
        rows = (Exposed(listing, *_told(self._excess[listing]), since) for listing, since in self._ages.items())
        return nsmallest(max(0, most), rows, key=_by_weight)

    def _count(self, excess: _Excess, sign: int) -> None:
        self._units += sign * excess.units
        if excess.price is None:
            self._unpriced += sign * excess.units
        else:
            self._value += sign * excess.units * excess.price


def _told(excess: _Excess) -> tuple[str, int, int, int, int | None]:
    sku, accepted, safe, units, price = excess
    return sku, accepted, safe, units, None if price is None else units * price


def _by_weight(exposed: Exposed) -> tuple[int, int, Micros, str]:
    return -(exposed.value or 0), -exposed.units, exposed.since, exposed.listing
