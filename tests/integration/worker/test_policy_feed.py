"""A policy is read although the registry that has its schema is out, at start and later."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.registry import SchemaRegistry
from domain.policy import Policy
from schemas import avro_files
from schemas.codec import Decoder, Encoder
from schemas.topics import AVAILABILITY_POLICY
from streams.local.embedded import EmbeddedBroker
from streams.local.registry.daemon import LocalRegistry
from streams.operations.snapshot import client_of
from streams.worker.codecs import load_schema_here, registry_of
from streams.worker.policy_feed import PolicyFeed, PolicyUnavailable
from streams.worker.state import now_us
from tests.integration.worker.deployment import Deployment

pytestmark = pytest.mark.integration

NAME = AVAILABILITY_POLICY.name
PATIENCE_S = 30.0


class Shop:
    """A broker without a worker, a registry that comes and goes, and feeds that never met a schema before."""

    def __init__(self, deployment: Deployment, registry: LocalRegistry) -> None:
        self.deployment = deployment
        self.registry = registry
        self.client: SchemaRegistry = registry_of(deployment.settings)

    def feed(self) -> PolicyFeed:
        client = registry_of(self.deployment.settings)
        load = functools.partial(load_schema_here, client)
        return PolicyFeed(client_of(self.deployment.settings), Decoder(client).decode, load, now_us)

    def schema(self, remark: str) -> int:
        """A schema of the policy that nobody has met, with an id of its own."""
        document = json.loads(avro_files.text(AVAILABILITY_POLICY.avsc or ""))
        return self.client.register(f"{NAME}-value", json.dumps({**document, "remark": remark})).schema_id

    def state(self, version: int, schema_id: int) -> None:
        rules = {"locations": {"A": {"safety_stock": {"units": version}}}}
        record = {"scope": "global", "version": version, "effective_from": None, "document": json.dumps(rules)}
        record |= {"event_id": f"p{version}", "source": "test", "revision": 0, "occurred_at": version}
        record |= {"correlation_id": None, "ext": {}}
        self.deployment.produce_raw(NAME, b"global", Encoder(NAME, schema_id).encode(record))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    broker, registry = EmbeddedBroker(tmp_path / "broker"), LocalRegistry(tmp_path / "registry")
    broker.start()
    registry.start()
    deployment = Deployment(broker.bootstrap, registry.url, tmp_path)
    assert deployment.command("topics", "apply").returncode == 0
    yield Shop(deployment, registry)
    registry.stop()
    broker.stop()


def safety_stock(policy: Policy) -> int:
    return policy.locations["A"].safety_stock.units


def test_it_waits_for_a_schema_and_says_what_it_waited_for(shop: Shop) -> None:
    shop.state(1, shop.schema("at start"))
    shop.registry.stop()
    feed = shop.feed()
    with pytest.raises(PolicyUnavailable, match="a schema of the policy cannot be loaded"):
        feed.read_all(0.5)
    shop.registry.start()
    assert safety_stock(feed.read_all(PATIENCE_S)) == 1
    feed.close()


def test_a_change_during_an_outage_is_followed_after_it(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.state(1, shop.schema("before"))
    later = shop.schema("later")
    feed = shop.feed()
    feed.read_all(PATIENCE_S)
    adopted: list[Policy] = []
    changed = threading.Event()

    def on_policy(policy: Policy) -> None:
        adopted.append(policy)
        changed.set()

    feed.follow(on_policy, lambda message, rejection: pytest.fail(f"{message} was rejected: {rejection}"))
    shop.registry.stop()
    shop.state(2, later)
    assert not changed.wait(2.0), "what it says cannot be known yet"
    assert "policy waits for a schema" in caplog.text
    shop.registry.start()
    assert changed.wait(PATIENCE_S)
    assert safety_stock(adopted[-1]) == 2
    feed.close()


def test_a_feed_that_waits_for_a_schema_can_be_closed(shop: Shop) -> None:
    shop.state(1, shop.schema("before"))
    later = shop.schema("later")
    feed = shop.feed()
    feed.read_all(PATIENCE_S)
    feed.follow(lambda policy: pytest.fail("nothing can be adopted"), lambda message, rejection: None)
    shop.registry.stop()
    shop.state(2, later)
    threading.Event().wait(1.0)
    feed.close()
    assert feed._thread is not None
    assert not feed._thread.is_alive()
    shop.registry.start()
