"""Records of ``channel-updates.<channel>`` become updates, or a reason why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.channels.base import Update
from schemas.checks import Checks, problem_with
from schemas.codec import Decoder
from schemas.rejections import KEY_MISMATCH, UNKNOWN_ENUM, Rejection, quoted, rejection
from schemas.wire import Headers

_UPDATE = Checks(
    texts=("channel", "listing", "sku", "idempotency_key", "priority", "reason"),
    counts=("quantity",),
    ordinals=("publish_seq",),
    times=("expires_at", "occurred_at", "planned_at"),
)


def update_of(
    decoder: Decoder, channel: str, topic: str, key: bytes | None, value: bytes | None, headers: Headers | None
) -> Update | Rejection:
    """The update that a record holds. Raises ``SchemaNotLoaded`` for a schema that is met for the first time."""
    fields = decoder.decode_fields(topic, value, headers)
    if isinstance(fields, Rejection):
        return fields
    problem = problem_with(fields, _UPDATE)
    if problem is not None:
        return problem
    if fields["channel"] != channel:
        return rejection(UNKNOWN_ENUM, "channel", f"{quoted(fields['channel'])} is not the channel of {topic}")
    if key != fields["listing"].encode():
        problem_text = f"the key is {quoted(key)}, the listing is {quoted(fields['listing'])}"
        return rejection(KEY_MISMATCH, "listing", problem_text)
    return _update(fields)


def _update(fields: Mapping[str, Any]) -> Update:
    return Update(
        channel=fields["channel"],
        listing=fields["listing"],
        sku=fields["sku"],
        quantity=fields["quantity"],
        publish_seq=fields["publish_seq"],
        expires_at=fields["expires_at"],
        expected_previous=fields["expected_previous"],
        idempotency_key=fields["idempotency_key"],
        priority=fields["priority"],
        reason=fields["reason"],
        caused_by=tuple(fields["caused_by"]),
        occurred_at=fields["occurred_at"],
        planned_at=fields["planned_at"],
    )
