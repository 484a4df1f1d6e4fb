"""Doubts of the process that told a partition before, made of the attempts without answer that it wrote down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from connectors.channels.backlog import Waiting
from connectors.channels.base import Update
from connectors.channels.doubts import MOST_QUANTITIES, Doubt
from connectors.channels.latest import ACCEPTED
from domain.facts import Acknowledgement, Micros
from domain.listings import P0

_NOT_URGENT = "P2"
_LONGEST_S = 86_400.0
_NO_OFFSET = -1


def lasts_s(settle_s: float, most_reads: int) -> float:
    """How long a doubt can last at most, in seconds; a day if it could last longer.

    A value is accepted within ``settle_s``, read ``settle_s`` later, and again after 1, 2, 4 ... times that.
    """
    return min(settle_s * (1 + 2.0 ** max(0, most_reads - 1)), _LONGEST_S)


def inherited(
    partition: int,
    unanswered: Iterable[Acknowledgement],
    newest: Callable[[str], Acknowledgement | None],
    settle_s: float,
    at: Callable[[Micros], float],
) -> dict[str, Doubt]:
    """The doubts by listing. ``at``: when something occurred, in seconds of the clock of ``Doubts``; now at most.

    ``newest``: what is settled of a listing. A channel accepted it while a call of before was under way, or else
    nothing is to be read.
    """
    rows: dict[str, list[Acknowledgement]] = {}
    for row in unanswered:
        rows.setdefault(row.listing, []).append(row)
    now = at(_FOR_EVER)
    doubts = {one: _doubt(partition, of, newest(one), settle_s, at) for one, of in rows.items()}
    return {
        one: doubt
        for one, doubt in doubts.items()
        if doubt is not None and not (doubt.is_harmless() and doubt.ends_at <= now)
    }


_FOR_EVER: Micros = 2**62


def _doubt(
    partition: int,
    unanswered: Sequence[Acknowledgement],
    newest: Acknowledgement | None,
    settle_s: float,
    at: Callable[[Micros], float],
) -> Doubt | None:
    accepted = newest if newest is not None and newest.outcome == ACCEPTED else None
    accepted_at = float("-inf") if accepted is None else at(accepted.occurred_at)
    late = [row for row in unanswered if at(row.occurred_at) + settle_s > accepted_at]
    if not late:
        return None
    late.sort(key=lambda row: row.occurred_at)
    ends_at = at(late[-1].occurred_at) + settle_s
    return Doubt(
        partition,
        tuple(dict.fromkeys(row.quantity for row in late))[-MOST_QUANTITIES:],
        ends_at,
        look_at=max(ends_at, accepted_at + settle_s),
        accepted=None if accepted is None else _to_be_told_again(partition, accepted),
    )


def _to_be_told_again(partition: int, accepted: Acknowledgement) -> Waiting:
    """As much of the update as its acknowledgement says: all that a sink which is read back sends."""
    planned_at = accepted.occurred_at - 1000 * accepted.latency_ms
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
