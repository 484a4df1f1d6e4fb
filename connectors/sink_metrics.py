"""The metrics of a sink, defined as those of a worker are in ``metrics``; ``docs/metrics.md`` lists both."""

from __future__ import annotations

from connectors.metrics import BUILD_INFO, READY, STARTED_AT, Metric, counter, gauge, histogram

LATENCY_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0)

SINK_CALLS = counter(
    "sink_calls", "calls", "calls to the channel, by outcome: answered, failed, throttled", "channel", "outcome"
)
SINK_CALL_SECONDS = histogram("sink_call_seconds", "seconds", "time of a call to the channel", "channel")
SINK_UPDATES = counter(
    "sink_updates",
    "updates",
    "updates by what became of them: accepted, rejected, unknown (gave up asking), expired, and never sent: stale "
    "(older than what is settled), replaced (by a newer one), repeated (settled before), undecodable",
    "channel",
    "outcome",
)
SINK_READ_BACK = counter(
    "sink_read_back",
    "listings",
    "listings in doubt by what reading them back came to: as_told, overtaken (told again), less (sold since), "
    "failed (tried again), given_up (an old value may stay)",
    "channel",
    "outcome",
)
SINK_IN_DOUBT = gauge(
    "sink_in_doubt",
    "listings",
    "listings of which a call without answer may still come through; just after a start, also those that were "
    "delivered again",
    "channel",
)
SINK_LATENCY = histogram(
    "sink_latency_seconds",
    "seconds",
    "from the planner's decision until the channel had accepted it: how long it showed another value",
    "channel",
)
SINK_BACKLOG = gauge("sink_backlog", "listings", "listings that wait to be told", "channel")
SINK_FAILURES = gauge("sink_consecutive_failures", "calls", "calls that failed since the last answered", "channel")
SINK_RESTING = gauge(
    "sink_resting", "0 or 1", "1 while no call is made because the last one failed or asked for time", "channel"
)
SINK_WAIT = gauge(
    "sink_wait_seconds", "seconds", "time until a call is allowed again, by back-off and rate", "channel"
)
SINK_BUDGET_DEGRADED = gauge(
    "sink_budget_degraded",
    "0 or 1",
    "1 while the store of the shared budget does not answer: no calls for a moment, then our share of them; "
    "revisions of listings are counted by what we know",
    "channel",
)
SINK_PARTITIONS = gauge("sink_partitions_owned", "partitions", "partitions assigned to this sink", "channel")
SINK_LISTINGS = gauge("sink_listings_known", "listings", "listings whose settled update is remembered", "channel")
SINK_CONFIRMED = gauge(
    "sink_membership_age_seconds",
    "seconds",
    "time since the group confirmed this sink; +Inf before it did; it makes no calls while this is too old",
    "channel",
)

SINK_METRICS: tuple[Metric, ...] = (
    SINK_CALLS,
    SINK_CALL_SECONDS,
    SINK_UPDATES,
    SINK_READ_BACK,
    SINK_IN_DOUBT,
    SINK_LATENCY,
    SINK_BACKLOG,
    SINK_FAILURES,
    SINK_RESTING,
    SINK_WAIT,
    SINK_BUDGET_DEGRADED,
    SINK_PARTITIONS,
    SINK_LISTINGS,
    SINK_CONFIRMED,
)
"""What only a sink offers, in the order of the documentation."""

OFFERED: tuple[Metric, ...] = (BUILD_INFO, STARTED_AT, READY, *SINK_METRICS)
"""Everything that a sink offers."""
