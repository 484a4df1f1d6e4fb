"""What a channel says of the calls that are left: when it says none, none is made until its window ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.channels.base import Outcome, Result, Update, same_answer
from connectors.channels.reading import Unread

QUOTA_SPENT = "QUOTA_SPENT"


class StatedQuota:
    """Remembers until when the channel wants no call. ``monotonic`` gives seconds.

    For answers to calls that passed: the wait after a refusal (429) belongs to the results of that call.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._closed_until = 0.0

    def heard(self, spent: bool, wait_s: float | None) -> None:
        """An answer said that no call is left, and for how long; None: it did not say how long."""
        if spent and wait_s is not None:
            self._closed_until = max(self._closed_until, self._monotonic() + wait_s)

    @property
    def is_spent(self) -> bool:
        """Whether no call may be made now."""
        return self._monotonic() < self._closed_until

    def unread(self) -> Unread | None:
        """The answer to a read that must not be made; None when it may be."""
        wait_s = self._closed_until - self._monotonic()
        return Unread(QUOTA_SPENT, wait_s, called=False) if wait_s > 0 else None

    def refusal(self, batch: Sequence[Update]) -> list[Result] | None:
        """The answer to an attempt that must not be made; None when it may be."""
        wait_s = self._closed_until - self._monotonic()
        return same_answer(batch, Outcome.RETRY, QUOTA_SPENT, wait_s) if wait_s > 0 else None
