"""Topics and schemas as deploy steps, and the doctor who looks at the result, on both brokers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from connectors.registry import SchemaRegistry
from connectors.registry_http import RegistryHttp
from domain.facts import SECOND
from domain.policy import Policy
from schemas.times import micros
from streams.cli.root import main
from streams.local.embedded import EmbeddedBroker
from streams.local.kafka import LocalKafka
from streams.local.ports import LOOPBACK, free_port
from streams.local.registry.daemon import LocalRegistry
from streams.operations.snapshot import read_policy
from streams.settings import load_settings
from streams.worker.partitioning import partition_of_key
from streams.worker.state import now_us

pytestmark = pytest.mark.integration


class Deployment:
    """One empty cluster with an empty registry, and the command line that is pointed at them."""

    def __init__(self, bootstrap: str, registry: str) -> None:
        self.bootstrap = bootstrap
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self.registry = SchemaRegistry(RegistryHttp(registry))
        self.environment = {
            "ATSTREAM_KAFKA__BOOTSTRAP_SERVERS": bootstrap,
            "ATSTREAM_REGISTRY__URL": registry,
            "ATSTREAM_TOPICS__PARTITIONS": "3",
        }

    def run(self, *arguments: str) -> Result:
        return CliRunner(env=self.environment).invoke(main, arguments)

    def asked(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    def verdicts(self) -> dict[str, dict[str, Any]]:
        return {each["name"]: each for each in self.asked("doctor")}


@contextmanager
def deployed(broker: LocalKafka | EmbeddedBroker, directory: Path) -> Iterator[Deployment]:
    registry = LocalRegistry(directory)
    try:
        broker.start()
        registry.start()
        yield Deployment(broker.bootstrap, registry.url)
    finally:
        broker.stop()
        registry.stop()


@pytest.fixture
def on_embedded(tmp_path: Path) -> Iterator[Deployment]:
    with deployed(EmbeddedBroker(tmp_path / "embedded"), tmp_path / "registry") as deployment:
        yield deployment


@pytest.fixture
def on_kafka(tmp_path: Path, jar_cache: Path) -> Iterator[Deployment]:
    with deployed(LocalKafka(tmp_path / "kafka", jar_cache=jar_cache), tmp_path / "registry") as deployment:
        yield deployment


@pytest.fixture(params=["on_kafka", "on_embedded"])
def deployment(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def test_a_deployment_from_nothing_to_all_is_well(deployment: Deployment) -> None:
    before = deployment.verdicts()
    assert {name for name, each in before.items() if not each["ok"]} == {"topics", "policy", "schemas"}
    assert deployment.run("doctor").exit_code == 1

    plan = deployment.asked("topics", "plan", "--channel", "web")
    assert {step["action"] for step in plan} == {"create"}
    assert {"order-released", "order-released.dlq", "channel-updates.web"} <= {step["topic"] for step in plan}
    assert "order-released" not in deployment.admin.list_topics(timeout=15).topics, "a plan changes nothing"

    assert deployment.run("topics", "apply", "--channel", "web").exit_code == 0
    topics = deployment.admin.list_topics(timeout=15).topics
    assert len(topics["order-released"].partitions) == 3
    assert len(topics["availability-policy"].partitions) == 1
    assert deployment.asked("topics", "apply", "--channel", "web") == [], "doing it again changes nothing"

    assert deployment.run("schemas", "check").exit_code == 1
    assert deployment.run("schemas", "register").exit_code == 0
    assert deployment.run("schemas", "check").exit_code == 0
    registered = deployment.registry.latest("order-released-value")
    assert registered is not None
    assert deployment.run("schemas", "register").exit_code == 0
    assert deployment.registry.latest("order-released-value") == registered
    assert deployment.registry.level("order-released-value") == "BACKWARD_TRANSITIVE"
    assert deployment.registry.level("ats-changed-value") == "FULL_TRANSITIVE"

    outcome = deployment.run("doctor")
    assert outcome.exit_code == 0, outcome.output


def test_the_channels_of_a_policy_file_get_topics(on_embedded: Deployment, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("channels: {web: {mode: SHARED}, amazon: {mode: SHARED}}\n")
    planned = {step["topic"] for step in on_embedded.asked("topics", "plan", "--policy", str(policy))}
    assert {"channel-updates.web", "channel-updates.amazon", "channel-updates.web.dlq"} <= planned
    policy.write_text("channels: {web: {mode: SIDEWAYS}}\n")
    refused = on_embedded.run("topics", "plan", "--policy", str(policy))
    assert refused.exit_code == 2
    assert "channels.web.mode" in refused.output


def test_another_number_of_partitions_is_reported_and_left_alone(on_embedded: Deployment) -> None:
    new = [NewTopic("order-released", 2, 1)]
    on_embedded.admin.create_topics(new)["order-released"].result(timeout=15)
    outcome = on_embedded.run("topics", "apply")
    assert outcome.exit_code == 1
    assert "has 2 partitions, wanted 3" in outcome.output
    assert not [step for step in on_embedded.asked("topics", "plan") if step["action"] != "conflict"]
    assert "never changed" in outcome.output
    assert len(on_embedded.admin.list_topics(timeout=15).topics["order-released"].partitions) == 2
    partitions = on_embedded.verdicts()["partitions"]
    assert not partitions["ok"]
    assert "order-released=2" in partitions["what"]


def test_keys_in_the_wrong_partition_are_found(on_embedded: Deployment) -> None:
    assert on_embedded.run("topics", "apply").exit_code == 0
    assert on_embedded.verdicts()["partitioner"]["ok"]
    producer = Producer({"bootstrap.servers": on_embedded.bootstrap, "partitioner": "murmur2_random"})
    for number in range(40):
        producer.produce("order-released", b"x", key=f"SKU-{number}".encode())
    assert producer.flush(20) == 0
    assert on_embedded.verdicts()["partitioner"]["ok"]
    right = partition_of_key(b"SKU-1", 3)
    producer.produce("order-released", b"x", key=b"SKU-1", partition=(right + 1) % 3)
    assert producer.flush(20) == 0
    verdict = on_embedded.verdicts()["partitioner"]
    assert not verdict["ok"]
    assert f"order-released[{(right + 1) % 3}]@" in verdict["what"]
    assert "murmur2_random" in verdict["fix"]


def test_an_incompatible_schema_in_the_registry_is_reported(on_embedded: Deployment) -> None:
    subject = "order-released-value"
    other = {"type": "record", "name": "OrderReleased", "namespace": "atstream", "fields": []}
    on_embedded.registry.register(subject, json.dumps(other))
    standing = next(each for each in on_embedded.asked("schemas", "check") if each["subject"] == subject)
    assert standing["state"] == "incompatible"
    registered = on_embedded.run("schemas", "register")
    assert registered.exit_code == 1
    assert on_embedded.registry.latest("stock-adjusted-value") is not None, (
        "the others are registered all the same"
    )
    assert not on_embedded.verdicts()["schemas"]["ok"]


def test_differing_settings_are_set(deployment: Deployment) -> None:
    new = [NewTopic("ats-changed", 3, 1, config={"cleanup.policy": "delete"})]
    deployment.admin.create_topics(new)["ats-changed"].result(timeout=15)
    steps = deployment.asked("topics", "plan")
    changed = next(step for step in steps if step["topic"] == "ats-changed")
    assert changed["action"] == "configure"
    assert "cleanup.policy delete -> compact" in changed["detail"]
    assert not deployment.verdicts()["topic settings"]["ok"]
    assert deployment.run("topics", "apply").exit_code == 0
    assert deployment.asked("topics", "plan") == []


def test_topics_of_a_group_that_grew_apart_are_found(on_kafka: Deployment) -> None:
    assert on_kafka.run("topics", "apply").exit_code == 0
    grown = on_kafka.admin.create_partitions([NewPartitions("stock-adjusted", 5)])
    grown["stock-adjusted"].result(timeout=15)
    verdict = on_kafka.verdicts()["partitions"]
    assert not verdict["ok"]
    assert "stock-adjusted=5" in verdict["what"]


def test_without_broker_and_registry_the_doctor_says_what_to_start() -> None:
    away = Deployment(f"{LOOPBACK}:{free_port()}", f"http://{LOOPBACK}:{free_port()}")
    outcome = away.run("doctor")
    assert outcome.exit_code == 3
    assert "atstream up" in outcome.output
    assert away.run("topics", "plan").exit_code == 3
    assert away.run("schemas", "check").exit_code == 3


def test_a_full_sync_is_asked_for_without_a_policy_file(on_embedded: Deployment, tmp_path: Path) -> None:
    on_embedded.run("topics", "apply", "--channel", "web")
    on_embedded.run("schemas", "register")
    nobody = on_embedded.run("policy", "full-sync", "web")
    assert nobody.exit_code == 2
    assert "web is no channel of the policy in force (known: none; atstream policy apply FILE" in nobody.output
    policy = tmp_path / "policy.yaml"
    policy.write_text("channels: {web: {mode: SHARED, cap: 9}, shop: {}}\n")
    assert on_embedded.run("policy", "apply", str(policy)).exit_code == 0

    unknown = on_embedded.run("policy", "full-sync", "wbe")
    assert unknown.exit_code == 2
    assert "wbe is no channel of the policy in force (known: shop, web)" in unknown.output
    for at in ("tomorrow", "2026-01-01T22:00:00", "1999-01-01T00:00:00Z"):
        assert on_embedded.run("policy", "full-sync", "web", "--at", at).exit_code == 2

    asked = on_embedded.run("policy", "full-sync", "web", "--at", "2098-01-01T22:00:00Z")
    assert asked.exit_code == 0, asked.output
    assert in_force(on_embedded).channels["web"].publish.full_sync_at == micros("2098-01-01T22:00:00Z")
    again = on_embedded.run("policy", "full-sync", "web")
    assert "instead of the one at 2098-01-01T22:00:00Z" in again.output
    found = in_force(on_embedded).channels
    assert abs((found["web"].publish.full_sync_at or 0) - now_us()) < 3_600 * SECOND
    assert (found["web"].cap, found["shop"].publish.full_sync_at) == (9, None)

    policy.write_text("channels: {shop: {}}\n")
    assert on_embedded.run("policy", "apply", str(policy)).exit_code == 0
    assert set(in_force(on_embedded).channels) == {"shop"}


def test_asking_for_a_full_sync_while_the_broker_is_out_says_so(
    on_embedded: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.cli.policy._READ_WITHIN_S", 1.0)
    on_embedded.environment["ATSTREAM_KAFKA__BOOTSTRAP_SERVERS"] = f"{LOOPBACK}:{free_port()}"
    outage = on_embedded.run("policy", "full-sync", "web")
    assert outage.exit_code == 3
    assert "is the broker up" in outage.output


def in_force(deployment: Deployment) -> Policy:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in deployment.environment.items():
            patch.setenv(name, value)
        return read_policy(load_settings(), now_us)
