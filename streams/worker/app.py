"""``create_app``: the whole worker on one screen. Nothing is registered by importing a module."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from agents.listening import LoadSchema, take_batch
from schemas.topics import (
    CHANNEL_ACKS,
    FACTS_CHANGELOG,
    LISTING_EXCHANGE,
    LISTINGS,
    PUBLICATIONS_CHANGELOG,
    event_topics,
)
from streams.data_plane.app import PlaneApp, add_agent, create_plane_app
from streams.data_plane.batch import Batch
from streams.data_plane.settings import PlaneSettings
from streams.settings import Settings
from streams.worker.state import FACTS, PUBLICATIONS, WorkerState, now_us

SOURCES = (*(topic.name for topic in event_topics()), CHANNEL_ACKS.name, LISTINGS.name, LISTING_EXCHANGE.name)
CHANGELOGS = {FACTS: FACTS_CHANGELOG.name, PUBLICATIONS: PUBLICATIONS_CHANGELOG.name}


class WorkerPorts(NamedTuple):
    """What a worker needs of the world beside its settings.

    ``load`` loads a schema a record names for the first time; ``partitions`` is what all sources have.
    """

    state: WorkerState
    load: LoadSchema
    partitions: int


def create_app(settings: Settings, ports: WorkerPorts) -> PlaneApp:
    """The Faust app of a worker: one agent a source topic, two tables, one state."""
    app = create_plane_app(
        plane_settings(settings),
        ports.state,
        sources=SOURCES,
        partitions=ports.partitions,
        changelogs=CHANGELOGS,
    )
    ports.state.freshness.follow(app.plane.stats)
    for source in SOURCES:
        add_agent(app, f"listen-{source}", [source], _listener(ports.state, ports.load))
    return app


def plane_settings(settings: Settings) -> PlaneSettings:
    """What the data plane needs to know."""
    worker, kafka = settings.worker, settings.kafka
    return PlaneSettings(
        app_id=worker.group,
        bootstrap_servers=kafka.bootstrap_servers,
        session_timeout_s=worker.session_timeout_s,
        heartbeat_s=worker.heartbeat_s,
        rebalance_timeout_s=worker.rebalance_timeout_s,
        stall_s=worker.stall_s,
        epoch_max_s=min(1.0, worker.session_timeout_s / 5),
        urgent=frozenset({CHANNEL_ACKS.name, LISTING_EXCHANGE.name}),
        client=kafka.client(),
    )


def _listener(state: WorkerState, load: LoadSchema) -> Callable[[Batch], Awaitable[None]]:
    async def listen(batch: Batch) -> None:
        intake = state.partition(batch.tp.partition).intake
        await take_batch(intake, batch.tp.topic, batch, load, now_us)
        state.freshness.batch_applied(batch.records[0].timestamp()[1], len(batch))

    return listen
