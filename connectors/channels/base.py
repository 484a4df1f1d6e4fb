"""What a channel sink is: the one interface every channel implements, and the words it answers in.

A sink makes *one attempt* per call and says what came of each update. When to attempt, how often, how fast and
with which updates is decided once for all channels by whoever calls it: so a retry always carries the newest
value, and a stop-sell never waits behind the back-off of a small correction.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, Protocol, TypeAlias

from domain.planner import ChannelUpdate

Update: TypeAlias = ChannelUpdate


class Outcome(Enum):
    """What became of one update in one attempt."""

    ACCEPTED = "ACCEPTED"
    """The channel has the quantity."""
    REJECTED = "REJECTED"
    """The channel will not take this update, however often it is sent."""
    UNKNOWN = "UNKNOWN"
    """It may or may not have arrived (a time-out after sending). Sending it again must be harmless."""
    RETRY = "RETRY"
    """Not taken, for a reason outside the update: throttled, down, refused credentials."""
    SPLIT = "SPLIT"
    """The channel refused or failed at the batch as a whole: smaller batches will show what it was. For a batch of
    one: it fails at this update, or at every update."""
    LATER = "LATER"
    """Not part of this attempt: the call went another way and could not carry it. It waits on as if not taken."""


class Result(NamedTuple):
    """The answer to one update. ``retry_after_s`` is the wait the channel asked for; only with RETRY.

    ``reason`` is the channel's own word (``in_one_line``) or a stable code of ours. ``previous`` is what the
    channel said it showed before this update, where it says that.
    """

    listing: str
    publish_seq: int
    outcome: Outcome
    reason: str | None = None
    retry_after_s: float | None = None
    previous: int | None = None


class Limits(NamedTuple):
    """The most one attempt may carry: updates, and bytes of the encoded request.

    ``each``: every update of an attempt is a call of its own.
    """

    max_updates: int
    max_bytes: int
    each: bool = False


REASON_CHARS = 200
COST_BUCKET = "COST_BUCKET"
"""The reason of a call that was not made because our own meter held too little for it."""


class ChannelSink(Protocol):
    """A connection to one channel account.

    ``send`` is called by one task at a time and never twice at once, with at least one and at most
    ``limits.max_updates`` updates, at most one for each listing. It returns exactly one result for each update,
    in the order of the updates. It raises only for faults of the program: whatever the channel, the network or
    the disk does is an outcome. A batch of more than ``limits.max_bytes`` is SPLIT, or REJECTED when it is one
    update.
    """

    @property
    def limits(self) -> Limits:
        """What one call may carry."""
        ...

    async def open(self) -> None:
        """Connect, lock, repair.

        Raises ``ChannelUnusable``: it cannot work as configured; says what to change.
        """
        ...

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        """Make one attempt and say what came of each update."""
        ...

    async def close(self) -> None:
        """Give everything back. Safe to call twice, and without ``open``."""
        ...


class ChannelUnusable(Exception):
    """A sink that cannot start as configured. The message says what is wrong and what to do."""


def in_one_line(words: str) -> str:
    """A reason as it may be stored and logged: printable, on one line, at most ``REASON_CHARS`` long."""
    printable = "".join(character if character.isprintable() else " " for character in words[: 4 * REASON_CHARS])
    return " ".join(printable.split())[:REASON_CHARS]


def same_answer(
    batch: Sequence[Update], outcome: Outcome, reason: str | None = None, retry_after_s: float | None = None
) -> list[Result]:
    """One answer for every update of a batch."""
    stated = None if reason is None else in_one_line(reason)
    return [Result(update.listing, update.publish_seq, outcome, stated, retry_after_s) for update in batch]


def refusal_s(results: Sequence[Result]) -> float | None:
    """The longest wait with which the channel refused something as too fast; None: it refused nothing so.

    That our own meter held too little is no refusal: nobody was too fast.
    """
    refusals = (one for one in results if one.reason != COST_BUCKET)
    return max((one.retry_after_s for one in refusals if one.retry_after_s is not None), default=None)


def too_large(batch: Sequence[Update]) -> list[Result]:
    """The answer to a batch above ``Limits.max_bytes``: smaller ones may pass, one such update never will."""
    return same_answer(batch, Outcome.SPLIT if len(batch) > 1 else Outcome.REJECTED, "TOO_LARGE")
