"""Epochs: what was applied is written and acknowledged, then its offsets are committed; never the other way
round.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from faust.types import TP

from streams.data_plane import clock
from streams.data_plane.effects import Produced, State
from streams.data_plane.failures import Fenced, PlaneFailure, Unavailable
from streams.data_plane.ledger import Ledger
from streams.data_plane.membership import Membership, NotMember
from streams.data_plane.pace import Pace
from streams.data_plane.sensor import PlaneStats
from streams.data_plane.settings import PlaneSettings
from streams.data_plane.turns import Turns

log = logging.getLogger(__name__)

_TICK_S = 0.25
_SLICE_S = 0.005


class Writer(Protocol):
    """Where the records of an epoch go; ``Outbox`` is one."""

    async def enqueue(self, records: Sequence[Produced]) -> None:
        """Take records to be written, in order; returns when there is room for more."""

    async def acknowledged(self) -> None:
        """Return when everything taken was acknowledged by all replicas; raise if anything was not."""


class Epochs:
    """Runs epochs while the gate is open (partitions assigned and recovered).

    ``waiting()`` is how many records were fetched and not applied yet. ``commit(offsets, generation)`` returns
    False when the group has moved on, which is no failure: the records will be delivered again. Any other trouble
    after ``State.collect`` began breaks the worker, because the state believes that what it handed out is written.
    """

    def __init__(
        self,
        settings: PlaneSettings,
        state: State,
        ledger: Ledger,
        membership: Membership,
        stats: PlaneStats,
        turns: Turns,
        outbox: Writer,
        commit: Callable[[Mapping[TP, int], int], Awaitable[bool]],
        waiting: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._state = state
        self._ledger = ledger
        self._membership = membership
        self._stats = stats
        self._turns = turns
        self._outbox = outbox
        self._commit = commit
        self._waiting = waiting
        self._pace = Pace(settings)
        self._lock = asyncio.Lock()
        self._applied = asyncio.Event()
        self._open = asyncio.Event()
        self._began_at = self._flushed_at = 0.0
        self.broken: BaseException | None = None

    def open(self) -> None:
        """Partitions are ours and recovered."""
        self._open.set()
        self._applied.set()

    def notice(self) -> None:
        """A batch was applied."""
        self._applied.set()

    async def run(self) -> None:
        """Run epochs for ever."""
        while True:
            await self._open.wait()
            await self._until_due()
            await self.flush()

    async def close(self, timeout_s: float) -> None:
        """Finish: agents end the batch they have in hand, a last epoch is written and committed, the gate closes.

        Raises ``Unavailable`` when an agent did not come back within the time-out.
        """
        if not self._open.is_set() or self.broken is not None:
            self._open.clear()
            async with self._lock:  # a stop that meets a rebalance: its last epoch may still be under way
                return
        self._ledger.give_up()
        if not await self._ledger.wait_idle(timeout_s):
            self.broken = Unavailable(
                f"an agent did not finish its batch within {timeout_s} s of a rebalance or stop"
            )
            raise self.broken
        self._open.clear()
        await self.flush(last=True)
        self._ledger.stop()
        self._membership.left()

    async def flush(self, *, last: bool = False) -> None:
        """One epoch. Does nothing if there is nothing to do, or if the gate closed while we waited our turn."""
        async with self._lock:
            if not (last or self._open.is_set()):
                return
            if self.broken is not None:
                raise PlaneFailure("the worker has failed and runs no epoch any more") from self.broken
            try:
                await self._flush()
                if last:
                    await self._conclude()
            except asyncio.CancelledError as stopped:
                self.broken = stopped
                raise
            except Exception as error:
                self.broken = error
                fenced = self._fenced()
                if fenced is None:
                    raise
                self.broken = fenced
                raise fenced from error
            finally:
                self._flushed_at = time.monotonic()

    def _fenced(self) -> Fenced | None:
        """A pause shows as whatever it breaks first (expired records, a refused commit): call it what it is."""
        try:
            self._membership.check()
        except Fenced as fenced:
            return fenced
        except NotMember as reason:
            return Fenced(f"fenced: left the group in the middle of an epoch ({reason})")
        return None

    async def _flush(self) -> None:
        began = self._began_at = time.monotonic()
        try:
            await self._confirmed_recently()
        except NotMember as reason:
            log.info("no epoch: %s", reason)
            return
        async with self._turns.collecting():
            # Of one instant: until the turn ends nobody applies anything.
            applied, offsets = self._ledger.applied, self._ledger.committable()
            written = await self._hand_over(self._state.collect(clock.now_us()))
        collected = time.monotonic()
        if written:
            await self._outbox.acknowledged()
        acknowledged = time.monotonic()
        if offsets and await self._commit_if_member(offsets):
            self._ledger.committed(offsets)
            self._stats.committed(time.monotonic() - acknowledged)
        if written or offsets:
            ended = time.monotonic()
            self._pace.answered_within(ended - collected, applied.records)
            self._stats.epoch_done(written, collected - began, acknowledged - collected, ended - acknowledged)

    async def _conclude(self) -> None:
        """Our successor may believe the rows of the last epoch: say so."""
        try:
            await self._confirmed_recently()
        except NotMember:
            return
        if await self._hand_over([self._state.concluded()]):
            await self._outbox.acknowledged()

    async def _hand_over(self, slices: Iterable[Sequence[Produced]]) -> int:
        """Enqueue slice by slice, so that writing begins while the rest is still being collected."""
        count, since = 0, time.monotonic()
        for records in slices:
            if records:
                await self._confirmed_before_writing()
                await self._outbox.enqueue(records)
                count += len(records)
            if time.monotonic() - since > _SLICE_S:
                await asyncio.sleep(0)
                since = time.monotonic()
        return count

    async def _commit_if_member(self, offsets: Mapping[TP, int]) -> bool:
        try:
            self._membership.check()
        except NotMember as reason:
            log.info("nothing committed: %s", reason)
            return False
        done = await self._commit(offsets, self._membership.generation)
        if not done:
            log.info("nothing committed: the group has moved on; the records will be delivered again")
        return done

    async def _confirmed_before_writing(self) -> None:
        try:
            await self._confirmed_recently()
        except NotMember as reason:
            raise Fenced(f"fenced: left the group while an epoch was being collected ({reason})") from reason

    async def _confirmed_recently(self) -> None:
        """Wait for a heartbeat when the last one is too old to begin writing."""
        self._membership.check()
        while self._membership.age_s() > self._settings.produce_margin_s:
            await asyncio.sleep(0.05)
            self._membership.check()

    async def _until_due(self) -> None:
        """Return when an epoch is due: something was applied, or the state asks for it."""
        since: float | None = None
        while self._open.is_set():
            self._guard()
            now = time.monotonic()
            if self._applied.is_set():
                self._applied.clear()
                since = now if since is None else since
            if since is None:
                pause_s = min(_TICK_S, self._until_wake(now))
            else:  # whatever the state waits for will be in the epoch that comes anyway
                pause_s = self._pace.pause_s(
                    now - since, now - self._began_at, self._ledger.applied, self._waiting()
                )
            if pause_s <= 0:
                return
            await self._noticed_within(min(pause_s, _TICK_S))

    def _until_wake(self, now: float) -> float:
        wake_us = self._state.next_wake()
        if wake_us is None:
            return _TICK_S
        rested_s = self._flushed_at + self._settings.epoch_min_s - now  # a wake in the past must not spin
        return max(0.0, rested_s, (wake_us - clock.now_us()) / 1e6)

    def _guard(self) -> None:
        """Notice a lapse even when there is nothing to write."""
        try:
            self._membership.check()
        except NotMember:
            return  # the group will tell; flush() writes nothing meanwhile

    async def _noticed_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):  # unlike ``wait_for`` without a task
                await self._applied.wait()
        except TimeoutError:
            return
