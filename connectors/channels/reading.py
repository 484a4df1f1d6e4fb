"""What a channel shows, asked of it: for sinks whose calls can be overtaken by one that had no answer.

Only channels that know neither an idempotency key for good nor compare-and-set need it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from connectors.channels.http import Answered, CallFailed, UnreadableAnswer
from connectors.channels.http_status import succeeded, verdict

ANSWER_UNREADABLE = "ANSWER_UNREADABLE"

Shown: TypeAlias = Mapping[str, int | None]
"""Quantities by listing; None: the channel does not say one. A listing that is missing was not asked for."""


class Unread(NamedTuple):
    """Why nothing was read. ``retry_after_s``: the wait that the channel asked for.

    ``called`` False: no call was made, because there was no token for it.
    """

    reason: str
    retry_after_s: float | None = None
    called: bool = True


@runtime_checkable
class ReadsBack(Protocol):
    """A sink that can say what its channel shows."""

    @property
    def most_read(self) -> int:
        """How many listings one call can ask for."""
        ...

    async def shown(self, listings: Sequence[str]) -> Shown | Unread:
        """Ask for at least one and at most ``most_read`` listings, in one call.

        The first of them is asked for in any case; others may be left out, because they need a call of their own.
        The quantity is the one that ``send`` sets. It is called by the task that calls ``send``, never at the same
        time, and raises only for faults of the program.
        """
        ...


def read_object(answer: Answered | CallFailed) -> dict[str, Any] | Unread:
    """The JSON object that a read was answered with."""
    content = read_json(answer)
    return content if isinstance(content, (dict, Unread)) else Unread(ANSWER_UNREADABLE)


def read_json(answer: Answered | CallFailed) -> Any:
    """The JSON that a read was answered with, or ``Unread``."""
    if isinstance(answer, CallFailed) or not succeeded(answer):
        refused = verdict(answer, 1)
        return Unread(refused.reason, refused.retry_after_s)
    try:
        return answer.json()
    except UnreadableAnswer as error:
        return Unread(str(error))


def listed(stated: object) -> list[dict[str, Any]] | Unread:
    """A list of objects."""
    if not isinstance(stated, list) or not all(isinstance(one, dict) for one in stated):
        return Unread(ANSWER_UNREADABLE)
    return stated


def whole(stated: object) -> int | None:
    """A quantity as a channel states it; None when it is no whole number."""
    if isinstance(stated, float) and stated.is_integer():
        return int(stated)
    return stated if type(stated) is int else None
