"""What a worker refuses to start with, and that it says what to do. Each step mends what the one before lacked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.codec import Encoder
from schemas.topics import AVAILABILITY_POLICY
from streams.local.kafka import LocalKafka
from streams.local.registry.daemon import LocalRegistry
from streams.operations.snapshot import client_of
from streams.worker.codecs import registered_ids, registry_of
from tests.integration.worker.deployment import Deployment

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def bare(jar_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A broker and a registry with nothing in them."""
    broker = LocalKafka(tmp_path_factory.mktemp("kafka"), jar_cache=jar_cache)
    broker.start()
    registry = LocalRegistry(tmp_path_factory.mktemp("registry"))
    registry.start()
    yield Deployment(broker.bootstrap, registry.url, tmp_path_factory.mktemp("deployment"))
    registry.stop()
    broker.stop()


def refused(deployment: Deployment, *words: str, code: int = 2) -> None:
    done = deployment.command("worker")
    assert done.returncode == code, done.stderr
    for word in words:
        assert word in done.stderr


def test_it_says_what_it_lacks_until_nothing_is_missing(bare: Deployment) -> None:
    refused(bare, "schemas are not registered", "atstream schemas register")

    assert bare.command("schemas", "register").returncode == 0
    refused(bare, "stock-adjusted does not exist", "atstream topics apply")

    admin = AdminClient(client_of(bare.settings))
    admin.create_topics([NewTopic("return-recorded", num_partitions=7)])["return-recorded"].result(20)
    assert bare.command("topics", "apply").returncode in (0, 1)
    refused(bare, "same number of partitions", "return-recorded=7")

    admin.delete_topics(["return-recorded"])["return-recorded"].result(20)
    assert bare.command("topics", "apply").returncode == 0
    _produce_policy(bare, {"channels": {"web": {"mode": "NO_SUCH_MODE"}}})
    refused(bare, "the policy is invalid", "mode")

    _produce_policy(bare, {"channels": {"web": {"mode": "SHARED"}}})
    refused(bare, "channel-updates.web does not exist")


def test_an_unreachable_registry_is_an_outage(bare: Deployment) -> None:
    bare.environment["ATSTREAM_REGISTRY__URL"] = "http://127.0.0.1:9"
    refused(bare, "does not answer", code=3)


def test_a_setting_that_cannot_work_is_named(bare: Deployment) -> None:
    bare.environment["ATSTREAM_WORKER__SESSION_TIMEOUT_S"] = "soon"
    refused(bare, "worker.session_timeout_s")


def _produce_policy(deployment: Deployment, document: object) -> None:
    name = AVAILABILITY_POLICY.name
    ids = registered_ids(registry_of(deployment.settings), (AVAILABILITY_POLICY,))
    record = {
        "scope": "global",
        "version": 1,
        "effective_from": None,
        "document": json.dumps(document),
        "event_id": "p1",
        "source": "test",
        "revision": 0,
        "occurred_at": 1,
        "correlation_id": None,
        "ext": {},
    }
    deployment.produce_raw(name, b"global", Encoder(name, ids[name]).encode(record))
