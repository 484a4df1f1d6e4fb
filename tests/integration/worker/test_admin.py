"""The admin port of real workers on a real broker: what it says is what happened."""

from __future__ import annotations

import json
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.worker.app import SOURCES
from tests.integration.worker.deployment import Deployment, Program
from tests.integration.worker.traffic import traffic

pytestmark = pytest.mark.integration

WITHIN_S = 60.0
Metrics = dict[str, dict[tuple[str, ...], float]]


def worker(deployment: Deployment) -> tuple[Program, str]:
    """A worker and the address of its admin port."""
    program = deployment.worker(ATSTREAM_WORKER__ADMIN_PORT="0")
    program.heard("admin port: ", WITHIN_S)
    found = re.search(r"admin port: (http://127\.0\.0\.1:\d+)/metrics", program.log.read_text())
    assert found is not None
    return program, found.group(1)


def get(url: str, timeout_s: float = 10.0) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline, f"not within {WITHIN_S} s: {what}"
        time.sleep(0.2)


def ready(address: str) -> bool:
    return get(f"{address}/readyz")[0] == 200


def metrics(address: str) -> Metrics:
    """Values by series and label values, in the order of the labels' names."""
    found: Metrics = {}
    for family in text_string_to_metric_families(get(f"{address}/metrics")[1].decode()):
        for sample in family.samples:
            labels = tuple(sample.labels[name] for name in sorted(sample.labels))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def total(found: Metrics, series: str) -> float:
    return sum(found.get(series, {}).values())


def test_what_two_workers_tell_is_what_they_did(deployment: Deployment) -> None:
    first, one = worker(deployment)
    second, two = worker(deployment)
    until(lambda: ready(one) and ready(two), "both workers ready")
    until(lambda: total(metrics(one), "atstream_partitions_owned") == 2, "two partitions each")
    deployment.produce(traffic(1, 800))
    deployment.produce_raw("order-released", b"SKU-1", b"no avro")

    def events(outcome: str) -> float:
        return sum(
            count
            for each in (one, two)
            for (told, _), count in metrics(each).get("atstream_events_total", {}).items()
            if told == outcome
        )

    taken = ("applied", "duplicate", "rejected")
    until(lambda: sum(map(events, taken)) >= deployment.produced + 1, "every event taken")
    assert sum(map(events, taken)) == deployment.produced + 1
    assert events("rejected") == 1
    found = [metrics(one), metrics(two)]
    assert sum(total(each, "atstream_dead_letters_total") for each in found) == 1
    assert sum(total(each, "atstream_skus") for each in found) == 60
    for each in found:
        acknowledged = each["atstream_freshness_seconds_count"][("acknowledged",)]
        assert 0 < acknowledged <= each["atstream_freshness_seconds_count"][("applied",)]
        assert each["atstream_batch_records_sum"][()] == each["atstream_freshness_seconds_count"][("applied",)]
        assert each["atstream_epoch_seconds_count"][()] >= each["atstream_commits_total"][()] > 0
        assert each["atstream_group_generation"][()] > 0
    until(lambda: lag_known(one) and lag_known(two), "both workers caught up, by their own account")
    assert get(f"{one}/healthz") == (200, b'{"ok": true, "reason": null}')
    code, told = get(f"{one}/exposure")
    assert (code, set(json.loads(told)["channels"])) == (200, {"web", "amazon"})

    assert second.stop() == 0
    until(lambda: total(metrics(one), "atstream_partitions_owned") == 4 and ready(one), "one worker has it all")
    assert total(metrics(one), "atstream_skus") == 60
    assert total(metrics(one), "atstream_recovered_rows_total") > 0
    assert first.stop() == 0


def lag_known(address: str) -> bool:
    """Whether lag is told for every partition owned, and is 0 in records and seconds."""
    found = metrics(address)
    places = len(SOURCES) * total(found, "atstream_partitions_owned")
    known = len(found.get("atstream_lag_records", {})) == len(found.get("atstream_lag_seconds", {})) == places
    return known and not total(found, "atstream_lag_records") and not total(found, "atstream_lag_seconds")


def test_a_worker_is_not_ready_before_it_is_and_hangs_visibly(deployment: Deployment) -> None:
    program, address = worker(deployment)
    code, told = get(f"{address}/readyz")
    assert code in (200, 503)
    assert json.loads(told)["ok"] is (code == 200)
    until(lambda: ready(address), "ready")
    program.signal(signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        get(f"{address}/healthz", timeout_s=1.0)
    program.signal(signal.SIGCONT)
    until(lambda: get(f"{address}/healthz")[0] == 200, "alive again")
    assert get(f"{address}/table")[0] == 404


def test_a_port_that_is_taken_stops_the_worker_before_it_starts(deployment: Deployment) -> None:
    program, address = worker(deployment)
    port = address.rpartition(":")[2]
    late = deployment.worker(ATSTREAM_WORKER__ADMIN_PORT=port)
    assert late.wait(WITHIN_S) == 2
    assert "worker.admin_port" in late.log.read_text()
    assert program.running
