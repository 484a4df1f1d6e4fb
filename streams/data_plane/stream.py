"""Faust's stream, acknowledging a batch only when the agent came back for the next one.

Stock Faust acknowledges in a ``finally``: also when the agent raised, and when the event was skipped.

Relies on Faust: ``Stream.__aiter__`` being the only way an agent gets events, ``channel.queue``, ``_finalized``,
``maybe_start``, ``_channel_stop_iteration``, ``current_event``, ``Event.ack``, ``flow_control.is_active``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, cast

from faust.streams import Stream

from streams.data_plane.batch import Batch


class PlaneStream(Stream[Any]):
    """A stream of batches."""

    def __aiter__(self) -> AsyncIterator[Any]:
        iterator = self._batches()
        self._active_agens.add(iterator)
        return iterator

    async def _batches(self) -> AsyncGenerator[Batch, None]:
        self._finalized = True
        await self.maybe_start()
        app, channel = cast(Any, self.app), cast(Any, self.channel)
        ledger, stats = app.plane.ledger, app.plane.stats
        try:
            while not self.should_stop:
                try:
                    event = await channel.queue.get()
                except StopAsyncIteration:  # thrown into the queue when the stream is stopped
                    return
                batch: Batch = event.value
                if not ledger.is_current(batch) or not app.flow_control.is_active():
                    stats.stale_batches += 1
                    continue
                self.current_event = event
                ledger.begin(batch)
                try:
                    yield batch
                finally:
                    ledger.end(batch)
                    self.current_event = None
                # Only reached when the agent asks for the next batch: it has applied this one.
                if not batch.abandoned:
                    stats.batch_done(len(batch))
                    event.ack()
                await asyncio.sleep(0)
        finally:
            self._channel_stop_iteration(channel)
