"""Start a worker: check everything it needs, refuse with a clear message, then run until told to stop."""

from __future__ import annotations

import asyncio
import functools
import logging

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from agents.dead_letters import dead_letter
from agents.ports import Incoming
from connectors.registry import RegistryRefused, RegistryUnavailable
from domain.policy import Policy
from schemas.codec import Decoder
from schemas.policies import PolicyError
from schemas.rejections import Rejection
from schemas.topics import (
    AVAILABILITY_POLICY,
    LISTING_EXCHANGE,
    channel_updates_topic,
    dead_letter_twin,
    event_topics,
    input_topics,
)
from streams.admin import open_socket
from streams.data_plane.failures import Misconfigured, PlaneFailure, Unavailable
from streams.data_plane.settings import PlaneSettings
from streams.data_plane.worker import run_worker
from streams.settings import Settings
from streams.worker.admin import Admin
from streams.worker.app import WorkerPorts, create_app, plane_settings
from streams.worker.codecs import (
    OUTPUTS,
    OutputEncoders,
    load_schema,
    load_schema_here,
    registered_ids,
    registry_of,
)
from streams.worker.policy_feed import PolicyFeed, PolicyUnavailable
from streams.worker.state import WorkerState, now_us
from streams.worker.stores import RocksStores

log = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Run one worker. Returns its exit code; a refusal is logged with what to do."""
    try:
        return _run(settings)
    except PlaneFailure as failure:
        log.critical("worker did not start: %s", failure)
        return failure.exit_code


def _run(settings: Settings) -> int:
    registry = registry_of(settings)
    plane = plane_settings(settings)
    try:
        ids = registered_ids(registry, OUTPUTS)
        registered_ids(registry, input_topics())
    except (RegistryUnavailable, RegistryRefused) as error:
        raise Unavailable(f"the schema registry at {settings.registry.url} does not answer: {error}") from error
    counts = _partition_counts(plane)
    worker = settings.worker
    stores = RocksStores(worker.store_path) if worker.store == "rocksdb" else None
    listening = (
        None
        if worker.admin_port is None
        else open_socket(worker.admin_host, worker.admin_port, "worker.admin_port")
    )
    assumes = _AssumeAsOf()
    decoder = Decoder(registry, assumes)
    state: WorkerState | None = None
    load = functools.partial(load_schema_here, registry)
    feed = PolicyFeed(plane.librdkafka(), decoder.decode, load, now_us)
    try:
        policy = _policy(feed, plane.startup_s)
        _require_channels(policy, counts)
        assumes.policy = policy
        partitions = counts[event_topics()[0].name]
        state = WorkerState(
            decoder.decode,
            OutputEncoders(ids),
            policy,
            partitions,
            worker.reassess_per_epoch,
            stores=stores,
            decoded_skus=worker.decoded_skus,
        )
        app = create_app(settings, WorkerPorts(state, functools.partial(load_schema, registry), partitions))
        if listening is not None:
            app.add_dependency(Admin(app, state, listening))
        app.task(functools.partial(_follow, feed, state, assumes))
        return run_worker(app, outputs=_must_exist())
    finally:
        feed.close()
        if state is not None:
            state.close()
        if stores is not None:
            stores.close()
        if listening is not None:
            listening.close()


def _partition_counts(plane: PlaneSettings) -> dict[str, int]:
    """Partitions by topic; the event topics must be there."""
    try:
        listed = AdminClient(plane.librdkafka()).list_topics(timeout=plane.startup_s)
    except KafkaException as error:
        raise Unavailable(f"no broker at {plane.bootstrap_servers}: {error.args[0].str()}") from error
    counts = {name: len(topic.partitions) for name, topic in listed.topics.items()}
    for topic in event_topics():
        if topic.name not in counts:
            raise Misconfigured(f"topic {topic.name} does not exist; create it with `atstream topics apply`")
    return counts


def _require_channels(policy: Policy, counts: dict[str, int]) -> None:
    missing = [name for name in policy.channels if channel_updates_topic(name).name not in counts]
    if missing:
        topics = ", ".join(channel_updates_topic(name).name for name in missing)
        options = " ".join(f"--channel {name}" for name in missing)
        raise Misconfigured(
            f"the policy in force has channels without a topic ({topics} does not exist); "
            f"create it with `atstream topics apply {options}`"
        )


class _AssumeAsOf:
    """Which sources' balances without ``as_of`` are true when they occurred; follows the policy."""

    policy: Policy | None = None

    def __call__(self, source: str) -> bool:
        return self.policy is not None and self.policy.source(source).assume_as_of


def _policy(feed: PolicyFeed, timeout_s: float) -> Policy:
    try:
        return feed.read_all(timeout_s)
    except PolicyError as error:
        raise Misconfigured(
            f"the policy is invalid; mend it with `atstream policy apply FILE`: {error}"
        ) from error
    except PolicyUnavailable as error:
        raise Unavailable(str(error)) from error


def _must_exist() -> list[str]:
    topics = [topic.name for topic in OUTPUTS[:-1]]
    topics += [dead_letter_twin(topic.name).name for topic in (*input_topics(), LISTING_EXCHANGE)]
    return topics


async def _follow(feed: PolicyFeed, state: WorkerState, assumes: _AssumeAsOf) -> None:
    loop = asyncio.get_running_loop()

    def adopt(policy: Policy) -> None:
        assumes.policy = policy
        state.adopt(policy)

    def reject(message: Incoming, rejection: Rejection) -> None:
        letter = dead_letter(AVAILABILITY_POLICY.name, 0, message, rejection, "policy", now_us())
        loop.call_soon_threadsafe(state.write, letter)

    def change(policy: Policy) -> None:
        loop.call_soon_threadsafe(adopt, policy)

    feed.follow(change, reject)
