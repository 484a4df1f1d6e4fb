"""A channel update as JSON: the form that the file and webhook sinks share and that receivers program against."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.channels.base import Update
from domain.facts import Micros

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(at: Micros) -> str:
    """Microseconds since the epoch as ISO 8601 UTC, always with six decimals so that texts sort like times."""
    return (_EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def fields(update: Update) -> dict[str, Any]:
    """The fields of an update in a fixed order, times as ISO 8601 UTC."""
    return {
        "channel": update.channel,
        "listing": update.listing,
        "sku": update.sku,
        "quantity": update.quantity,
        "publish_seq": update.publish_seq,
        "idempotency_key": update.idempotency_key,
        "expected_previous": update.expected_previous,
        "priority": update.priority,
        "reason": update.reason,
        "caused_by": list(update.caused_by),
        "occurred_at": iso(update.occurred_at),
        "planned_at": iso(update.planned_at),
        "expires_at": iso(update.expires_at),
    }


def line(update: Update) -> bytes:
    """One line of JSON with its newline; equal updates give equal bytes."""
    return json.dumps(fields(update), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
