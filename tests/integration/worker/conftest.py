from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.local.kafka import LocalKafka
from streams.local.registry.daemon import LocalRegistry
from tests.integration.worker.deployment import Deployment

POLICY = """
locations:
  A: {safety_stock: {units: 2}}
  B: {safety_stock: {percent: 10}}
channels:
  web: {mode: SHARED, publish: {rate_per_s: 500, burst: 500, heartbeat_s: 1}}
  amazon: {mode: PERCENT, percent: 40, cap: 20, publish: {rate_per_s: 500, burst: 500, heartbeat_s: 1}}
"""


@pytest.fixture(scope="module")
def broker(jar_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """A Kafka of the module's own: topic names are literals, and tests stop parts of it."""
    broker = LocalKafka(tmp_path_factory.mktemp("kafka"), jar_cache=jar_cache)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def cluster(broker: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Topics, schemas and policy deployed; the topics fill up from test to test, as in life."""
    registry = LocalRegistry(tmp_path_factory.mktemp("registry"))
    registry.start()
    deployment = Deployment(broker.bootstrap, registry.url, tmp_path_factory.mktemp("deployment"))
    deployment.deploy(POLICY)
    yield deployment
    deployment.close()
    registry.stop()


@pytest.fixture
def deployment(cluster: Deployment) -> Iterator[Deployment]:
    """The module's deployment with nothing running."""
    yield cluster
    cluster.close()
