"""The sums themselves: per place, per channel, and the findings of single units.

``Tally`` decides what goes in; here is where it goes and how it is asked.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TypeVar

from domain.facts import LineVersion, Micros
from domain.movements import Move
from domain.numbers import Finding
from domain.oddities import Oddities
from domain.places import Place
from domain.policy import EXCLUSIVE, Policy
from domain.quick import new
from domain.state import SkuState
from domain.velocity import Sales

_K = TypeVar("_K")


class Sums:
    """What the facts of one SKU add up to under one policy."""

    __slots__ = (
        "_shown",
        "consumed",
        "oddities",
        "places",
        "policy",
        "quota_from",
        "sales",
        "service_levels",
        "state",
        "takes_count",
        "unsourced",
    )

    def __init__(self, state: SkuState, policy: Policy) -> None:
        self.state = state
        self.policy = policy
        self.places: dict[str, Place] = {}
        self.unsourced: dict[str | None, int] = {}
        """Units of demand without a location, by channel."""
        self.consumed: dict[str, int] = {}
        """Units taken of the quota of each exclusive channel."""
        self.oddities: Oddities | None = None
        """Findings of single units; None while there never were any."""
        self.quota_from = _quota_from(policy, state.sku)
        self.service_levels = _service_levels(policy, state.sku)
        """Of the channels whose guard is measured."""
        self.sales: Sales | None = None
        """Sales of those channels; None while there are none."""
        self.takes_count = bool(self.quota_from or self.service_levels)
        """Whether it matters what a line took from its channel."""
        self._shown: list[Place] | None = None

    def place(self, location: str) -> Place:
        """The sums at a location, made on first mention, about to be changed."""
        place = self.places.get(location)
        if place is None:
            place = Place(location, self.policy.location_of(self.state.sku, location))
            self.places[location] = place
        place.answer = None
        return place

    def shown(self) -> list[Place]:
        """Places that some fact names, by name."""
        if self._shown is None:
            self._shown = [place for _, place in sorted(self.places.items()) if place.mentions]
        return self._shown

    def move(self, location: str, bucket: str, name: tuple[str, ...], move: Move | None) -> None:
        """Count a movement, or stop counting the one of that name."""
        if move is None:
            self.mention(location, -1).stock(bucket).remove(name)
        else:
            self.mention(location, +1).stock(bucket).add(name, move)

    def mention(self, location: str, count: int) -> Place:
        """One fact more (or less) names the location."""
        place = self.place(location)
        known = place.mentions
        place.mentions = known + count
        if not known or not place.mentions:
            self._shown = None
        return place

    def take(self, current: LineVersion, first: Micros, units: int) -> None:
        """A line, first released at ``first``, took units from its channel (or, negative, gave them back)."""
        channel = current.channel
        if not units or channel is None:
            return
        if channel in self.quota_from:
            since = self.quota_from[channel]
            if since is None or first >= since:
                add(self.consumed, channel, units)
        if channel in self.service_levels:
            if self.sales is None:
                self.sales = Sales()
            self.sales.add(channel, first, units)

    def note(self, code: str, location: str, refs: tuple[str, ...], sign: int) -> None:
        """One unit more (or less) is odd in this way."""
        if self.oddities is None:
            self.oddities = Oddities()
        self.oddities.note(new(Finding, (code, location, refs)), sign)


def add(sums: dict[_K, int], key: _K, units: int) -> None:
    """Add to a sum; a sum of nothing is not kept."""
    total = sums.get(key, 0) + units
    if total:
        sums[key] = total
    else:
        sums.pop(key, None)


def _quota_from(policy: Policy, sku: str) -> dict[str, Micros | None]:
    """When the quota of each exclusive channel took effect (None: from the beginning)."""
    channels = {name: policy.channel_of(sku, name) for name in policy.channels}
    quotas = {name: channel.quota_from for name, channel in channels.items() if channel.mode == EXCLUSIVE}
    return quotas or _NO_QUOTAS


def _service_levels(policy: Policy, sku: str) -> dict[str, Fraction]:
    levels = {name: policy.channel_of(sku, name).service_level for name in policy.channels}
    return {name: level for name, level in levels.items() if level is not None} or _NO_LEVELS


_NO_QUOTAS: dict[str, Micros | None] = {}
"""Shared by all SKUs of a retailer without quotas. Never written to."""

_NO_LEVELS: dict[str, Fraction] = {}
"""The same for SKUs whose guards are not measured."""
