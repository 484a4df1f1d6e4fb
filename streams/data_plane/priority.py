"""Who comes next when several wait: a policy without state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

PATIENCE = 8
"""Whoever was passed over so many times comes next, whatever waits beside him."""


class Standing(NamedTuple):
    """What is known of somebody who waits with records of a partition.

    ``oldest_ms`` is the Kafka time stamp of the first record (milliseconds since the epoch, 0 or less if it has
    none), ``behind`` how many records the partition's log holds after those that wait.
    """

    urgent: bool
    oldest_ms: int
    behind: int
    passed_over: int


def next_turn(standings: Sequence[Standing]) -> int:
    """The index of the one that comes next; of equals the first.

    First whoever lost patience; then urgent topics; then the partition with the greatest lag in seconds, which is
    the one with the oldest record, and without time stamps the one with the most records.
    """
    return min(range(len(standings)), key=lambda index: _rank(standings[index]))


def _rank(standing: Standing) -> tuple[int, bool, bool, int, int]:
    urgent, oldest_ms, behind, passed_over = standing
    patience_lost = -passed_over if passed_over >= PATIENCE else 0
    return patience_lost, not urgent, oldest_ms <= 0, oldest_ms, -behind
