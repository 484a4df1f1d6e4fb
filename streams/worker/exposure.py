"""``GET /exposure``: what channels accepted beyond what is safe, and which listings weigh most, for who asks.

It looks at every exposed listing in steps, on the event loop that does the work. However many ask at once, one
looks, and the others get the same answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from agents.channel_watch import ChannelWatch
from domain.exposure import Exposed, ExposureBook
from schemas.times import iso
from streams.worker.state import now_us

MOST_LISTINGS = 20
"""Listings told of each channel."""


class ExposureAnswer:
    """Answers for the partitions of this worker. ``watches`` is the fan-out's and read when somebody asks."""

    def __init__(self, watches: Mapping[str, ChannelWatch]) -> None:
        self._watches = watches
        self._looking: asyncio.Task[Mapping[str, Any]] | None = None

    async def answer(self) -> Mapping[str, Any]:
        """Totals and the most exposed listings by channel, with times in ISO-8601."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)  # who asked first may hang up

    async def _look(self) -> Mapping[str, Any]:
        books = {channel: watch.exposure for channel, watch in sorted(self._watches.items())}
        return {"at": iso(now_us()), "channels": {channel: await _told(book) for channel, book in books.items()}}


async def _told(book: ExposureBook) -> dict[str, Any]:
    largest: list[Exposed] = []
    for found in book.largest(MOST_LISTINGS):
        largest = found
        await asyncio.sleep(0)
    listings, units, values, unpriced, since = book.totals()
    return {
        "listings": listings,
        "units": units,
        "value": dict(sorted(values.items())),
        "unpriced_units": unpriced,
        "since": None if since is None else iso(since),
        "largest": [_listing(each) for each in largest],
    }


def _listing(each: Exposed) -> dict[str, Any]:
    amount, currency = each.value or (None, None)
    return {**each._asdict(), "value": amount, "currency": currency, "since": iso(each.since)}
