"""What ``atstream doctor`` looks at: each check is one function with a verdict."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from confluent_kafka.admin import AdminClient

from connectors.registry import RegistryRefused, RegistryUnavailable, SchemaRegistry
from domain.policy import Policy
from schemas.codec import Decoder
from schemas.policies import PolicyError
from schemas.topics import AVAILABILITY_POLICY, SINGLE, Topic, event_topics
from streams.local.keys import NEWEST, placement
from streams.local.verdict import Verdict
from streams.operations import schema_registration, topic_plan
from streams.operations.schema_registration import REGISTERED
from streams.operations.topic_plan import CONFIGURE, CREATE, ClusterUnavailable, Step
from streams.settings import Settings
from streams.worker.codecs import registry_of
from streams.worker.policy_feed import PolicyFeed, PolicyUnavailable

_BROKER_S = 5.0
_POLICY_S = 15.0
_NAMED = 5


def examine(settings: Settings) -> list[Verdict]:
    """All checks, causes before consequences. What needs a service that does not answer is left out."""
    admin, registry = topic_plan.admin_client(settings), registry_of(settings)
    client = {"bootstrap.servers": settings.kafka.bootstrap_servers, **settings.kafka.client()}
    verdicts = [broker(settings, admin), schema_registry(settings, registry)]
    broker_answers, registry_answers = (each.ok for each in verdicts)
    channels: tuple[str, ...] = ()
    if broker_answers and registry_answers:
        verdict, policy = policy_in_force(client, topic_plan.partition_counts(admin), registry)
        verdicts.append(verdict)
        channels = tuple(policy.channels) if policy is not None else ()
    if broker_answers:
        wanted = topic_plan.wanted_topics(settings, channels)
        counts = topic_plan.partition_counts(admin)
        steps = topic_plan.plan(admin, wanted)
        verdicts += [topics_exist(wanted, steps), partitions_agree(wanted, counts), topic_settings(wanted, steps)]
        verdicts.append(partitioner(client, counts))
    if registry_answers:
        verdicts.append(schemas_registered(registry))
    return verdicts


def broker(settings: Settings, admin: AdminClient) -> Verdict:
    """Whether the broker answers a metadata request."""
    address = settings.kafka.bootstrap_servers
    try:
        counts = topic_plan.partition_counts(admin, _BROKER_S)
    except ClusterUnavailable as error:
        fix = "start one with `atstream up`, or set ATSTREAM_KAFKA__BOOTSTRAP_SERVERS"
        return Verdict("broker", False, f"{address}: {error}", fix, outage=True)
    return Verdict("broker", True, f"{address} answers, {len(counts)} topics")


def schema_registry(settings: Settings, registry: SchemaRegistry) -> Verdict:
    """Whether the schema registry answers."""
    try:
        count = len(registry.subjects())
    except (RegistryUnavailable, RegistryRefused) as error:
        fix = "start one with `atstream up`, or set ATSTREAM_REGISTRY__URL"
        return Verdict("schema registry", False, str(error), fix, outage=True)
    return Verdict("schema registry", True, f"{settings.registry.url} answers, {count} subjects")


def topics_exist(wanted: Sequence[Topic], steps: Sequence[Step]) -> Verdict:
    """Whether every topic is there that this version and the policy's channels need."""
    missing = [step.topic.name for step in steps if step.action == CREATE]
    if missing:
        return Verdict("topics", False, f"missing: {_first(missing)}", "`atstream topics apply`")
    return Verdict("topics", True, f"all {len(wanted)} are there")


def partitions_agree(wanted: Sequence[Topic], counts: Mapping[str, int]) -> Verdict:
    """Whether topics of one group have equal numbers of partitions: one SKU is computed in one partition."""
    differing = []
    for group in sorted({each.group for each in wanted} - {SINGLE}):
        found = {each.name: counts[each.name] for each in wanted if each.group == group and each.name in counts}
        if len(set(found.values())) > 1:
            listed = ", ".join(f"{name}={count}" for name, count in found.items())
            differing.append(f"by {group}: {listed}")
    if differing:
        fix = "create the smaller ones anew with as many partitions as the others, and replay their events"
        return Verdict("partitions", False, "; ".join(differing), fix)
    return Verdict("partitions", True, "equal within each group of topics")


def topic_settings(wanted: Sequence[Topic], steps: Sequence[Step]) -> Verdict:
    """Whether clean-up, retention and sizes are as this version needs them."""
    differing = [f"{step.topic.name}: {step.detail}" for step in steps if step.action == CONFIGURE]
    if differing:
        return Verdict("topic settings", False, _first(differing), "`atstream topics apply`")
    return Verdict("topic settings", True, "as planned")


def partitioner(client: Mapping[str, Any], counts: Mapping[str, int]) -> Verdict:
    """Whether producers used Kafka's default partitioner, by where the newest records lie."""
    found = placement(client, counts, [each.name for each in event_topics()])
    if found.misplaced:
        what = f"{len(found.misplaced)} of {found.seen} keys in the wrong partition: {_first(found.misplaced)}"
        fix = "set partitioner=murmur2_random on producers that use librdkafka; misplaced events are forwarded"
        return Verdict("partitioner", False, what, fix)
    looked = f"{found.seen} keys of the newest {NEWEST} records of each partition are where murmur2 puts them"
    return Verdict("partitioner", True, looked if found.seen else "no events yet: nothing to look at")


def schemas_registered(registry: SchemaRegistry) -> Verdict:
    """Whether every committed schema is registered with its compatibility."""
    try:
        standings = schema_registration.check(registry, schema_registration.registered_topics())
    except (RegistryUnavailable, RegistryRefused) as error:
        return Verdict("schemas", False, str(error), "try again", outage=True)
    wrong = [f"{each.subject}: {each.state} ({each.detail})" for each in standings if each.state != REGISTERED]
    if wrong:
        return Verdict("schemas", False, _first(wrong), "`atstream schemas register`")
    return Verdict("schemas", True, f"all {len(standings)} registered")


def policy_in_force(
    client: Mapping[str, Any], counts: Mapping[str, int], registry: SchemaRegistry
) -> tuple[Verdict, Policy | None]:
    """Whether the policy topic states a policy that can be decided with; also that policy."""
    if AVAILABILITY_POLICY.name not in counts:
        return Verdict(
            "policy", False, f"topic {AVAILABILITY_POLICY.name} is missing", "`atstream topics apply`"
        ), None
    feed = PolicyFeed(client, Decoder(registry).decode, lambda missing: registry.load(missing.ref), _now_us)
    try:
        policy = feed.read_all(_POLICY_S)
    except PolicyError as error:
        return Verdict("policy", False, str(error), "mend it with `atstream policy apply FILE`"), None
    except (PolicyUnavailable, RegistryUnavailable, RegistryRefused) as error:
        return Verdict("policy", False, str(error), "try again", outage=True), None
    finally:
        feed.close()
    told = f"channels: {', '.join(policy.channels)}" if policy.channels else "no channels: nobody is told anything"
    return Verdict("policy", True, told), policy


def _now_us() -> int:
    return time.time_ns() // 1_000


def _first(texts: Collection[str]) -> str:
    shown = list(texts)[:_NAMED]
    return "; ".join(shown) + (f"; and {len(texts) - _NAMED} more" if len(texts) > _NAMED else "")
