"""A second, slower way into a channel for what is not urgent: a feed of many updates, answered minutes later.

What was submitted stays in flight, and a listing in flight is not taken again until it is answered: so each
listing has one route at a time, and a submission can never overwrite a newer value that went the fast way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from connectors.channels.base import Result, Update

BULK_FROM = "P2"
"""The most urgent class that may be submitted in bulk; what is served as P0 or P1 never is."""


class BulkRoute(Protocol):
    """Submissions to one channel account, several of which may be unfinished.

    All methods but ``go_on`` return at once, without input or output. ``go_on`` is called by one task, beside the
    one that calls ``ChannelSink.send``, and only while this process is known to own its listings.
    """

    def room(self, waiting: int) -> int:
        """How many updates may be submitted now; 0: none, or ``waiting`` is too few to be worth it."""
        ...

    def submit(self, batch: Sequence[Update]) -> None:
        """Take at most ``room`` updates, at most one for each listing. ``go_on`` will answer each of them once."""
        ...

    def hurry(self, listing: str) -> None:
        """An urgent value waits for the answer to this listing: withdraw its submission if that can still be."""
        ...

    def taken_over(self) -> None:
        """Listings came from another process, or from before a restart, whose submissions may be unfinished."""
        ...

    def given_up(self) -> None:
        """Listings went to another process: what was taken but not yet submitted must not be submitted."""
        ...

    def hold_s(self) -> float:
        """Seconds until it is worth asking again whether anything may be sent the fast way; 0: it may now."""
        ...

    async def go_on(self) -> Sequence[Result]:
        """Take the next step with each submission for which one is due; the answers that came."""
        ...


@runtime_checkable
class HasBulkRoute(Protocol):
    """A sink with a second way in."""

    @property
    def bulk(self) -> BulkRoute | None:
        """The second way; None when it is switched off."""
        ...
