"""The parts of the plane, put together; Faust's subclasses reach them as ``app.plane``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from faust.types import TP

from streams.data_plane.backlog import Backlog
from streams.data_plane.effects import State
from streams.data_plane.epoch import Epochs
from streams.data_plane.handover import Holdings
from streams.data_plane.ledger import Ledger
from streams.data_plane.membership import Membership
from streams.data_plane.outbox import Outbox
from streams.data_plane.sensor import PlaneStats
from streams.data_plane.settings import PlaneSettings
from streams.data_plane.turns import Turns
from streams.data_plane.watchdog import Watchdog

log = logging.getLogger(__name__)


class Plane:
    """Everything of one worker that isn't Faust's."""

    def __init__(
        self, settings: PlaneSettings, state: State, sources: frozenset[str], changelogs: Mapping[str, str]
    ) -> None:
        self.settings = settings
        self.state = state
        self.sources = sources
        self.changelogs = dict(changelogs)
        self.stats = PlaneStats()
        self.ledger = Ledger()
        self.membership = Membership(settings.session_timeout_s)
        self.holdings = Holdings(state, sources, self.changelogs.values())
        self.watchdog = Watchdog(settings, self.ledger)
        self.outbox = Outbox(settings, self.membership.check)
        self.turns = Turns()
        self.backlog = Backlog(settings)
        self.epochs = Epochs(
            settings,
            state,
            self.ledger,
            self.membership,
            self.stats,
            self.turns,
            self.outbox,
            self._commit,
            self.records_waiting,
        )
        self.member: Any = None
        self.failure: BaseException | None = None
        self.on_failure: Callable[[BaseException], None] = lambda failure: None

    def records_waiting(self) -> int:
        """Records fetched and not yet applied."""
        return self.ledger.records_open + self.backlog.records

    async def _commit(self, offsets: Mapping[TP, int], generation: int) -> bool:
        done: bool = await self.member.commit_exactly(offsets, generation)
        return done

    def fail(self, failure: BaseException) -> None:
        """The worker ends: from now on nothing is written and nothing is committed. Only the first reason
        counts.
        """
        if self.failure is not None:
            return
        self.failure = failure
        self.epochs.broken = self.epochs.broken or failure
        self.outbox.purge()
        log.critical("worker ends: %s", failure)
        self.on_failure(failure)

    async def release(self, timeout_s: float) -> None:
        """Partitions are being given up (rebalance or stop): finish the epoch, write and commit it."""
        if self.failure is None:
            await self.epochs.close(timeout_s)
