"""Exposure: listings of which a channel accepted more than is safe to tell it now (semantics section 5).

One book a channel, told of every change of a listing. A change costs O(log n), totals O(1); memory follows the
listings that are exposed, not all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from heapq import nsmallest
from itertools import chain
from typing import NamedTuple

from domain.ages import Ages
from domain.facts import Micros
from domain.prices import Price

LOOKED_AT_PER_STEP = 2_000
"""Listings looked at in one step of a search for the largest: a few milliseconds."""


class Exposed(NamedTuple):
    """A listing whose channel shows ``units`` more than is safe, since ``since``.

    ``accepted`` and ``safe`` are in packs of the listing, units are those of the SKU. ``value`` is what the packs
    in between sell for; None: their price is not known.
    """

    listing: str
    sku: str
    accepted: int
    safe: int
    units: int
    value: Price | None
    since: Micros


class ExposureTotals(NamedTuple):
    """Exposure of a whole channel. ``values``: in the smallest unit of each currency that was met so far.

    ``unpriced``: units of listings without a price, which ``values`` leave out. ``since``: since when the listing
    has been exposed that is exposed longest; None when none is.
    """

    listings: int
    units: int
    values: Mapping[str, int]
    unpriced: int
    since: Micros | None


class _Excess(NamedTuple):
    sku: str
    accepted: int
    safe: int
    units: int
    price: Price | None

    @property
    def value(self) -> Price | None:
        price = self.price
        return None if price is None else Price((self.accepted - self.safe) * price.amount, price.currency)


class ExposureBook:
    """What one channel was told beyond what is safe."""

    __slots__ = ("_ages", "_excess", "_units", "_unpriced", "_values")

    def __init__(self) -> None:
        self._excess: dict[str, _Excess] = {}
        self._ages = Ages()
        self._units = self._unpriced = 0
        self._values: Counter[str] = Counter()

    def observe(
        self,
        listing: str,
        accepted: int | None,
        safe: int | None,
        now: Micros,
        *,
        sku: str = "",
        pack_size: int = 1,
        price: Price | None = None,
        since: Micros | None = None,
    ) -> None:
        """A listing is like this from ``now`` on: ``accepted`` by the channel, ``safe`` to tell it, both in packs.

        None: not known, and what is not known is not exposure. ``price``: of one pack. ``since``: if it is known
        to be exposed since then, such as after a restart.
        """
        known = self._excess.get(listing)
        if accepted is None or safe is None or accepted <= safe:
            if known is not None:
                self.forget(listing)
            return
        excess = _Excess(sku or listing, accepted, safe, (accepted - safe) * pack_size, price)
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
        values = dict(self._values)
        return ExposureTotals(len(self._excess), self._units, values, self._unpriced, self._ages.oldest())

    def exposed(self, listing: str) -> Exposed | None:
        """How a listing is exposed; None: it is not."""
        known = self._excess.get(listing)
        if known is None:
            return None
        return Exposed(listing, *known[:4], known.value, self._ages.since(listing))

    def largest(self, most: int) -> Iterator[list[Exposed]]:
        """The most exposed listings so far, in steps; the last list is of all. O(exposed): for people who ask.

        By value, then units, then age, then name. Values of several currencies are not compared: the first of each
        currency and of those without a price come first, then the second ones. What changes in between may be told
        as it was or as it is.
        """
        names = list(self._excess)
        found: dict[str, list[Exposed]] = {}
        for start in range(0, max(1, len(names)), LOOKED_AT_PER_STEP):
            looked_at = map(self.exposed, names[start : start + LOOKED_AT_PER_STEP])
            for currency, some in _by_currency(looked_at).items():
                found[currency] = nsmallest(max(0, most), chain(found.get(currency, ()), some), key=_weight)
            ranked = [
                ((rank, not each, each), one[rank]) for each, one in found.items() for rank in range(len(one))
            ]
            yield [each for _, each in sorted(ranked)[: max(0, most)]]

    def _count(self, excess: _Excess, sign: int) -> None:
        self._units += sign * excess.units
        value = excess.value
        if value is None:
            self._unpriced += sign * excess.units
        else:
            self._values[value.currency] += sign * value.amount


def _by_currency(listings: Iterable[Exposed | None]) -> Mapping[str, list[Exposed]]:
    found: dict[str, list[Exposed]] = {}
    for each in listings:
        if each is not None:
            found.setdefault("" if each.value is None else each.value.currency, []).append(each)
    return found


def _weight(exposed: Exposed) -> tuple[int, int, Micros, str]:
    amount = 0 if exposed.value is None else exposed.value.amount
    return -amount, -exposed.units, exposed.since, exposed.listing
