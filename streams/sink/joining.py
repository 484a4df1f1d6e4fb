"""Whether the group takes the sink in, as librdkafka's statistics tell: one that waits for too long ends.

librdkafka joins anew by itself after an outage. Once in a while it does not: after a session that timed out while
the broker was restarting, a sink was left without partitions for good, and nothing told. A fresh start mends that.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from streams.data_plane.failures import Unavailable

_STEADY = "steady"
_LOOKS = 10
LONGEST_LOOK_S = 5.0


class Joining:
    """Follows the state of joining. ``patience_s``: how long the group may leave a sink without an answer.

    ``client`` are the librdkafka properties that make it tell.
    """

    def __init__(self, patience_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._patience_s = patience_s
        self._monotonic = monotonic
        self._state = "not joined yet"
        self._settled_at = monotonic()
        every_s = min(LONGEST_LOOK_S, patience_s / _LOOKS)
        self.client = {"statistics.interval.ms": max(1, int(every_s * 1000)), "stats_cb": self.told}

    def told(self, statistics: str) -> None:
        """A look of librdkafka at itself. Called while polling."""
        group = json.loads(statistics).get("cgrp", {})
        self._state = f"{group.get('state', 'unknown')}, {group.get('join_state', 'unknown')}"
        if group.get("join_state") == _STEADY:
            self.answered()

    def answered(self) -> None:
        """The group has just said which partitions are ours, or that some are no more."""
        self._settled_at = self._monotonic()

    def require(self) -> None:
        """Raises ``Unavailable`` when the group has not taken us in for too long."""
        waited_s = self._monotonic() - self._settled_at
        if waited_s > self._patience_s:
            raise Unavailable(
                f"the group has not taken this sink in for {waited_s:.0f} s (its client is in state"
                f" {self._state}); starting again joins anew"
            )
