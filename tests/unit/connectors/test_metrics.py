from __future__ import annotations

from collections.abc import Sequence

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from connectors.metrics import EVENTS, FRESHNESS, SKUS, Distribution, Exposition, counts, distributions, value


class Source:
    def collect(self) -> Sequence[Family]:
        distribution = Distribution((1.0, 5.0))
        distribution.observe(0.5)
        distribution.observe(1.0, times=3)
        distribution.observe(99.0)
        return [
            counts(EVENTS, {("orders", "applied"): 7}),
            value(SKUS, 2),
            distributions(FRESHNESS, {("applied",): distribution}),
        ]


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_the_text_is_what_prometheus_reads() -> None:
    text, content_type = Exposition(Source()).text("text/plain")
    found = samples(text)
    assert content_type.startswith("text/plain")
    assert found["atstream_events_total", (("outcome", "applied"), ("topic", "orders"))] == 7
    assert found["atstream_skus", ()] == 2


def test_buckets_are_cumulative_and_include_their_bound() -> None:
    found = samples(Exposition(Source()).text("")[0])
    buckets = {
        dict(labels)["le"]: count
        for (name, labels), count in found.items()
        if name == "atstream_freshness_seconds_bucket"
    }
    assert buckets == {"1.0": 4, "5.0": 4, "+Inf": 5}
    assert found["atstream_freshness_seconds_sum", (("stage", "applied"),)] == 0.5 + 3 * 1.0 + 99.0
    assert found["atstream_freshness_seconds_count", (("stage", "applied"),)] == 5


def test_whoever_asks_for_openmetrics_gets_it() -> None:
    text, content_type = Exposition(Source()).text("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")


def test_two_expositions_share_nothing() -> None:
    assert Exposition(Source()).text("") == Exposition(Source()).text("")
