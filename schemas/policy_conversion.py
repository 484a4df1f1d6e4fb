"""Checked sections of a policy document become the domain's values; overrides are laid over what they override."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from domain.policy import (
    ChannelPolicy,
    Held,
    ItemPolicy,
    LocationPolicy,
    Policy,
    PoolPolicy,
    PublishPolicy,
    SourcePolicy,
)
from schemas.policy_document import (
    CategorySection,
    ChannelSection,
    HeldSection,
    ItemSection,
    LocationSection,
    PolicySection,
    PoolSection,
    PublishSection,
    Section,
    SourceSection,
)

_S = TypeVar("_S", bound=Section)


def policy_from(section: PolicySection) -> Policy:
    """The domain's policy of a whole document that contradicts itself nowhere."""
    categories = section.categories or {}
    items = section.items or {}
    channels = {name: channel_from(channel) for name, channel in (section.channels or {}).items()}
    return Policy(
        sources={name: source_from(source) for name, source in (section.sources or {}).items()},
        default_location=location_from(section.default_location),
        locations={
            name: location_from(_over(section.default_location, location))
            for name, location in (section.locations or {}).items()
        },
        pools={name: pool_from(pool) for name, pool in (section.pools or {}).items()},
        channels=channels,
        items={sku: _item_from(section, item) for sku, item in items.items()},
        categories={name: _override_from(section, [category]) for name, category in categories.items()},
        **_given(section, "version", "effective_from"),
        **_renamed(section, max_lateness_s="max_lateness", closed_line_retention_s="closed_line_retention"),
    )


def source_from(section: SourceSection) -> SourcePolicy:
    """Delays and clock of a source."""
    return SourcePolicy(
        **_renamed(section, posting_lag_s="posting_lag", order_lag_s="order_lag", clock_skew_s="clock_skew"),
        **_given(section, "assume_as_of"),
    )


def location_from(section: LocationSection | None) -> LocationPolicy:
    """Rules of a location."""
    if section is None:
        return LocationPolicy()
    stock = section.safety_stock
    base = _given(stock, "base") if stock is not None else {}
    return LocationPolicy(safety_stock=held_from(stock), **base, **_given(section, "status"))


def pool_from(section: PoolSection) -> PoolPolicy:
    """Locations that are summed."""
    locations = None if section.locations is None else tuple(section.locations)
    network = held_from(section.network_safety_stock)
    return PoolPolicy(locations=locations, network_safety_stock=network, **_given(section, "re_sourcing"))


def channel_from(section: ChannelSection) -> ChannelPolicy:
    """What a channel is told."""
    plain = set(ChannelSection.model_fields) - {"buffer", "publish"}
    return ChannelPolicy(
        buffer=held_from(section.buffer), publish=publish_from(section.publish), **_given(section, *plain)
    )


def publish_from(section: PublishSection | None) -> PublishPolicy:
    """When a channel is told."""
    if section is None:
        return PublishPolicy()
    smallest: dict[str, Any] = {} if section.min_delta is None else {"min_delta": held_from(section.min_delta)}
    return PublishPolicy(
        **smallest,
        **_given(section, "rate_per_s", "burst", "low_band", "full_sync_at"),
        **_renamed(
            section,
            rise_debounce_s="rise_debounce",
            heartbeat_s="heartbeat",
            expires_after_s="expires_after",
            resend_after_s="resend_after",
            full_sync_every_s="full_sync_every",
        ),
    )


def held_from(section: HeldSection | None) -> Held:
    """The larger of units and a percentage; nothing when the section is absent."""
    return Held() if section is None else Held(**_given(section, "units", "percent"))


def _item_from(section: PolicySection, item: ItemSection) -> ItemPolicy:
    category = (section.categories or {}).get(item.category) if item.category is not None else None
    layers: list[CategorySection] = [item] if category is None else [category, item]
    return _override_from(section, layers, item.category)


def _override_from(
    section: PolicySection, layers: list[CategorySection], category: str | None = None
) -> ItemPolicy:
    """The override of the last layer: each of its parts laid over the earlier layers and the general rule.

    A rule for all locations of an item must keep what is said about single ones (such as EXCLUDED), so it is
    spelled out for every location that has rules of its own.
    """
    last = layers[-1]
    general = section.locations or {}
    own = set(last.locations or {}) | (set(general) | _named(layers) if last.location is not None else set())
    locations = {
        name: location_from(_stacked([section.default_location, general.get(name), *_at(layers, name)]))
        for name in own
    }
    location = None
    if last.location is not None:
        location = location_from(_stacked([section.default_location, *(layer.location for layer in layers)]))
    channels = {
        name: channel_from(
            _stacked([(section.channels or {}).get(name), *_of_channel(layers, name)]) or ChannelSection()
        )
        for name in last.channels or {}
    }
    return ItemPolicy(category=category, location=location, locations=locations, channels=channels)


def _named(layers: Iterable[CategorySection]) -> set[str]:
    return {name for layer in layers for name in layer.locations or {}}


def _at(layers: Iterable[CategorySection], location: str) -> list[LocationSection | None]:
    """What the layers say about one location: within a layer the rule of the single location is narrower."""
    return [part for layer in layers for part in (layer.location, (layer.locations or {}).get(location))]


def _of_channel(layers: Iterable[CategorySection], channel: str) -> list[ChannelSection | None]:
    return [(layer.channels or {}).get(channel) for layer in layers]


def _stacked(sections: Iterable[_S | None]) -> _S | None:
    """All sections laid over each other, the widest first."""
    stacked: _S | None = None
    for section in sections:
        stacked = section if stacked is None else _over(stacked, section)
    return stacked


def _over(wide: _S | None, narrow: _S | None) -> _S | None:
    """What ``narrow`` says, and ``wide`` where it is silent; sections inside are laid over each other as well."""
    if wide is None or narrow is None:
        return narrow if wide is None else wide
    values = {name: getattr(wide, name) for name in wide.model_fields_set}
    for name in narrow.model_fields_set:
        old, new = values.get(name), getattr(narrow, name)
        values[name] = _over(old, new) if isinstance(old, Section) and isinstance(new, Section) else new
    return type(wide).model_construct(_fields_set=set(values), **values)


def _given(section: Section, *names: str) -> dict[str, Any]:
    """The fields that the document decides, for a constructor that knows the defaults of the others."""
    return {name: value for name in names if (value := getattr(section, name)) is not None}


def _renamed(section: Section, **names: str) -> dict[str, Any]:
    """Like ``_given``, for fields that the domain knows by another name (it has no units in its names)."""
    return {ours: value for theirs, ours in names.items() if (value := getattr(section, theirs)) is not None}
