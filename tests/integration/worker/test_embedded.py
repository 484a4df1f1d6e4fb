"""The worker on the embedded broker, which is what a stranger has who has neither Java nor Docker."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from streams.local import embedded as embedded_broker
from streams.local.embedded import EmbeddedBroker
from streams.local.registry.daemon import LocalRegistry
from tests.integration.worker.conftest import POLICY
from tests.integration.worker.deployment import SESSION_S, Deployment
from tests.integration.worker.traffic import traffic

pytestmark = pytest.mark.integration

EVENTS = 1_500
SETTLED_S = 90.0


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    reason = embedded_broker.missing()
    if reason is not None:
        pytest.skip(f"needs the embedded broker: {reason}")
    broker = EmbeddedBroker(tmp_path_factory.mktemp("embedded"))
    broker.start()
    registry = LocalRegistry(tmp_path_factory.mktemp("registry"))
    registry.start()
    deployment = Deployment(broker.bootstrap, registry.url, tmp_path_factory.mktemp("deployment"), partitions=2)
    deployment.deploy(POLICY)
    yield deployment
    registry.stop()
    broker.stop()


@pytest.fixture(autouse=True)
def nothing_left_running(deployment: Deployment) -> Iterator[None]:
    yield
    deployment.close()


def test_a_killed_worker_loses_nothing_on_the_embedded_broker(deployment: Deployment) -> None:
    deployment.sink("web")
    deployment.sink("amazon")
    first = deployment.worker()
    first.heard("handling partitions", within_s=60)
    deployment.produce(traffic(1, EVENTS))
    first.kill()
    deployment.produce(traffic(2, EVENTS))
    deployment.worker()
    report = deployment.proof(SETTLED_S)
    assert report.differences == []
    assert report.events >= deployment.produced
    assert report.accepted == report.channels > 0


def test_two_workers_paused_restarted_and_poisoned_agree_on_the_embedded_broker(deployment: Deployment) -> None:
    deployment.sink("web")
    deployment.sink("amazon")
    first, second = deployment.worker(), deployment.worker()
    first.heard("handling partitions", within_s=60)
    second.heard("handling partitions", within_s=60)
    deployment.produce(traffic(3, EVENTS))
    first.signal(signal.SIGSTOP)
    deployment.produce_raw("order-released", b"SKU-1", b"no avro")
    time.sleep(SESSION_S + 3.0)
    first.signal(signal.SIGCONT)
    deployment.produce(traffic(4, EVENTS))
    assert second.stop() == 0
    deployment.worker()
    report = deployment.proof(SETTLED_S)
    assert report.differences == []
    assert report.events >= deployment.produced
    assert report.rejected == 1
    assert report.accepted == report.channels > 0
