"""How a consumer group is doing, from a window of offsets: OK, SLOW, STALLED or STOPPED. Pure.

After Burrow: no threshold of records or seconds is configured; what counts is whether the consumer moves and
whether it catches up.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

OK = "OK"
SLOW = "SLOW"
STALLED = "STALLED"
STOPPED = "STOPPED"

VERDICTS = (OK, SLOW, STALLED, STOPPED)
"""From good to bad."""

MEANINGS = {
    OK: "caught up within the window, or moving and not falling back all the time",
    SLOW: "moving, but the lag only grew during the window",
    STALLED: "records wait and the committed offset did not move during the window",
    STOPPED: "records wait, the committed offset did not move, and no member of the group owns the partition",
}

ENOUGH_TO_SEE_GROWTH = 3
"""Samples: with fewer, one burst of records would look like falling back."""


class Sample(NamedTuple):
    """One look at a partition: what the group committed (None: nothing yet) and how many records wait there.

    ``owned``: whether a member of the group has the partition; None when the broker does not tell.
    """

    committed: int | None
    records: int
    owned: bool | None


def verdict(window: Sequence[Sample]) -> str:
    """The verdict on one partition; samples in the order of time. One sample shows no movement, so it is OK."""
    if any(sample.records == 0 for sample in window) or len(window) < 2:
        return OK
    first, last = window[0], window[-1]
    if all(sample.committed == first.committed for sample in window):
        return STOPPED if last.owned is False else STALLED
    return SLOW if len(window) >= ENOUGH_TO_SEE_GROWTH and _only_grew(window) else OK


def worst(verdicts: Iterable[str]) -> str:
    """The verdict on a group: that of its worst partition; OK without partitions."""
    return max(verdicts, key=VERDICTS.index, default=OK)


def _only_grew(window: Sequence[Sample]) -> bool:
    grew = window[-1].records > window[0].records
    return grew and all(b.records >= a.records for a, b in itertools.pairwise(window))
