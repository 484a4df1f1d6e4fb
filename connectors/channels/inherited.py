"""Doubts of the process that told a partition before, made of the attempts without answer that it wrote down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from connectors.channels.backlog import Waiting
from connectors.channels.base import Update
from connectors.channels.doubts import MOST_QUANTITIES, Doubt
from connectors.channels.positions import Unresolved
from domain.facts import Acknowledgement, Micros
from domain.listings import P0

_NOT_URGENT = "P2"
_NO_OFFSET = -1


def inherited(
    partition: int, unresolved: Iterable[Unresolved], settle_s: float, at: Callable[[Micros], float], now: float
) -> dict[str, Doubt]:
    """The doubts by listing. ``at``: when something occurred, in seconds of the clock of ``now``.

    A listing is in doubt while an attempt may be under way, and when a value was accepted whose call may have been
    made while an older one was under way.
    """
    doubts = {one.unanswered[0].listing: _doubt(partition, one, settle_s, at) for one in unresolved}
    return {
        listing: doubt
        for listing, doubt in doubts.items()
        if doubt is not None and not (doubt.is_harmless() and doubt.ends_at <= now)
    }


def _doubt(partition: int, unresolved: Unresolved, settle_s: float, at: Callable[[Micros], float]) -> Doubt | None:
    unanswered, accepted = unresolved
    late = unanswered if accepted is None else _late(unanswered, accepted, settle_s, at)
    if not late:
        return None
    ends_at = max(at(row.occurred_at) for row in late) + settle_s
    accepted_at = float("-inf") if accepted is None else at(accepted.occurred_at)
    return Doubt(
        partition,
        tuple(dict.fromkeys((row.publish_seq, row.quantity) for row in late))[-MOST_QUANTITIES:],
        ends_at,
        look_at=max(ends_at, accepted_at + settle_s),
        accepted=None if accepted is None else _to_be_told_again(partition, accepted),
    )


def _late(
    unanswered: Sequence[Acknowledgement],
    accepted: Acknowledgement,
    settle_s: float,
    at: Callable[[Micros], float],
) -> list[Acknowledgement]:
    """What may have been under way when the accepted call began, or is newer.

    That call began after it was planned; more is not known.
    """
    began, last = at(_planned_at(accepted)), accepted.publish_seq
    return [row for row in unanswered if row.publish_seq > last or at(row.occurred_at) + settle_s > began]


def _planned_at(accepted: Acknowledgement) -> Micros:
    return accepted.occurred_at - 1000 * (accepted.latency_ms + 1)


def _to_be_told_again(partition: int, accepted: Acknowledgement) -> Waiting:
    """As much of the update as its acknowledgement says: all that a sink which is read back needs of it."""
    planned_at = _planned_at(accepted)
    update = Update(
        channel=accepted.channel,
        listing=accepted.listing,
        sku=accepted.listing,
        quantity=accepted.quantity,
        publish_seq=accepted.publish_seq,
        expires_at=accepted.occurred_at,
        expected_previous=None,
        idempotency_key=f"{accepted.channel}:{accepted.listing}:{accepted.publish_seq}",
        priority=_NOT_URGENT if accepted.quantity else P0,
        reason="READ_BACK",
        caused_by=(),
        occurred_at=planned_at,
        planned_at=planned_at,
    )
    return Waiting(partition, _NO_OFFSET, update, update.priority, planned_at)
