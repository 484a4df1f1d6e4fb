"""Every metric: its name, defined once, with kind, unit, labels and meaning; and how it is written out.

The names are an interface: dashboards and alerts are built on them, and ``docs/metrics.md`` lists them. Nothing
here counts. A collector reads what its owner counts anyway, when it is asked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family

COUNTER = "counter"
GAUGE = "gauge"
SUMMARY = "summary"
HISTOGRAM = "histogram"

WORK_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
FRESHNESS_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0)


class Metric(NamedTuple):
    """The definition of a metric. A summary has a count and a sum and no quantiles."""

    name: str
    kind: str
    unit: str
    labels: tuple[str, ...]
    meaning: str


def counter(name: str, unit: str, meaning: str, *labels: str) -> Metric:
    """Define a counter; its name is completed."""
    return Metric(f"atstream_{name}_total", COUNTER, unit, labels, meaning)


def gauge(name: str, unit: str, meaning: str, *labels: str) -> Metric:
    """Define a gauge."""
    return Metric(f"atstream_{name}", GAUGE, unit, labels, meaning)


def summary(name: str, unit: str, meaning: str, *labels: str) -> Metric:
    """Define a summary."""
    return Metric(f"atstream_{name}", SUMMARY, unit, labels, meaning)


def histogram(name: str, unit: str, meaning: str, *labels: str) -> Metric:
    """Define a histogram."""
    return Metric(f"atstream_{name}", HISTOGRAM, unit, labels, meaning)


# The process
BUILD_INFO = gauge(
    "build_info", "1", "version of atstream, Python and Faust, as labels", "version", "python", "faust"
)
STARTED_AT = gauge("start_time_seconds", "seconds since 1970", "when the worker started")
READY = gauge("ready", "0 or 1", "1 when partitions are assigned and recovered")
LOOP_DELAY = histogram(
    "event_loop_delay_seconds",
    "seconds",
    "how late the event loop was when it was asked every 50 ms: how long something had kept it from all else",
)
LONGEST_LOOP_DELAY = gauge("event_loop_longest_delay_seconds", "seconds", "the longest one since the start")

# Events
EVENTS = counter(
    "events",
    "events",
    "events taken, by topic and outcome: applied, duplicate, rejected, forwarded (to the partition of its key), "
    "acknowledged (an answer of a channel); an event that is delivered again counts again",
    "topic",
    "outcome",
)
DEAD_LETTERS = counter(
    "dead_letters", "records", "records that can never succeed, by topic and reason code", "topic", "reason"
)
FINDINGS = counter("findings", "findings", "findings reported, by code", "code")
FRESHNESS = histogram(
    "freshness_seconds",
    "seconds",
    "from the Kafka time stamp of a record until it was applied, and until what it caused was acknowledged by the "
    "broker; every record of a batch counts with the age of the oldest",
    "stage",
)

# State
SKUS = gauge("skus", "SKUs", "SKUs of which facts are known, in the partitions owned")
PARTITIONS = gauge("partitions_owned", "partitions", "partitions assigned to this worker and recovered")
REASSESSMENTS = gauge("reassessments_waiting", "SKUs", "SKUs to be assessed again after a policy or a rebalance")

# What channels are told
BACKLOG = gauge(
    "planner_backlog", "listings", "listings that may be told now and wait for budget", "channel", "priority"
)
UPDATES = counter(
    "updates_planned", "updates", "updates planned, by channel, class and reason", "channel", "priority", "reason"
)
FULL_SYNC_SINCE = gauge(
    "full_sync_complete_since_seconds",
    "seconds since 1970",
    "every listing in the partitions owned was told since then; absent until a full sync was complete in all of "
    "them",
    "channel",
)

# What channels answer
EXPOSED_LISTINGS = gauge(
    "exposure_listings", "listings", "listings of which the channel accepted more than is safe now", "channel"
)
EXPOSED_UNITS = gauge("exposure_units", "units", "units it accepted beyond what is safe now", "channel")
EXPOSED_VALUE = gauge(
    "exposure_value",
    "smallest unit of the currency",
    "what it accepted beyond what is safe sells for, of the listings with a price",
    "channel",
    "currency",
)
EXPOSED_UNPRICED = gauge(
    "exposure_unpriced_units",
    "units",
    "units it accepted beyond what is safe, of the listings without a price",
    "channel",
)
EXPOSED_SECONDS = gauge(
    "exposure_oldest_seconds", "seconds", "how long the one has been exposed that is exposed longest", "channel"
)
ACK_LATENCY = gauge(
    "channel_latency_seconds",
    "seconds",
    "from planning to the answer, for 95 of 100 answers of the last ten minutes; rounded up by at most 19 %",
    "channel",
)
SILENCE = gauge(
    "channel_silence_seconds", "seconds", "how long the channel has answered nothing although asked", "channel"
)
BREAKER = gauge(
    "planner_breaker", "0, 1 or 2", "0 closed, 1 half open, 2 open: the channel is told nothing", "channel"
)
NOT_TAKEN = gauge("listings_not_taken", "listings", "listings with three or more failures in a row", "channel")
DRIFT = counter(
    "channel_drift",
    "answers",
    "answers that name another previous quantity than the channel had accepted, by direction: above, below",
    "channel",
    "direction",
)

# Lag
LAG_RECORDS = gauge("lag_records", "records", "records behind the committed offset", "topic", "partition")
LAG_SECONDS = gauge(
    "lag_seconds", "seconds", "age of the record at the committed offset; 0 when caught up", "topic", "partition"
)
LAG_MEASURED_AT = gauge("lag_measured_timestamp_seconds", "seconds since 1970", "when lag was measured last")
STUCK = gauge(
    "stuck_seconds",
    "seconds",
    "longest time that a partition with lag has not moved; worker.stall_s ends the worker",
)

# Batches and epochs
BATCH_RECORDS = summary("batch_records", "records", "records of the batches that were applied")
BATCH_SECONDS = summary("batch_seconds", "seconds", "time to apply a batch: decode and fold, waiting left out")
OPEN_RECORDS = gauge("open_records", "records", "records fetched and not yet applied")
BUFFERED_BYTES = gauge("buffered_bytes", "bytes", "size of the records fetched and not yet applied")
FETCH_PAUSES = counter(
    "fetch_pauses", "pauses", "times that a partition, or all of them, had to rest because memory was full"
)
FETCH_PAUSED = counter(
    "fetch_paused_seconds", "seconds", "time of such rests that are over, summed over what rested"
)
EPOCH_SECONDS = histogram("epoch_seconds", "seconds", "time of an epoch: collect, write, commit")
COMMIT_SECONDS = histogram("commit_seconds", "seconds", "time until the group's coordinator confirmed a commit")
EPOCH_PHASE = counter(
    "epoch_phase_seconds", "seconds", "time spent in epochs, by phase: collect, write, commit", "phase"
)
WRITTEN = counter("records_written", "records", "changelog rows, outputs and dead letters, acknowledged")
COMMITS = counter("commits", "commits", "epochs that committed offsets")
GAPS_PROVEN = counter("gaps_proven", "gaps", "holes in a log that were proven to be empty")
STALE_BATCHES = counter("stale_batches", "batches", "batches of an earlier assignment, dropped unapplied")

# Group and recovery
REBALANCES = counter("rebalances", "rebalances", "generations of the group this worker took part in")
GENERATION = gauge("group_generation", "generation", "generation of the group; -1 before the first")
MEMBERSHIP_AGE = gauge(
    "membership_age_seconds", "seconds", "time since the group confirmed this worker; +Inf while it is no member"
)
RECOVERIES = counter("recoveries", "recoveries", "recoveries of partitions that ended")
RECOVERING = gauge("recovering", "0 or 1", "1 while partitions are being handed over and recovered")
RECOVERED_ROWS = counter("recovered_rows", "rows", "changelog rows read by recoveries")
RECOVERY_REMAINING = gauge("recovery_remaining_rows", "rows", "rows that the running recovery has yet to read")
RECOVERY_RATE = gauge("recovery_rows_per_second", "rows per second", "speed of the running or last recovery")
RECOVERY_ESTIMATE = gauge(
    "recovery_estimate_seconds",
    "seconds",
    "time that the running recovery still takes at its speed so far, else 0",
)
RECOVERY_SECONDS = gauge("recovery_seconds", "seconds", "duration of the last recovery")
FIRST_BATCH = gauge(
    "first_batch_seconds", "seconds", "from the start of the worker until it had applied a batch; absent before"
)

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
"""All of them, in the order above."""

Samples = Mapping[Any, float]
"""Value by label values: a tuple of texts, in the order of the metric's labels."""


