"""The shape of a policy document (semantics section 6): strict models, one per section.

A field that is absent is decided by the next wider level, and at last by the domain's default. A field that is
null asks for the domain's default, whatever wider levels say: ``cap: null`` takes a cap away.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from domain.movements import ADJUSTMENT, RETURN, SHIPMENT, TRANSFER
from schemas.limits import MAX_ORDINAL
from schemas.policy_values import Instant, Name, Percent, Probability, Rate, Seconds, Units, channel_name

MAX_NAMES = 100_000
"""Entries of any section: more locations, items or channels than this are a mistake, or another design."""

ChannelName = Annotated[str, AfterValidator(channel_name)]
MovementKind = Literal["shipment", "return", "transfer", "adjustment"]
MOVEMENT_KINDS = (SHIPMENT, RETURN, TRANSFER, ADJUSTMENT)


class Section(BaseModel):
    """A part of the document: types are not converted, unknown keys are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class HeldSection(Section):
    """The larger of ``units`` and ``percent``."""

    units: Units | None = None
    percent: Percent | None = None


class SafetyStockSection(HeldSection):
    """What a location holds back; ``base`` is what the percentage is of."""

    base: Literal["ON_HAND", "NET"] | None = None


class SourceSection(Section):
    """Delays and clock of one upstream system."""

    posting_lag_s: Annotated[dict[MovementKind, Seconds], Field(max_length=len(MOVEMENT_KINDS))] | None = None
    order_lag_s: Seconds | None = None
    clock_skew_s: Seconds | None = None
    assume_as_of: bool | None = None


class LocationSection(Section):
    """Rules of one location."""

    safety_stock: SafetyStockSection | None = None
    status: Literal["OPEN", "EXCLUDED", "CLOSED"] | None = None


class PoolSection(Section):
    """Locations that are summed; null: all known ones."""

    locations: Annotated[list[Name], Field(max_length=MAX_NAMES)] | None = None
    re_sourcing: bool | None = None
    network_safety_stock: HeldSection | None = None


class PublishSection(Section):
    """When a channel is told."""

    rate_per_s: Rate | None = None
    burst: Units | None = None
    rise_debounce_s: Seconds | None = None
    min_delta: HeldSection | None = None
    low_band: Units | None = None
    heartbeat_s: Seconds | None = None
    expires_after_s: Seconds | None = None
    resend_after_s: Seconds | None = None
    full_sync_every_s: Seconds | None = None
    full_sync_at: Instant | None = None


class ChannelSection(Section):
    """How much of its pool a channel is told."""

    pool: Name | None = None
    mode: Literal["SHARED", "EXCLUSIVE", "PERCENT"] | None = None
    quota: Units | None = None
    quota_from: Instant | None = None
    priority: Units | None = None
    percent: Percent | None = None
    ring_fenced: bool | None = None
    guard_units: Units | None = None
    service_level: Probability | None = None
    buffer: HeldSection | None = None
    stop_sell_at: Units | None = None
    pack_size: Annotated[Units, Field(ge=1)] | None = None
    cap: Units | None = None
    blocked: bool | None = None
    publish: PublishSection | None = None


class CategorySection(Section):
    """Overrides for all SKUs of a category: of all their locations, of single ones, of channels."""

    location: LocationSection | None = None
    locations: Annotated[dict[Name, LocationSection], Field(max_length=MAX_NAMES)] | None = None
    channels: Annotated[dict[ChannelName, ChannelSection], Field(max_length=MAX_NAMES)] | None = None


class ItemSection(CategorySection):
    """Overrides for one SKU, and the category whose overrides hold where it has none."""

    category: Name | None = None


class PolicySection(Section):
    """The whole document, or a part of it that is merged over others."""

    version: Annotated[int, Field(ge=0, le=MAX_ORDINAL)] | None = None
    effective_from: Instant | None = None
    sources: Annotated[dict[Name, SourceSection], Field(max_length=MAX_NAMES)] | None = None
    default_location: LocationSection | None = None
    locations: Annotated[dict[Name, LocationSection], Field(max_length=MAX_NAMES)] | None = None
    pools: Annotated[dict[Name, PoolSection], Field(max_length=MAX_NAMES)] | None = None
    channels: Annotated[dict[ChannelName, ChannelSection], Field(max_length=MAX_NAMES)] | None = None
    items: Annotated[dict[Name, ItemSection], Field(max_length=MAX_NAMES)] | None = None
    categories: Annotated[dict[Name, CategorySection], Field(max_length=MAX_NAMES)] | None = None
    max_lateness_s: Seconds | None = None
    closed_line_retention_s: Seconds | None = None


SECTIONS: tuple[type[Section], ...] = (
    HeldSection,
    SafetyStockSection,
    SourceSection,
    LocationSection,
    PoolSection,
    PublishSection,
    ChannelSection,
    ItemSection,
    PolicySection,
)
"""Every kind of section, for suggestions about misspelt keys."""
