"""The retailer's policy (semantics section 6) as immutable values with the defaults that hold when it is silent.

Durations are microseconds, percentages exact fractions of 100 (``Fraction(25, 2)`` is 12.5 %).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from domain.facts import SECOND, Micros

ON_HAND = "ON_HAND"
NET = "NET"
EXCLUDED = "EXCLUDED"
SHARED = "SHARED"
EXCLUSIVE = "EXCLUSIVE"
PERCENT = "PERCENT"
DEFAULT_POOL = "default"

DAY: Micros = 86_400 * SECOND


NO_PERCENT = Fraction(0)


class Held(NamedTuple):
    """An amount held back: the larger of ``units`` and ``percent`` of a base that its user names."""

    units: int = 0
    percent: Fraction = NO_PERCENT


@dataclass(frozen=True, slots=True)
class SourcePolicy:
    """What is known about one upstream system's delays and clock. All durations in microseconds."""

    posting_lag: Mapping[str, Micros] = field(default_factory=dict)
    order_lag: Micros = 0
    clock_skew: Micros = 0
    assume_as_of: bool = False


@dataclass(frozen=True, slots=True)
class LocationPolicy:
    """Safety stock of a location, the base of its percentage (ON_HAND or NET) and OPEN, EXCLUDED or CLOSED."""

    safety_stock: Held = Held()
    base: str = ON_HAND
    status: str = "OPEN"


@dataclass(frozen=True, slots=True)
class PoolPolicy:
    """Which locations are summed (None: all known ones) and what the network holds back."""

    locations: tuple[str, ...] | None = None
    re_sourcing: bool = True
    network_safety_stock: Held = Held()


@dataclass(frozen=True, slots=True)
class PublishPolicy:
    """When a channel is told (semantics section 7)."""

    rate_per_s: Fraction = Fraction(10)
    burst: int = 10
    rise_debounce: Micros = 0
    min_delta: Held = Held(1)
    low_band: int = 0
    heartbeat: Micros = 300 * SECOND
    expires_after: Micros = 3600 * SECOND
    resend_after: Micros = 60 * SECOND
    full_sync_every: Micros = 0
    """From the start of one full sync to the next; 0: none. Of the channel: overrides of items do not count."""
    full_sync_at: Micros | None = field(default=None, compare=False, repr=False)
    """One is asked for that begins at or after this instant, of the channel as well; None: none is.

    A request and no rule: two policies are the same if they differ in nothing else, and nothing is decided anew.
    """


@dataclass(frozen=True, slots=True)
class ChannelPolicy:
    """How much of its pool a channel is told (semantics section 5). ``cap`` and ``guard_units`` None: not set.

    ``quota_from`` is when the quota took effect: sales before it do not count against the quota.
    """

    pool: str = DEFAULT_POOL
    mode: str = SHARED
    quota: int = 0
    quota_from: Micros | None = None
    priority: int = 0
    percent: Fraction = Fraction(0)
    ring_fenced: bool = False
    guard_units: int = 0
    service_level: Fraction | None = None
    buffer: Held = Held()
    stop_sell_at: int = 0
    pack_size: int = 1
    cap: int | None = None
    blocked: bool = False
    publish: PublishPolicy = PublishPolicy()


@dataclass(frozen=True, slots=True)
class ItemPolicy:
    """Overrides for one SKU or one category. What is None is decided at the next wider level.

    ``locations`` overrides single locations of the item, ``location`` all of them; ``channels`` gives the
    channel's whole effective policy for the item.
    """

    category: str | None = None
    location: LocationPolicy | None = None
    locations: Mapping[str, LocationPolicy] = field(default_factory=dict)
    channels: Mapping[str, ChannelPolicy] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything a retailer decides. An empty policy is valid: one pool of all locations, no safety stock."""

    version: int = 0
    effective_from: Micros | None = None
    sources: Mapping[str, SourcePolicy] = field(default_factory=dict)
    default_location: LocationPolicy = LocationPolicy()
    locations: Mapping[str, LocationPolicy] = field(default_factory=dict)
    pools: Mapping[str, PoolPolicy] = field(default_factory=dict)
    channels: Mapping[str, ChannelPolicy] = field(default_factory=dict)
    items: Mapping[str, ItemPolicy] = field(default_factory=dict)
    categories: Mapping[str, ItemPolicy] = field(default_factory=dict)
    max_lateness: Micros = 7 * DAY
    closed_line_retention: Micros = 30 * DAY

    def source(self, name: str) -> SourcePolicy:
        """The source's policy, or the defaults when it is not configured."""
        return self.sources.get(name, _DEFAULT_SOURCE)

    def location_of(self, sku: str, location: str) -> LocationPolicy:
        """Item wins over category, category over location, location over default."""
        item = self.items.get(sku)
        if item is not None:
            for level in (item, self.categories.get(item.category) if item.category else None):
                if level is not None:
                    chosen = level.locations.get(location) or level.location
                    if chosen is not None:
                        return chosen
        return self.locations.get(location, self.default_location)

    def channel_of(self, sku: str, channel: str) -> ChannelPolicy:
        """The channel's policy for a SKU, with item over category over channel."""
        item = self.items.get(sku)
        if item is not None:
            for level in (item, self.categories.get(item.category) if item.category else None):
                if level is not None and channel in level.channels:
                    return level.channels[channel]
        return self.channels[channel]

    def publish_overrides(self, channel: str) -> Mapping[str, PublishPolicy]:
        """Publish rules of single SKUs that differ from their channel's."""
        usual = self.channels[channel].publish
        rules = {sku: self.channel_of(sku, channel).publish for sku in self.items}
        return {sku: publish for sku, publish in rules.items() if publish != usual}

    def pools_or_default(self) -> Mapping[str, PoolPolicy]:
        """The configured pools, or one pool of all known locations."""
        return self.pools or _DEFAULT_POOLS


_DEFAULT_SOURCE = SourcePolicy()
_DEFAULT_POOLS: Mapping[str, PoolPolicy] = {DEFAULT_POOL: PoolPolicy()}
