"""A sink's metrics and health, read from what it counts anyway; only calls and latencies are measured for it."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Protocol

from prometheus_client.metrics_core import Metric as Family

from connectors import metrics as m
from connectors import sink_metrics as s
from connectors.channels.base import ChannelSink, Limits, Outcome, Result, Update
from connectors.channels.delivery import Acknowledge, Answer, Delivery
from connectors.channels.read_back import ReadTallies

_BUILD = (version("atstream"), platform.python_version(), version("faust-streaming"))


class MeteredSink:
    """A channel's sink whose calls are timed."""

    def __init__(self, sink: ChannelSink, times: m.Distribution) -> None:
        self._sink = sink
        self._times = times

    @property
    def limits(self) -> Limits:
        """What one call may carry."""
        return self._sink.limits

    async def open(self) -> None:
        """Open the sink."""
        await self._sink.open()

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        """Make one attempt."""
        began = time.monotonic()
        try:
            return await self._sink.send(batch)
        finally:
            self._times.observe(time.monotonic() - began)

    async def close(self) -> None:
        """Close the sink."""
        await self._sink.close()


class Work(Protocol):
    """What the meter asks of the runner."""

    fetching_since: float | None
    """Monotonic seconds since when the consumer has not come back; None while it need not."""


class Confirmed(Protocol):
    """What the meter asks of the feed."""

    confirmed_at: float
    """Monotonic seconds of the last confirmation by the group; minus infinity before the first."""


class SinkMeter:
    """Yields the metrics of one sink and says how it is.

    ``stuck_after_s``: how long the consumer may be away, which a rebalance makes it for a while.
    """

    def __init__(
        self, channel: str, stuck_after_s: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.call_times = m.Distribution(m.WORK_BUCKETS_S)
        self.latencies = m.Distribution(s.LATENCY_BUCKETS_S)
        self._channel = channel
        self._stuck_after_s = stuck_after_s
        self._monotonic = monotonic
        self._started_at = time.time()
        self._parts: tuple[Delivery, Work, Confirmed] | None = None

    def follow(self, delivery: Delivery, work: Work, feed: Confirmed) -> None:
        """These are the parts that do the work."""
        self._parts = delivery, work, feed

    def metered(self, acknowledge: Acknowledge) -> Acknowledge:
        """The same, noting how long accepted values were on their way."""

        async def noting(answers: Sequence[Answer]) -> None:
            await acknowledge(answers)
            for answer in answers:
                if answer.acknowledgement.outcome == Outcome.ACCEPTED.value:
                    self.latencies.observe((answer.acknowledgement.latency_ms or 0) / 1_000)

        return noting

    # -- health

    def ailment(self) -> str | None:
        """Why this sink should be started anew. An outage of the channel or the broker is no reason."""
        since = None if self._parts is None else self._parts[1].fetching_since
        if since is not None and self._monotonic() - since > self._stuck_after_s:
            return f"the consumer has not come back for {self._monotonic() - since:.0f} s"
        return None

    def unreadiness(self) -> str | None:
        """What is missing before updates are told."""
        if self._parts is None or self._parts[2].confirmed_at == float("-inf"):
            return "partitions are being assigned"
        return None

    # -- metrics

    def collect(self) -> list[Family]:
        """The present values."""
        return [*self._process(), *(() if self._parts is None else self._told(*self._parts))]

    def _process(self) -> Iterator[Family]:
        yield m.counts(m.BUILD_INFO, {_BUILD: 1})
        yield m.value(m.STARTED_AT, self._started_at)
        yield m.value(m.READY, self.unreadiness() is None)
        yield m.distributions(s.SINK_CALL_SECONDS, {(self._channel,): self.call_times})
        yield m.distributions(s.SINK_LATENCY, {(self._channel,): self.latencies})

    def _told(self, delivery: Delivery, work: Work, feed: Confirmed) -> Iterator[Family]:
        tallies = delivery.tallies
        calls = {
            "answered": tallies.calls - tallies.failed_calls,
            "failed": tallies.failed_calls - tallies.throttled,
            "throttled": tallies.throttled,
        }
        updates = ("accepted", "rejected", "unknown", "expired", "stale", "replaced", "repeated", "undecodable")
        yield m.counts(s.SINK_CALLS, {(self._channel, outcome): count for outcome, count in calls.items()})
        yield m.counts(s.SINK_UPDATES, {(self._channel, name): getattr(tallies, name) for name in updates})
        back = delivery.read_back
        read = asdict(ReadTallies() if back is None else back.tallies)
        yield m.counts(s.SINK_READ_BACK, {(self._channel, outcome): count for outcome, count in read.items()})
        yield self._now(s.SINK_IN_DOUBT, 0 if back is None else len(back.doubts))
        yield self._now(s.SINK_BACKLOG, len(delivery.backlog))
        yield self._now(s.SINK_FAILURES, delivery.backoff.failures)
        yield self._now(s.SINK_RESTING, delivery.resting)
        yield self._now(s.SINK_WAIT, delivery.wait_s())
        yield self._now(s.SINK_BUDGET_DEGRADED, delivery.bucket.degraded)
        yield self._now(s.SINK_PARTITIONS, len(delivery.backlog.partitions))
        yield self._now(s.SINK_LISTINGS, len(delivery.latest))
        yield self._now(s.SINK_CONFIRMED, self._monotonic() - feed.confirmed_at)

    def _now(self, metric: m.Metric, value: float) -> Family:
        return m.counts(metric, {(self._channel,): value})
