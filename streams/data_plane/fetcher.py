"""Faust's fetcher service, which may be cancelled during a rebalance without taking the worker with it.

Stock Faust crashes itself when it is cancelled while the app is rebalancing (a stop that meets a rebalance), and
then fails on a supervisor that it does not have.

Relies on Faust: ``Transport.Fetcher`` being started and stopped as ``app._fetcher``, its service task
``_fetcher``, and ``Consumer._drain_messages(fetcher)`` being all it runs.
"""

from __future__ import annotations

from typing import Any, cast

from faust.transport.consumer import Fetcher
from mode import Service

from streams.data_plane.failures import PlaneFailure


class PlaneFetcher(Fetcher):
    """Runs the consumer's delivery until it is stopped."""

    @Service.task
    async def _fetcher(self) -> None:
        app = cast(Any, self.app)
        try:
            await app.consumer._drain_messages(self)
        except PlaneFailure as failure:
            app.plane.fail(failure)
        finally:
            self.set_shutdown()
