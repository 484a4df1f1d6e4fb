"""What is written about updates: acknowledgements, made of the channel's results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from connectors.channels.backlog import Waiting
from connectors.channels.base import Outcome, Result
from domain.facts import Acknowledgement, Micros

EXPIRED = "EXPIRED"
MAX_STRIKES = 3
"""How often the channel may fail at one update alone, while it takes others, before the update is given up."""


class Answer(NamedTuple):
    """An acknowledgement, the partition its update came from, and whether the channel was asked this time."""

    partition: int
    acknowledgement: Acknowledgement


class Acknowledge(Protocol):
    """Makes answers durable: returns when all of them are, raises when one is not."""

    async def __call__(self, answers: Sequence[Answer]) -> None:
        """Write the answers."""
        ...


def require_one_each(batch: Sequence[Waiting], results: Sequence[Result]) -> None:
    """The sink keeps its side of the interface: an answer to something else would settle a wrong update.

    Raises ``RuntimeError``: it does not.
    """
    asked = [(one.update.listing, one.update.publish_seq) for one in batch]
    answered = [(result.listing, result.publish_seq) for result in results]
    if asked != answered:
        raise RuntimeError(
            f"the sink answered {answered[:3]}... to {asked[:3]}...: not one result for each update"
        )


def is_an_answer(result: Result) -> bool:
    """Whether the channel answered the call: also that it is too much is an answer."""
    throttled = result.outcome is Outcome.RETRY and result.retry_after_s is not None
    return throttled or result.outcome in (Outcome.ACCEPTED, Outcome.REJECTED)


def judged_alone(waiting: Waiting, result: Result, taken: int) -> Result:
    """The channel fails at one update, or at all. It is the update when others pass in between, repeatedly.

    ``taken``: how many calls it has taken by now.
    """
    if waiting.failed_at is not None and taken > waiting.failed_at:
        waiting.strikes += 1
    waiting.failed_at = taken
    if waiting.strikes < MAX_STRIKES:
        return result
    reason = f"{result.reason or 'FAILED'} again and again, while other updates are taken"
    return result._replace(outcome=Outcome.REJECTED, reason=reason)


def as_answered(waiting: Waiting, result: Result, now: Micros) -> Acknowledgement:
    """What the channel said."""
    return _acknowledgement(waiting, result.outcome.value, result.reason, now, result.previous)


def as_unanswered(waiting: Waiting, at: Micros) -> Acknowledgement:
    """A call that may have been made until ``at``, and had no answer as far as is known."""
    return _acknowledgement(waiting, Outcome.UNKNOWN.value, None, at)


def as_resolved(waiting: Waiting, now: Micros) -> Acknowledgement:
    """Nothing is under way any more that could take the place of this accepted update."""
    return _acknowledgement(waiting, Outcome.ACCEPTED.value, None, now)


def as_expired(waiting: Waiting, now: Micros) -> Acknowledgement:
    """The update was too old to be sent."""
    return _acknowledgement(waiting, Outcome.REJECTED.value, EXPIRED, now)


def _acknowledgement(
    waiting: Waiting, outcome: str, reason: str | None, now: Micros, previous: int | None = None
) -> Acknowledgement:
    """Latency counts from the planner's decision: how long the channel showed another value than it should."""
    update = waiting.update
    return Acknowledgement(
        channel=update.channel,
        listing=update.listing,
        publish_seq=update.publish_seq,
        outcome=outcome,
        quantity=update.quantity,
        latency_ms=max(0, now - update.planned_at) // 1000,
        reason=reason,
        occurred_at=now,
        previous_quantity=previous,
    )
