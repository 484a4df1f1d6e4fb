"""The Faust app of the plane.

Relies on Faust: ``App._consumer_wait_empty`` being awaited on revocation and on stop, after the flow was
suspended and queues were cleared; ``_on_agent_error``; ``_on_rebalance_when_stopped``; ``_create_directories``;
``BootStrategy``; the settings ``Stream``, ``TableManager``, ``Monitor`` and ``env``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Mapping
from datetime import timedelta
from typing import Any

import faust
from faust.app.base import BootStrategy
from faust.types import TP

from streams.data_plane.batch import Batch, BatchAbandoned
from streams.data_plane.effects import State
from streams.data_plane.failures import HandlerFailed, PlaneFailure
from streams.data_plane.plane import Plane
from streams.data_plane.recovery import PlaneTableManager
from streams.data_plane.schema import batch_schema
from streams.data_plane.sensor import PlaneMonitor
from streams.data_plane.settings import PlaneSettings
from streams.data_plane.stream import PlaneStream
from streams.data_plane.table import PlaneTable
from streams.data_plane.transport import broker_url, register

Handler = Callable[[Batch], Awaitable[None]]

_FOR_EVER = timedelta(days=7)


class NoWeb(BootStrategy):
    """``web_enabled=False`` is ignored by Faust's worker command; this is not."""

    enable_web = False


class PlaneApp(faust.App):
    """Faust with epochs. ``plane`` holds the parts; see ``docs/faust.md``."""

    BootStrategy = NoWeb
    plane: Plane

    def __init__(self, plane: Plane, **options: Any) -> None:
        self.plane = plane
        plane.on_failure = self._end
        super().__init__(plane.settings.app_id, **options)

    def _end(self, failure: BaseException) -> None:
        """Something can't go on: end the app, writing and committing nothing more."""
        if not self.should_stop:
            self.loop.call_soon_threadsafe(lambda: self.add_future(self.crash(failure)))

    def _crash(self, reason: BaseException) -> None:
        self.plane.fail(reason)
        super()._crash(reason)

    async def _consumer_wait_empty(self, consumer: Any, logger: Any) -> None:
        timeout_s = (
            self.plane.settings.stop_s / 2 if self.should_stop else self.plane.settings.rebalance_timeout_s / 2
        )
        try:
            await self.plane.release(timeout_s)
        except PlaneFailure as failure:
            if not self.should_stop:
                raise
            self.plane.fail(failure)  # and go on stopping: the group is to be left all the same

    async def _on_partitions_revoked(self, revoked: set[TP]) -> None:
        await super()._on_partitions_revoked(revoked)
        if not self.should_stop and self.plane.failure is None:
            await self._consumer_wait_empty(self.consumer, self.log)  # Faust doesn't where nothing was assigned

    async def _on_agent_error(self, agent: Any, exc: BaseException) -> None:
        failure = exc if isinstance(exc, PlaneFailure) else HandlerFailed(f"agent {agent.name} raised {exc!r}")
        failure.__cause__ = exc if failure is not exc else exc.__cause__
        self.plane.fail(failure)

    def _on_rebalance_when_stopped(self) -> None:
        """The stop that is under way leaves the group."""

    def _create_directories(self) -> None:
        """A worker keeps nothing on disk."""


def create_plane_app(
    settings: PlaneSettings,
    state: State,
    *,
    sources: Collection[str],
    partitions: int,
    changelogs: Mapping[str, str] | None = None,
) -> PlaneApp:
    """An app for these source topics and this state; agents are added with ``add_agent``.

    ``changelogs`` maps table names to changelog topics (default: named as the table). All topics must have
    ``partitions`` partitions.
    """
    register()
    named = {table: (changelogs or {}).get(table, table) for table in state.tables}
    app = PlaneApp(
        Plane(settings, state, frozenset(sources), named),
        broker=broker_url(settings.bootstrap_servers),
        broker_credentials=settings.credentials,
        broker_client_id=f"{settings.app_id}-member",
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.heartbeat_s,
        broker_rebalance_timeout=settings.rebalance_timeout_s,
        broker_request_timeout=settings.rebalance_timeout_s + settings.session_timeout_s,
        broker_max_poll_interval=_FOR_EVER.total_seconds(),
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=1_024,
        store="memory://",
        topic_partitions=partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=True,
        stream_buffer_maxsize=1_000_000,
        stream_recovery_delay=0.0,
        table_standby_replicas=0,
        autodiscover=False,
        web_enabled=False,
        worker_redirect_stdouts=False,
        env={},
        env_prefix="ATSTREAM_FAUST_UNUSED",
        Stream=PlaneStream,
        TableManager=PlaneTableManager,
        Monitor=PlaneMonitor,
    )
    for table, changelog in named.items():
        app.tables.add(PlaneTable(app, name=table, changelog=changelog, partitions=partitions))
    return app


def add_agent(app: PlaneApp, name: str, topics: Collection[str], handler: Handler) -> Any:
    """Register an agent that awaits ``handler(batch)`` for every batch of these topics.

    An exception ends the worker; ``BatchAbandoned`` (see ``Batch.wait``) leaves the batch to be delivered again.
    """

    async def listen(stream: AsyncIterable[Batch]) -> None:
        async for batch in stream:
            try:
                await handler(batch)
            except BatchAbandoned:
                batch.abandoned = True
            except asyncio.CancelledError:
                if not app.should_stop:  # Faust would start the agent anew, past this batch
                    app.plane.fail(HandlerFailed(f"agent {name}: its handler was cancelled"))
                raise

    topic = app.topic(*topics, schema=batch_schema(), internal=False)
    agent_type: Any = app.conf.Agent
    agent = agent_type(listen, name=name, app=app, channel=topic, on_error=app._on_agent_error, help=name)
    app.agents[agent.name] = agent
    app.topics.beacon.add(agent)
    return agent