class Distribution:
    """Counts values in buckets, for a histogram."""

    def __init__(self, buckets: Sequence[float] = FRESHNESS_BUCKETS_S) -> None:
        self.buckets = tuple(buckets)
        self.counts = [0] * (len(self.buckets) + 1)
        self.sum = 0.0

    @property
    def count(self) -> int:
        """How many values were counted."""
        return sum(self.counts)

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value."""
        self.counts[bisect_left(self.buckets, value)] += times
        self.sum += value * times

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper bound, and how many values are not above it."""
        total, told = 0, []
        for bound, count in zip((*map(str, self.buckets), "+Inf"), self.counts, strict=True):
            total += count
            told.append((bound, float(total)))
        return told


def counts(metric: Metric, samples: Samples) -> Family:
    """A counter or gauge, one sample for each combination of labels."""
    make = CounterMetricFamily if metric.kind == COUNTER else GaugeMetricFamily
    family = make(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in samples.items():
        family.add_metric(labels, value)
    return family


def value(metric: Metric, number: float) -> Family:
    """A counter or gauge without labels."""
    return counts(metric, {(): number})


def totals(metric: Metric, count: int, total: float) -> Family:
    """A summary."""
    family = SummaryMetricFamily(metric.name, metric.meaning)
    family.add_metric((), count_value=count, sum_value=total)
    return family


def distributions(metric: Metric, found: Mapping[Any, Distribution]) -> Family:
    """A histogram, one distribution for each combination of labels."""
    family = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, distribution in found.items():
        family.add_metric(labels, distribution.cumulative(), distribution.sum)
    return family


class Collecting(Protocol):
    """Whatever yields families when it is asked."""

    def collect(self) -> Sequence[Family]:
        """The present values."""


class Exposition:
    """The metrics of one process in the formats Prometheus reads; a registry of its own, nothing global."""

    def __init__(self, source: Collecting) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(source)

    def text(self, accept: str) -> tuple[bytes, str]:
        """The present values and their content type; ``accept`` is the header of the request."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type
