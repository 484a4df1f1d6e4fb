"""Fencing: whether we know that we are still a member of the group.

The broker keeps a member for the session time-out after it received a heartbeat. We count from the moment we
*sent* one that was answered, which is earlier, so within that time nobody else can own our partitions.
"""

from __future__ import annotations

from collections.abc import Callable

from streams.data_plane import clock
from streams.data_plane.failures import Fenced


class NotMember(Exception):
    """We are between two generations of the group, or the group told us that we left it."""


class Membership:
    """What is known about our place in the group. Written by the member's thread, read by the event loop."""

    def __init__(self, session_timeout_s: float, now: Callable[[], clock.Instant] = clock.now) -> None:
        self.session_timeout_s = session_timeout_s
        self.generation = -1
        self._now = now
        self._confirmed: clock.Instant | None = None
        self._lost = False

    def joined(self, generation: int, sync_sent: clock.Instant) -> None:
        """A new generation begins; the request that completed it was sent at ``sync_sent``."""
        self.generation = generation
        self._confirmed = sync_sent
        self._lost = False

    def confirmed(self, sent: clock.Instant) -> None:
        """A heartbeat sent at ``sent`` was answered: we are still a member."""
        if self._confirmed is not None:
            self._confirmed = sent

    def lost(self) -> None:
        """The group does not know us (any more)."""
        self._lost = True

    def left(self) -> None:
        """We are about to join again (or to stop), have written and committed what we had, and own nothing."""
        self._confirmed = None
        self.generation = -1

    def age_s(self) -> float:
        """Seconds since the group last confirmed us; infinite when we are no member."""
        return float("inf") if self._confirmed is None else clock.elapsed_s(self._confirmed, self._now())

    def check(self) -> None:
        """Raise ``Fenced`` when our time is up, ``NotMember`` when we know that we are none."""
        if self._confirmed is None:
            raise NotMember("not a member of the group at present")
        age = self.age_s()
        if age >= self.session_timeout_s:
            raise Fenced(
                f"fenced: group membership unconfirmed for {age:.1f} s (session time-out"
                f" {self.session_timeout_s} s):"
                " this process was paused or cut off, and its partitions may belong to another worker"
            )
        if self._lost:
            raise NotMember("the group no longer knows this member")
