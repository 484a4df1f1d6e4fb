"""What a sink counts about updates and calls."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Tallies:
    """What happened to updates since the start; each update is counted once for each thing that happened to it."""

    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    expired: int = 0
    stale: int = 0
    replaced: int = 0
    repeated: int = 0
    undecodable: int = 0
    calls: int = 0
    failed_calls: int = 0
    throttled: int = 0
