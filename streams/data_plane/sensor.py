"""What the plane counts, and a Faust monitor that costs nothing per event.

Relies on: ``faust.sensors.Monitor`` being consulted by consumer, conductor and streams through these method names.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from faust import Monitor
from mode import Service

from connectors.metrics import WORK_BUCKETS_S, Distribution


def _times() -> Distribution:
    return Distribution(WORK_BUCKETS_S)


@dataclass(slots=True)
class PlaneStats:
    """Counters since the start of the process, and gauges; seconds where the name ends in ``_s``.

    Read by the metrics exporter; written on the event loop only.
    """

    started_at: float = field(default_factory=time.time)
    batches: int = 0
    records: int = 0
    loop_delay: Distribution = field(default_factory=_times)
    longest_loop_delay_s: float = 0.0
    epochs: int = 0
    epoch_times: Distribution = field(default_factory=_times)
    commits: int = 0
    commit_times: Distribution = field(default_factory=_times)
    written: int = 0
    last_epoch_s: float = 0.0
    collect_s: float = 0.0
    write_s: float = 0.0
    commit_s: float = 0.0
    gaps_proven: int = 0
    repeated: int = 0
    stale_batches: int = 0
    rebalances: int = 0
    generation: int = -1
    recoveries: int = 0
    recovering: bool = False
    recovered_rows: int = 0
    recovery_remaining: int = 0
    recovery_rows_per_s: float = 0.0
    recovery_s: float = 0.0
    first_batch_after_s: float | None = None
    partitions: tuple[int, ...] = ()

    def epoch_done(self, written: int, collect_s: float, write_s: float, commit_s: float) -> None:
        """One epoch is over."""
        self.epochs += 1
        self.written += written
        self.collect_s += collect_s
        self.write_s += write_s
        self.commit_s += commit_s
        self.last_epoch_s = collect_s + write_s + commit_s
        self.epoch_times.observe(self.last_epoch_s)

    def committed(self, seconds: float) -> None:
        """The coordinator confirmed a commit."""
        self.commits += 1
        self.commit_times.observe(seconds)

    def loop_was_late(self, seconds: float) -> None:
        """The event loop came back so much later than it was asked to."""
        self.loop_delay.observe(seconds)
        self.longest_loop_delay_s = max(self.longest_loop_delay_s, seconds)

    def batch_done(self, records: int) -> None:
        """One batch was applied."""
        if self.first_batch_after_s is None:
            self.first_batch_after_s = time.time() - self.started_at
        self.batches += 1
        self.records += records


class PlaneMonitor(Monitor):
    """Faust expects a monitor; this one keeps no samples."""

    @Service.task
    async def _sampler(self) -> None:
        return

    def on_message_in(self, tp: Any, offset: int, message: Any) -> None:
        """Nothing per event."""

    def on_stream_event_in(self, tp: Any, offset: int, stream: Any, event: Any) -> None:
        """Nothing per event."""

    def on_stream_event_out(self, tp: Any, offset: int, stream: Any, event: Any, state: Any = None) -> None:
        """Nothing per event."""

    def on_message_out(self, tp: Any, offset: int, message: Any) -> None:
        """Nothing per event."""

    def track_tp_end_offset(self, tp: Any, offset: int) -> None:
        """Nothing per event."""

    def on_tp_commit(self, tp_offsets: Any) -> None:
        """Nothing per commit; see ``PlaneStats``."""
