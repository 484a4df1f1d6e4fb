"""A policy as a plain mapping in the shape of its document, for people and for JSON. Defaults are spelled out."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from domain.facts import SECOND, Micros
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
from schemas.times import iso


def document_of(policy: Policy) -> dict[str, Any]:
    """The document that gives this policy; ``policy_of(document_of(policy)) == policy``."""
    document: dict[str, Any] = {"version": policy.version}
    if policy.effective_from is not None:
        document["effective_from"] = iso(policy.effective_from)
    return document | {
        "sources": {name: _source(source) for name, source in policy.sources.items()},
        "default_location": _location(policy.default_location),
        "locations": {name: _location(location) for name, location in policy.locations.items()},
        "pools": {name: _pool(pool) for name, pool in policy.pools.items()},
        "channels": {name: _channel(channel) for name, channel in policy.channels.items()},
        "categories": {name: _override(category) for name, category in policy.categories.items()},
        "items": {sku: _override(item) for sku, item in policy.items.items()},
        "max_lateness_s": _seconds(policy.max_lateness),
        "closed_line_retention_s": _seconds(policy.closed_line_retention),
    }


def number(value: Fraction) -> int | float | str:
    """An exact fraction as the plainest thing that says it exactly: an int, a float, or a decimal text."""
    if value.denominator == 1:
        return value.numerator
    decimal = Decimal(value.numerator) / Decimal(value.denominator)
    short = float(decimal)
    return short if Fraction(str(short)) == value else str(decimal)


def _seconds(micros: Micros) -> int | float | str:
    return number(Fraction(micros, SECOND))


def _held(held: Held) -> dict[str, Any]:
    return {"units": held.units, "percent": number(held.percent)}


def _source(source: SourcePolicy) -> dict[str, Any]:
    return {
        "posting_lag_s": {kind: _seconds(lag) for kind, lag in source.posting_lag.items()},
        "order_lag_s": _seconds(source.order_lag),
        "clock_skew_s": _seconds(source.clock_skew),
        "assume_as_of": source.assume_as_of,
    }


def _location(location: LocationPolicy) -> dict[str, Any]:
    return {"safety_stock": {**_held(location.safety_stock), "base": location.base}, "status": location.status}


def _pool(pool: PoolPolicy) -> dict[str, Any]:
    return {
        "locations": None if pool.locations is None else list(pool.locations),
        "re_sourcing": pool.re_sourcing,
        "network_safety_stock": _held(pool.network_safety_stock),
    }


def _channel(channel: ChannelPolicy) -> dict[str, Any]:
    level = channel.service_level
    return {
        "pool": channel.pool,
        "mode": channel.mode,
        "quota": channel.quota,
        "quota_from": None if channel.quota_from is None else iso(channel.quota_from),
        "priority": channel.priority,
        "percent": number(channel.percent),
        "ring_fenced": channel.ring_fenced,
        "guard_units": channel.guard_units,
        "service_level": None if level is None else number(level),
        "buffer": _held(channel.buffer),
        "stop_sell_at": channel.stop_sell_at,
        "pack_size": channel.pack_size,
        "cap": channel.cap,
        "blocked": channel.blocked,
        "publish": _publish(channel.publish),
    }


def _publish(publish: PublishPolicy) -> dict[str, Any]:
    return {
        "rate_per_s": number(publish.rate_per_s),
        "burst": publish.burst,
        "rise_debounce_s": _seconds(publish.rise_debounce),
        "min_delta": _held(publish.min_delta),
        "low_band": publish.low_band,
        "heartbeat_s": _seconds(publish.heartbeat),
        "expires_after_s": _seconds(publish.expires_after),
        "resend_after_s": _seconds(publish.resend_after),
        "full_sync_every_s": _seconds(publish.full_sync_every),
        "full_sync_at": None if publish.full_sync_at is None else iso(publish.full_sync_at),
    }


def _override(item: ItemPolicy) -> dict[str, Any]:
    override: dict[str, Any] = {"locations": {name: _location(each) for name, each in item.locations.items()}}
    if item.category is not None:
        override["category"] = item.category
    if item.location is not None:
        override["location"] = _location(item.location)
    return override | {"channels": {name: _channel(each) for name, each in item.channels.items()}}
