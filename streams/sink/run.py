"""Puts a sink together and runs it until a signal: the one place where its parts meet."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import time
from collections.abc import Mapping, Sequence

from confluent_kafka.admin import AdminClient

from connectors.channels.backlog import Backlog
from connectors.channels.backoff import Backoff
from connectors.channels.base import ChannelSink, ChannelUnusable
from connectors.channels.bulk import BulkRoute, HasBulkRoute
from connectors.channels.delivery import Acknowledge, Delivery
from connectors.channels.doubts import Doubts
from connectors.channels.latest import LatestSettled
from connectors.channels.rate import CallBucket
from connectors.channels.read_back import ReadBack
from connectors.channels.reading import ReadsBack
from connectors.registry import RegistryRefused, RegistryUnavailable, SchemaRegistry
from domain.facts import SECOND, Micros
from schemas.codec import Decoder, Encoder
from schemas.topics import CHANNEL_ACKS, channel_updates_topic, sink_positions_topic
from schemas.wire import SchemaRef
from streams.admin import AdminSite, open_socket
from streams.data_plane.failures import Misconfigured, Unavailable
from streams.settings import Settings
from streams.sink.budget import metered
from streams.sink.feed import Assigned, UpdateFeed
from streams.sink.ledger import Ledger
from streams.sink.meter import MeteredSink, SinkMeter
from streams.sink.positions import read_positions
from streams.sink.runner import SinkRunner
from streams.sink.settings import SinkConfiguration, SinkSettings
from streams.sink.topics import require_topics
from streams.worker.codecs import registered_ids, registry_of

log = logging.getLogger(__name__)

REGISTRY_PAUSE_S = 2.0
JOIN_SESSIONS = 6
"""How many session time-outs the group may take to say which partitions are a sink's."""
ATTEMPTS_REMEMBERED: Micros = 86_400 * SECOND
"""How old an attempt without answer may be that a sink still has doubts about when it starts."""
STUCK_S = 60.0
"""How much longer than a rebalance can take the consumer may be away before the sink counts as stuck."""


async def run(channel: str, settings: Settings, configuration: SinkConfiguration) -> None:
    """Tell the channel until SIGTERM or SIGINT.

    Raises ``PlaneFailure`` (with an exit code) when it cannot start or go on.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    sink_settings = configuration.delivery
    client = {"bootstrap.servers": settings.kafka.bootstrap_servers, **settings.kafka.client()}
    registry = registry_of(settings)
    await asyncio.to_thread(require_topics, AdminClient(dict(client)), channel, sink_settings.startup_s)
    encoder = await asyncio.to_thread(_acknowledgement_encoder, registry)
    release_s = configuration.attempt_s + sink_settings.session_timeout_s + 5.0
    meter = SinkMeter(channel, stuck_after_s=2 * release_s + STUCK_S)
    bare = _sink_of(channel, configuration)
    ledger = Ledger(client, channel, encoder, timeout_s=sink_settings.session_timeout_s / 2)
    admin = _admin(meter, sink_settings)
    with metered(channel, bare, MeteredSink(bare, meter.call_times), configuration) as parts:
        sink, bucket, reads = parts
        try:
            if admin is not None:
                await admin.start()
            await sink.open()
            log.info("telling %s by %s", channel, sink_settings.kind)
            bulk = bare.bulk if isinstance(bare, HasBulkRoute) else None
            delivery = _delivery(sink, bulk, bucket, meter.metered(ledger.acknowledge), sink_settings)
            delivery.read_back = _read_back(delivery, reads, ledger.write_down, configuration)
            await _work(channel, delivery, ledger, registry, client, sink_settings, meter, release_s, stop)
        except ChannelUnusable as error:
            raise Misconfigured(str(error)) from error
        finally:
            await sink.close()
            ledger.close()
            if admin is not None:
                await admin.stop()


async def _work(
    channel: str,
    delivery: Delivery,
    ledger: Ledger,
    registry: SchemaRegistry,
    client: Mapping[str, str | int | float | bool],
    settings: SinkSettings,
    meter: SinkMeter,
    release_s: float,
    stop: asyncio.Event,
) -> None:
    topic = channel_updates_topic(channel).name
    runner = SinkRunner(
        channel,
        topic,
        delivery,
        ledger,
        Decoder(registry),
        lambda ref: _load(registry, ref),
        fenced_after_s=settings.session_timeout_s / 2,
    )

    def restore(partitions: Sequence[int]) -> Mapping[int, Assigned]:
        # Its own decoder: this runs on the feed's thread.
        positions = sink_positions_topic(channel).name
        since = _now() - ATTEMPTS_REMEMBERED
        return read_positions(client, positions, partitions, Decoder(registry), registry.load, since)

    feed = UpdateFeed(
        client,
        group=f"atstream-sink-{channel}",
        topic=topic,
        session_timeout_s=settings.session_timeout_s,
        release_s=release_s,
        join_s=JOIN_SESSIONS * settings.session_timeout_s,
        restore=restore,
        owner=runner,
    )
    meter.follow(delivery, runner, feed)
    await feed.start()
    await runner.run(feed, stop)


def _admin(meter: SinkMeter, settings: SinkSettings) -> AdminSite | None:
    if settings.admin_port is None:
        return None
    return AdminSite(meter, meter, open_socket(settings.admin_host, settings.admin_port, "sink.admin_port"))


def _delivery(
    sink: ChannelSink,
    bulk: BulkRoute | None,
    bucket: CallBucket,
    acknowledge: Acknowledge,
    settings: SinkSettings,
) -> Delivery:
    return Delivery(
        sink=sink,
        bulk=bulk,
        backlog=Backlog(),
        latest=LatestSettled(settings.max_listings),
        acknowledge=acknowledge,
        bucket=bucket,
        backoff=Backoff(settings.backoff_base_s, settings.backoff_cap_s, random.uniform),
        wall_clock=_now,
        monotonic=time.monotonic,
        unknown_attempts=settings.unknown_attempts,
    )


def _read_back(
    delivery: Delivery, reads: ReadsBack | None, write_down: Acknowledge, configuration: SinkConfiguration
) -> ReadBack | None:
    most = configuration.delivery.doubt_reads
    if reads is None or not most:
        return None
    doubts = Doubts(configuration.doubt_settle_s, most, attempt_s=configuration.attempt_s)
    return ReadBack(reads, doubts, delivery.backlog, delivery.latest, write_down)


def _sink_of(channel: str, configuration: SinkConfiguration) -> ChannelSink:
    try:
        return configuration.sink(channel)
    except ChannelUnusable as error:
        raise Misconfigured(str(error)) from None


def _acknowledgement_encoder(registry: SchemaRegistry) -> Encoder:
    try:
        ids = registered_ids(registry, (CHANNEL_ACKS,))
    except (RegistryUnavailable, RegistryRefused) as error:
        raise Unavailable(str(error)) from error
    return Encoder(CHANNEL_ACKS.name, ids[CHANNEL_ACKS.name])


async def _load(registry: SchemaRegistry, ref: SchemaRef) -> None:
    """Load a schema, however long the registry is out: nothing is wrong with the records that wait for it."""
    while True:
        try:
            return await asyncio.to_thread(registry.load, ref)
        except (RegistryUnavailable, RegistryRefused) as error:
            log.warning("schema %s is not to be had (%s); trying again", ref, error)
            await asyncio.sleep(REGISTRY_PAUSE_S)


def _now() -> Micros:
    return time.time_ns() // 1000
