"""What can be seen of the running demo at one instant: the observer fills it in, the view draws it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

STARTING, RUNNING, KILLED, STOPPED = "starting", "running", "killed", "stopped"


class WorkerSeen(NamedTuple):
    """One worker: STARTING, RUNNING, KILLED or STOPPED, for ``since_s`` seconds."""

    name: str
    pid: int
    state: str
    since_s: float


class ChannelSeen(NamedTuple):
    """One channel: its rule in a few words, its budget, and what it was told.

    ``behind``: listings whose accepted quantity is not the current one; ``in_flight``: updates sent and not yet
    answered; ``per_s``: answers in the last seconds; ``zero``: listings that it was told are sold out; ``kind``:
    how it is told.
    """

    name: str
    rule: str
    budget_per_s: float
    per_s: float
    accepted: int
    refused: int
    in_flight: int
    behind: int
    zero: int
    kind: str = ""


class Mover(NamedTuple):
    """A SKU whose available-to-sell moved most in the last seconds."""

    sku: str
    name: str
    before: int
    now: int


class Count(NamedTuple):
    """How often something was seen."""

    what: str
    times: int


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at everything. Rates are per second over the last seconds, times in the unit of their name.

    ``lag`` counts records that were fed and are not committed, ``acks_lag`` the same of channels' answers;
    ``behind_s`` is how long ago the oldest record in ``lag`` was fed. ``fresh_p50_ms`` and ``fresh_p95_ms`` run
    from producing an event to the new numbers it caused; None before the first. ``applied_history`` are past
    values of ``applied_per_s``, oldest first, one a second.
    """

    phase: str = ""
    elapsed_s: float = 0.0
    fed: int = 0
    to_feed: int = 0
    fed_per_s: float = 0.0
    applied: int = 0
    applied_per_s: float = 0.0
    applied_history: tuple[float, ...] = ()
    lag: int = 0
    acks_lag: int = 0
    behind_s: float = 0.0
    fresh_p50_ms: float | None = None
    fresh_p95_ms: float | None = None
    skus: int = 0
    versions: int = 0
    workers: tuple[WorkerSeen, ...] = ()
    channels: tuple[ChannelSeen, ...] = ()
    movers: tuple[Mover, ...] = ()
    findings: tuple[Count, ...] = ()
    dead_letters: tuple[Count, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def dead(self) -> int:
        """Dead letters of all reasons."""
        return sum(count.times for count in self.dead_letters)

    @property
    def settled(self) -> bool:
        """Whether every record is applied and every channel has accepted the current quantity of every listing."""
        return self.lag == self.acks_lag == 0 and not any(
            channel.behind or channel.in_flight for channel in self.channels
        )
