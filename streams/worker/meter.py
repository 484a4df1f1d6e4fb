"""The worker's metrics, read from what it counts anyway, when somebody asks."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import version

from prometheus_client.metrics_core import Metric as Family

from connectors import metrics as m
from domain.breaker import BREAKER_STATES
from domain.facts import SECOND
from domain.listings import P4
from streams.data_plane.app import PlaneApp
from streams.data_plane.sensor import PlaneStats
from streams.worker.progress import WorkerProgress
from streams.worker.state import WorkerState, now_us

_BUILD = (version("atstream"), platform.python_version(), version("faust-streaming"))


class WorkerMeter:
    """Yields every metric of ``connectors.metrics``. Called on the event loop, like everything that it reads."""

    def __init__(self, app: PlaneApp, state: WorkerState, progress: WorkerProgress) -> None:
        self._app = app
        self._state = state
        self._progress = progress

    def collect(self) -> list[Family]:
        """The present values."""
        stats = self._app.plane.stats
        parts = (
            self._worker(stats),
            self._events(),
            self._told(),
            self._answered(),
            self._lag(),
            self._work(stats),
        )
        return [family for part in (*parts, _group(stats, self._app), _recovery(stats)) for family in part]

    def _worker(self, stats: PlaneStats) -> Iterator[Family]:
        partitions = self._state.partitions.values()
        yield m.counts(m.BUILD_INFO, {_BUILD: 1})
        yield m.value(m.STARTED_AT, stats.started_at)
        yield m.value(m.READY, self._progress.unreadiness() is None)
        yield m.distributions(m.LOOP_DELAY, {(): stats.loop_delay})
        yield m.value(m.LONGEST_LOOP_DELAY, stats.longest_loop_delay_s)
        yield m.value(m.SKUS, sum(len(partition.facts) for partition in partitions))
        yield m.value(m.PARTITIONS, len(stats.partitions))
        yield m.value(m.REASSESSMENTS, sum(partition.waiting for partition in partitions))

    def _events(self) -> Iterator[Family]:
        tally, freshness = self._state.tally(), self._state.freshness
        yield m.counts(m.EVENTS, tally.events)
        yield m.counts(m.DEAD_LETTERS, tally.dead_letters)
        yield m.counts(m.FINDINGS, {(code,): count for code, count in tally.findings.items()})
        freshness.settle()
        stages = {("applied",): freshness.applied, ("acknowledged",): freshness.acknowledged}
        yield m.distributions(m.FRESHNESS, stages)

    def _told(self) -> Iterator[Family]:
        fan_out = self._state.fan_out
        backlog = {
            (channel, priority): float(listings)
            for channel, planner in fan_out.planners.items()
            for priority, listings in planner.backlog().items()
        }
        backlog |= {(channel, P4): fan_out.full_syncs.remaining(channel) for channel in fan_out.planners}
        yield m.counts(m.BACKLOG, backlog)
        since = fan_out.full_syncs.complete_since()
        yield m.counts(m.FULL_SYNC_SINCE, {(channel,): at / SECOND for channel, at in since.items()})
        yield m.counts(m.UPDATES, fan_out.planned)

    def _answered(self) -> Iterator[Family]:
        now, watches = now_us(), self._state.fan_out.watches
        exposed = {channel: watch.exposure.totals() for channel, watch in watches.items()}
        since = {channel: totals.since for channel, totals in exposed.items()}
        p95 = {channel: watch.reactions.p95() for channel, watch in watches.items()}
        yield m.counts(m.EXPOSED_LISTINGS, {(each,): totals.listings for each, totals in exposed.items()})
        yield m.counts(m.EXPOSED_UNITS, {(each,): totals.units for each, totals in exposed.items()})
        values = {
            (each, currency): value
            for each, totals in exposed.items()
            for currency, value in totals.values.items()
        }
        yield m.counts(m.EXPOSED_VALUE, values)
        yield m.counts(m.EXPOSED_UNPRICED, {(each,): totals.unpriced for each, totals in exposed.items()})
        ages = {(each,): 0 if at is None else max(0, now - at) / SECOND for each, at in since.items()}
        yield m.counts(m.EXPOSED_SECONDS, ages)
        yield m.counts(m.ACK_LATENCY, {(each,): at / SECOND for each, at in p95.items() if at is not None})
        silences = {(each,): watch.reactions.silence(now) / SECOND for each, watch in watches.items()}
        yield m.counts(m.SILENCE, silences)
        states = {each: watch.breaker.state(now) for each, watch in watches.items()}
        yield m.counts(m.BREAKER, {(each,): BREAKER_STATES.index(state) for each, state in states.items()})
        yield m.counts(m.NOT_TAKEN, {(each,): len(watch.failures) for each, watch in watches.items()})
        drifts = {
            (each, direction): count
            for each, watch in watches.items()
            for direction, count in watch.drifts.items()
        }
        yield m.counts(m.DRIFT, drifts)

    def _lag(self) -> Iterator[Family]:
        lag = {(tp.topic, str(tp.partition)): waiting for tp, waiting in self._progress.lag().items()}
        yield m.counts(m.LAG_RECORDS, {place: waiting.records for place, waiting in lag.items()})
        yield m.counts(m.LAG_SECONDS, {place: waiting.seconds for place, waiting in lag.items()})
        measured_at = self._progress.measured_at
        yield m.counts(m.LAG_MEASURED_AT, {} if measured_at is None else {(): measured_at})
        yield m.value(m.STUCK, self._progress.stuck_s())

    def _work(self, stats: PlaneStats) -> Iterator[Family]:
        fetching = getattr(self._app.consumer, "lanes", None)
        busy_s = {("collect",): stats.collect_s, ("write",): stats.write_s, ("commit",): stats.commit_s}
        yield m.totals(m.BATCH_RECORDS, stats.batches, stats.records)
        yield m.totals(m.BATCH_SECONDS, stats.batches, self._app.plane.turns.applying_s)
        yield m.value(m.OPEN_RECORDS, self._app.plane.records_waiting())
        yield m.value(m.BUFFERED_BYTES, fetching.buffered_bytes if fetching is not None else 0)
        yield m.value(m.FETCH_PAUSES, fetching.pauses if fetching is not None else 0)
        yield m.value(m.FETCH_PAUSED, fetching.paused_s if fetching is not None else 0)
        yield m.distributions(m.EPOCH_SECONDS, {(): stats.epoch_times})
        yield m.distributions(m.COMMIT_SECONDS, {(): stats.commit_times})
        yield m.counts(m.EPOCH_PHASE, busy_s)
        yield m.value(m.WRITTEN, stats.written)
        yield m.value(m.COMMITS, stats.commits)
        yield m.value(m.GAPS_PROVEN, stats.gaps_proven)
        yield m.value(m.STALE_BATCHES, stats.stale_batches)


def _group(stats: PlaneStats, app: PlaneApp) -> Iterator[Family]:
    yield m.value(m.REBALANCES, stats.rebalances)
    yield m.value(m.GENERATION, stats.generation)
    yield m.value(m.MEMBERSHIP_AGE, app.plane.membership.age_s())


def _recovery(stats: PlaneStats) -> Iterator[Family]:
    yield m.value(m.RECOVERIES, stats.recoveries)
    yield m.value(m.RECOVERING, stats.recovering)
    yield m.value(m.RECOVERED_ROWS, stats.recovered_rows)
    yield m.value(m.RECOVERY_REMAINING, stats.recovery_remaining)
    yield m.value(m.RECOVERY_RATE, stats.recovery_rows_per_s)
    estimate_s = stats.recovery_remaining / stats.recovery_rows_per_s if stats.recovery_rows_per_s else 0.0
    yield m.value(m.RECOVERY_ESTIMATE, estimate_s)
    yield m.value(m.RECOVERY_SECONDS, stats.recovery_s)
    first = stats.first_batch_after_s
    yield m.counts(m.FIRST_BATCH, {} if first is None else {(): first})
