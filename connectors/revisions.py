"""Revisions of listings in a day that all sinks of a channel account count together, through Redis or Valkey.

``SharedRevisions`` asks the store for the revisions of a batch in one round trip, and decides by what it knows
when the store does not answer. A task of its own connects again, tells the store what it does not know, and looks
now and then whether it has forgotten something. What the sum of all keeps to, and when, is in decision 0014.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from connectors.budgets_connection import STORE_FAILURES, named, within
from connectors.revisions_store import RevisionStore
from domain.facts import SECOND, Micros
from domain.limits_listing import DailyRevisions
from domain.limits_sharing import NOTHING, Question, SharedCounts, Told

log = logging.getLogger(__name__)

TIMEOUT_S = 0.25
CLOSE_S = 1.0
SHORTEST_REST_S, LONGEST_REST_S = 0.05, 1.0
LOOK_EVERY_S = 1.0
TOLD_AT_ONCE = 200
KEPT_AFTER: Micros = 3_600 * SECOND
"""How long a day's counts outlive it: clocks of sinks may be apart."""


class SharedRevisions:
    """``connectors.channels.capped.Revisions`` of ``account``. Safe to open while the store is away.

    ``revisions`` needs a life that no other has or had. ``wall_clock`` gives microseconds since the epoch.

    Raises ``ValueError``: the URL is none of redis://, rediss://, unix://.
    """

    def __init__(
        self,
        url: str,
        account: str,
        revisions: DailyRevisions,
        wall_clock: Callable[[], Micros],
        *,
        timeout_s: float = TIMEOUT_S,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self.store = RevisionStore(url, account, revisions.life, revisions.max_listings, timeout_s)
        self.counts = SharedCounts(revisions)
        self._revisions = revisions
        self._account = account
        self._wall_clock = wall_clock
        self._timeout_s = timeout_s
        self._look_every_s = look_every_s
        self._shared = False
        self._said: bool | None = None
        self._tried = asyncio.Event()
        self._lost = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to keep in touch with the store; does not wait for it."""
        self._revisions.turn(self._wall_clock())
        self._task = asyncio.create_task(self._keep_in_touch(), name=f"revisions of {self._account}")

    async def close(self) -> None:
        """Tell the store what it does not know, if it answers. Safe to call twice."""
        task, self._task = self._task, None
        if task is None:
            return
        self._closing.set()
        self._lost.set()
        await asyncio.wait([task])
        try:
            async with asyncio.timeout(CLOSE_S):
                while self._shared and await self._tell():
                    pass
        except STORE_FAILURES as error:
            log.warning("not all revisions of %s could be told to the others (%s)", self._account, named(error))
        await self.store.drop()
        self._shared = False
        task.result()

    @property
    def degraded(self) -> bool:
        """Whether revisions are not counted together at the moment."""
        return not self._shared

    async def reserve(self, wanted: Mapping[str, bool]) -> frozenset[str]:
        """Those of which a revision is reserved now: by the store, or by what we know while it does not answer.

        Waits for the store no longer than the time-out (after the start, until it was tried once, two of them),
        and not at all while it is known to be away.

        Raises ``Exception``: whatever ended the task that keeps in touch; a fault of the program.
        """
        if self._task is not None:
            await within(2 * self._timeout_s, self._tried)
        if self._task is not None and self._task.done():
            self._task.result()
        self._revisions.turn(self._wall_clock())
        return self.counts.reserve(wanted, await self._asked(self.counts.questions(wanted)))

    def used(self, listing: str) -> None:
        """The channel was asked to make the revision that was reserved."""
        self._revisions.used(listing)

    async def _asked(self, questions: Mapping[str, Question]) -> Mapping[str, Told]:
        """What the store says of these; nothing when it does not answer."""
        if not questions or not self._shared:
            return NOTHING
        try:
            return await self._exchange(questions)
        except STORE_FAILURES as error:
            self._alone(error)
            return NOTHING

    async def _exchange(self, questions: Mapping[str, Question]) -> Mapping[str, Told]:
        day = self._revisions.day
        expires = self._revisions.ends() + KEPT_AFTER - self._wall_clock()
        answers = await self.store.ask(day, expires, questions)
        self.counts.answered(day, answers)
        return answers.told

    async def _tell(self) -> bool:
        """Tell the store some of what it does not know; whether there was anything."""
        telling = self.counts.telling(TOLD_AT_ONCE)
        if telling.counts:
            await self._exchange({listing: Question(0, 0, known) for listing, known in telling.counts.items()})
            self.counts.untold.told(telling)
        return bool(telling.counts)

    async def _keep_in_touch(self) -> None:
        rest_s = SHORTEST_REST_S
        while not self._closing.is_set():
            self._lost.clear()
            try:
                if await self.store.connect():
                    self.counts.untold.everything()
                await self._exchange({})
                self._shared, rest_s = True, SHORTEST_REST_S
                self._say("")
                self._tried.set()
                await self._keep_told()
            except STORE_FAILURES as error:
                self._alone(error)
            if not self._closing.is_set():
                await self.store.drop()
                await within(rest_s, self._closing)
                rest_s = min(2 * rest_s, LONGEST_REST_S)

    async def _keep_told(self) -> None:
        """Tell what the store does not know until it fails or we close."""
        while not self._lost.is_set():
            if not await self._tell():
                await within(self._look_every_s, self._lost)
                if not self._lost.is_set():
                    await self._exchange({})  # to learn that it has forgotten, or is away

    def _alone(self, error: Exception) -> None:
        self._shared = False
        self._lost.set()
        self._tried.set()
        self._say(named(error))

    def _say(self, why: str) -> None:
        """Log each change once."""
        if self._said == self._shared:
            return
        self._said = self._shared
        if self._shared:
            log.info("revisions of listings of %s are counted together with the other sinks", self._account)
        else:
            log.warning(
                "the store of the revisions of %s does not answer (%s): going on with the counts we know",
                self._account,
                why,
            )
