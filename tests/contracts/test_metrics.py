"""Metrics are an interface: every one is documented, offered, and named as Prometheus wants it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric as Family

from connectors.metrics import COUNTER, HISTOGRAM, METRICS, SUMMARY, Metric
from connectors.sink_metrics import OFFERED, SINK_METRICS
from streams.settings import load_settings
from streams.worker.app import WorkerPorts, create_app
from streams.worker.meter import WorkerMeter
from streams.worker.progress import WorkerProgress
from tests.unit.channels.test_sink_meter import Bench
from tests.worlds import World

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text()
ALL = (*METRICS, *SINK_METRICS)
BASE_UNITS = {"seconds": "_seconds", "bytes": "_bytes", "seconds since 1970": "_seconds"}


async def _load(missing: object) -> None:
    raise AssertionError("no schema is loaded here")


@pytest.fixture(scope="module")
def of_worker() -> dict[str, Family]:
    state = World().state
    app = create_app(load_settings(), WorkerPorts(state, _load, partitions=4))
    return by_name(WorkerMeter(app, state, WorkerProgress(app)).collect())


@pytest.fixture(scope="module")
def of_sink() -> dict[str, Family]:
    return by_name(Bench().meter.collect())


def by_name(families: Sequence[Family]) -> dict[str, Family]:
    assert len(families) == len({family.name for family in families})
    return {f"{family.name}_total" if family.type == "counter" else family.name: family for family in families}


def test_the_document_lists_every_metric_as_it_is_defined() -> None:
    rows = re.findall(r"^\| `(atstream_\w+)` \| (\w+) \| ([^|]+) \| ([^|]+) \| (.+) \|$", DOCUMENT, re.MULTILINE)
    defined = [(m.name, m.kind, m.unit, ", ".join(m.labels) or "-", m.meaning) for m in ALL]
    assert rows == defined


def test_a_worker_offers_every_metric_of_its_own_and_no_other(of_worker: dict[str, Family]) -> None:
    assert set(of_worker) == {metric.name for metric in METRICS}


def test_a_sink_offers_every_metric_of_its_own_and_no_other(of_sink: dict[str, Family]) -> None:
    assert set(of_sink) == {metric.name for metric in OFFERED}


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_a_metric_is_of_the_kind_that_is_told(
    of_worker: dict[str, Family], of_sink: dict[str, Family], metric: Metric
) -> None:
    offered = {**of_sink, **of_worker}
    assert offered[metric.name].type == metric.kind
    assert offered[metric.name].documentation == metric.meaning


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_a_name_tells_unit_and_kind(metric: Metric) -> None:
    assert re.fullmatch(r"atstream_[a-z_]+[a-z]", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == COUNTER)
    assert metric.name.removesuffix("_total").endswith(BASE_UNITS.get(metric.unit, ""))
    assert not (metric.kind == SUMMARY and metric.labels)
    assert "le" not in metric.labels


def test_names_are_given_once() -> None:
    assert len({metric.name for metric in ALL}) == len(ALL)


def test_every_metric_in_an_expression_of_the_document_exists() -> None:
    suffixes = {HISTOGRAM: ("_bucket", "_count", "_sum"), SUMMARY: ("_count", "_sum")}
    series = {m.name + suffix for m in ALL for suffix in ("", *suffixes.get(m.kind, ()))}
    assert set(re.findall(r"atstream_\w+", DOCUMENT)) <= series
