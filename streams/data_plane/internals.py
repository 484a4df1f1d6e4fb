"""Every name inside Faust, mode and aiokafka that the plane relies on, and a check that they are there.

Not public, so an upgrade may take any of them away: ``tests/topology/test_faust_internals.py`` says which one.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any, NamedTuple

FAUST_VERSION = "0.15.3"
"""The version whose sources were read, and in which the behaviour behind these names was verified."""


class Internal(NamedTuple):
    """A name we rely on: where it is, the parameters we pass or accept, and what breaks without it."""

    module: str
    path: str
    parameters: tuple[str, ...] | None
    why: str


_CONSUMER = "faust.transport.consumer"
_DRIVER = "faust.transport.drivers.aiokafka"
_APP = "faust.app.base"
_RECOVERY = "faust.tables.recovery"
_MANAGER = "faust.tables.manager"
_COORDINATOR = "aiokafka.consumer.group_coordinator"

INTERNALS = (
    Internal(_CONSUMER, "Consumer._drain_messages", ("fetcher",), "delivery is ours"),
    Internal(_CONSUMER, "Consumer._commit_handler", None, "the task that runs epochs"),
    Internal(_CONSUMER, "Consumer._commit_livelock_detector", None, "the task that runs the watchdog"),
    Internal(_CONSUMER, "Consumer.commit", ("topics", "start_new_transaction"), "only epochs commit"),
    Internal(_CONSUMER, "Consumer.force_commit", ("topics", "start_new_transaction"), "only epochs commit"),
    Internal(_CONSUMER, "Consumer.wait_empty", (), "epochs wait for agents"),
    Internal(_CONSUMER, "Consumer.ack", ("message",), "range acknowledgements"),
    Internal(_CONSUMER, "Consumer.stop_flow", (), "nothing is fetched during a rebalance"),
    Internal(_CONSUMER, "Consumer.resume_flow", (), "end of the hand-over"),
    Internal(_CONSUMER, "Consumer.on_task_error", ("exc",), "a failed agent must not commit"),
    Internal(_CONSUMER, "Consumer.on_buffer_full", ("tp",), "memory is bounded elsewhere"),
    Internal(_CONSUMER, "Consumer.on_buffer_drop", ("tp",), "memory is bounded elsewhere"),
    Internal(_CONSUMER, "Fetcher._fetcher", None, "may be cancelled during a rebalance"),
    Internal(_DRIVER, "Consumer._new_consumer_thread", (), "the group member is ours"),
    Internal(_DRIVER, "AIOKafkaConsumerThread.on_start", (), "where the coordinator is listened to"),
    Internal(_DRIVER, "AIOKafkaConsumerThread.on_partitions_assigned", ("assigned", "generation_id"), "fencing"),
    Internal(_DRIVER, "AIOKafkaConsumerThread._ensure_consumer", (), "access to the member"),
    Internal(_DRIVER, "AIOKafkaConsumerThread.call_thread", None, "commits run in the member's thread"),
    Internal(_DRIVER, "AIOKafkaConsumerThread.verify_event_path", ("now", "tp"), "our own watchdog"),
    Internal(_DRIVER, "AIOKafkaConsumerThread.verify_recovery_event_path", ("now", "tp"), "our own watchdog"),
    Internal(_DRIVER, "Transport.Fetcher", None, "replaced"),
    Internal("faust.transport.drivers", "TRANSPORTS.aliases", None, "plane:// is registered there"),
    Internal("faust.transport.producer", "Producer.send", None, "refused"),
    Internal("faust.transport.producer", "Producer.send_soon", ("fut",), "refused"),
    Internal("faust.transport.producer", "ProducerBuffer.wait_until_ebb", (), "asked by the conductor"),
    Internal("faust.transport.conductor", "ConductorCompiler.build", None, "it waits for the flow only"),
    Internal("faust.streams", "Stream.__aiter__", (), "acknowledge only what was applied"),
    Internal("faust.streams", "Stream._channel_stop_iteration", ("channel",), "end of a stream"),
    Internal("faust.tables.base", "Collection._changelog_topic_name", (), "literal changelog names"),
    Internal("faust.tables.base", "Collection._new_store", (), "an empty store"),
    Internal("faust.tables.table", "Table.on_key_set", ("key", "value"), "refused"),
    Internal("faust.tables.table", "Table.on_key_del", ("key",), "refused"),
    Internal(_MANAGER, "TableManager.recovery", None, "the recovery is ours"),
    Internal(_MANAGER, "TableManager._update_channels", (), "changelogs are subscribed for the assignor"),
    Internal(_MANAGER, "TableManager.on_actives_ready", (), "end of the hand-over"),
    Internal(_MANAGER, "TableManager.on_standbys_ready", (), "end of the hand-over"),
    Internal(_RECOVERY, "Recovery._restart_recovery", None, "the task that runs hand-overs"),
    Internal(_RECOVERY, "Recovery._slurp_changelogs", None, "replaced by nothing"),
    Internal(_RECOVERY, "Recovery._publish_stats", None, "replaced by nothing"),
    Internal(_RECOVERY, "Recovery.on_partitions_revoked", ("revoked",), "cuts a hand-over short"),
    Internal(
        _RECOVERY,
        "Recovery.on_rebalance",
        ("assigned", "revoked", "newly_assigned", "generation_id"),
        "starts a hand-over",
    ),
    Internal(_APP, "App._consumer_wait_empty", ("consumer", "logger"), "the last epoch of a generation"),
    Internal(_APP, "App._on_partitions_revoked", ("revoked",), "the last epoch of a generation"),
    Internal(_APP, "App._on_agent_error", ("agent", "exc"), "a failed agent ends the worker"),
    Internal(_APP, "App._on_rebalance_when_stopped", (), "the stop leaves the group"),
    Internal(_APP, "App._create_directories", (), "nothing on disk"),
    Internal(_APP, "App._crash", ("reason",), "every crash stops writing"),
    Internal(_APP, "App._fetcher", None, "started at the end of the hand-over"),
    Internal(_APP, "App.on_rebalance_end", (), "end of the hand-over"),
    Internal(_APP, "BootStrategy.enable_web", None, "no web server"),
    Internal("faust.sensors.monitor", "Monitor._sampler", None, "replaced by nothing"),
    Internal("faust.serializers.schemas", "Schema.loads_value", ("app", "message"), "a batch is its own value"),
    Internal("mode.services", "Service.task", None, "service tasks are replaced by name"),
    Internal("mode.utils.queues", "FlowControlEvent.is_active", (), "stale batches are not handed out"),
    Internal("mode.utils.queues", "FlowControlEvent.resume", (), "clears queues at the end of the hand-over"),
    Internal(_COORDINATOR, "GroupCoordinator._do_heartbeat", (), "fencing"),
    Internal(_COORDINATOR, "GroupCoordinator._send_req", ("request",), "fencing"),
    Internal(_COORDINATOR, "GroupCoordinator.reset_generation", (), "fencing"),
    Internal(
        _COORDINATOR, "GroupCoordinator.ensure_active_group", ("subscription", "prev_assignment"), "ending workers"
    ),
    Internal(_COORDINATOR, "GroupCoordinator.coordinator_dead", None, "start positions"),
    Internal(_COORDINATOR, "GroupCoordinator.fetch_committed_offsets", ("partitions",), "start positions"),
    Internal("aiokafka.protocol.commit", "OffsetFetchRequest", None, "start positions"),
    Internal("aiokafka.consumer.consumer", "AIOKafkaConsumer.commit", ("offsets",), "commits"),
    Internal("aiokafka.consumer.consumer", "AIOKafkaConsumer.pause", None, "the member fetches nothing"),
)


def problems() -> list[str]:
    """What is no longer as we need it, one sentence each."""
    return [problem for internal in INTERNALS if (problem := _problem(internal)) is not None]


def _problem(internal: Internal) -> str | None:
    name = f"{internal.module}.{internal.path}"
    try:
        found: Any = import_module(internal.module)
        for part in internal.path.split("."):
            found = inspect.getattr_static(found, part) if inspect.isclass(found) else getattr(found, part)
    except (ImportError, AttributeError) as error:
        return f"{name} is gone ({error}); needed because: {internal.why}"
    if internal.parameters is None:
        return None
    parameters = set(inspect.signature(found).parameters)
    absent = [wanted for wanted in internal.parameters if wanted not in parameters]
    if absent:
        return f"{name} no longer takes {absent}; needed because: {internal.why}"
    return None
