"""Turns on the event loop: one part of one batch, or one collection, at a time; in between the loop breathes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from streams.data_plane.priority import Standing, next_turn


class _Waiting:
    __slots__ = ("granted", "passed_over", "standing")

    def __init__(self, standing: Callable[[int], Standing] | None, granted: asyncio.Future[None]) -> None:
        self.standing = standing  # None: collects an epoch
        self.granted = granted
        self.passed_over = 0


class Turns:
    """Grants one turn at a time, and none before the event loop has looked at everything else once.

    A handler changes the state only in a turn. An epoch is collected in one: it comes before all handlers, and
    lasts while slices are handed out, so that no batch is applied in between.
    """

    def __init__(self) -> None:
        self._taken = False
        self._waiting: list[_Waiting] = []
        self.applying_s = 0.0
        """Seconds spent in turns to apply records."""

    @asynccontextmanager
    async def applying(self, standing: Callable[[int], Standing]) -> AsyncIterator[None]:
        """A turn to apply records. ``standing(passed_over)`` says how urgent they are, whenever one is chosen."""
        await self._take(standing)
        began = time.monotonic()
        try:
            yield
        finally:
            self.applying_s += time.monotonic() - began
            self._give_back()

    @asynccontextmanager
    async def collecting(self) -> AsyncIterator[None]:
        """The turn in which an epoch is collected."""
        await self._take(None)
        try:
            yield
        finally:
            self._give_back()

    async def _take(self, standing: Callable[[int], Standing] | None) -> None:
        if not self._taken:
            self._taken = True
            return
        waiting = _Waiting(standing, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        try:
            await waiting.granted
        except asyncio.CancelledError:
            if not waiting.granted.cancelled():  # granted and cancelled in the same moment
                self._give_back()
            raise

    def _give_back(self) -> None:
        asyncio.get_running_loop().call_soon(self._grant)

    def _grant(self) -> None:
        self._waiting = [waiting for waiting in self._waiting if not waiting.granted.cancelled()]
        self._taken = bool(self._waiting)
        if self._waiting:
            self._waiting.pop(self._chosen()).granted.set_result(None)

    def _chosen(self) -> int:
        standings = []
        for index, waiting in enumerate(self._waiting):
            if waiting.standing is None:
                return index
            standings.append(waiting.standing(waiting.passed_over))
        chosen = next_turn(standings)
        for index, waiting in enumerate(self._waiting):
            waiting.passed_over += index != chosen
        return chosen
