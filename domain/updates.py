"""The planner's answer: one quantity that a channel is to be told."""

from __future__ import annotations

from typing import NamedTuple

from domain.facts import Micros

MAX_CAUSES = 16
"""How many event ids an update names as its causes: the newest ones."""


class ChannelUpdate(NamedTuple):
    """A channel is to be told ``quantity`` for a listing. Times in microseconds.

    ``publish_seq`` grows with every update of the listing except that a repetition keeps its own, and with it the
    ``idempotency_key``; a sink drops lower ones, and all after ``expires_at``. ``expected_previous`` is what we
    believe the channel shows now, None when we do not know. ``priority`` is the class P0 to P4. ``occurred_at`` is
    that of the oldest cause, or ``planned_at`` when no event caused the update.
    """

    channel: str
    listing: str
    sku: str
    quantity: int
    publish_seq: int
    expires_at: Micros
    expected_previous: int | None
    idempotency_key: str
    priority: str
    reason: str
    caused_by: tuple[str, ...]
    occurred_at: Micros
    planned_at: Micros


class Causes(NamedTuple):
    """What made a pending update necessary: when the oldest event occurred, and the ids of the newest."""

    occurred_at: Micros | None
    caused_by: tuple[str, ...]

    def joined(self, occurred_at: Micros, caused_by: tuple[str, ...]) -> Causes:
        """These, and later ones."""
        oldest = occurred_at if self.occurred_at is None else min(self.occurred_at, occurred_at)
        return Causes(oldest, (self.caused_by + caused_by)[-MAX_CAUSES:])


NO_CAUSES = Causes(None, ())
