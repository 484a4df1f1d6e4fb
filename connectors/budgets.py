"""A call budget that all sinks of a channel account share, through Redis or Valkey.

``SharedBudget`` keeps one member (``domain.limits_member``) in touch with the store, in a task of its own, so that
whoever wants to call asks without waiting. What it does without the store, and why the sum of all keeps to the
limit, is in decision 0014.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable

from connectors.budgets_connection import STORE_FAILURES, named, within
from connectors.budgets_script import Script, Status
from connectors.budgets_store import BudgetStore
from domain.facts import SECOND, Micros
from domain.limits import CallBudget
from domain.limits_member import Member, Reply, Standing, Terms

log = logging.getLogger(__name__)

TIMEOUT_S = 0.25
LARGEST_LEASE = 32
SHORTEST_REST_S, LONGEST_REST_S = 0.05, 1.0
ASK_AGAIN_S = 0.001
UNKNOWN_WAIT_S = 0.2
SOON_S = 0.5

_TOLD = {
    Standing.SHARED: "calls of %s are leased from the shared budget",
    Standing.WAITING: "the shared budget of %s does not answer (%s): no calls until the others must know",
    Standing.ALONE: "the shared budget of %s does not answer (%s): going on with our share of the rate",
    Standing.WITHOUT: "the shared budget of %s does not answer (%s) and we have no share of it: no calls",
}


class SharedBudget:
    """The budget of ``account`` as ``name`` may use it. Safe to open while the store is away.

    ``name`` must be used by one process at a time, and a process started again should have the same name, so that
    the share of the one that ended comes back at once. ``clock`` gives monotonic microseconds.

    Raises ``ValueError``: the URL is none of redis://, rediss://, unix://.
    """

    def __init__(
        self,
        url: str,
        account: str,
        name: str,
        budget: CallBudget,
        clock: Callable[[], Micros],
        *,
        terms: Terms | None = None,
        timeout_s: float = TIMEOUT_S,
        lease: int = LARGEST_LEASE,
        script: Script | None = None,
    ) -> None:
        terms = terms or Terms()
        terms = terms._replace(use_within=budget.lease_age(terms.use_within))
        key = f"atstream:budget:{account}"
        self._account = account
        self._clock = clock
        self.member = Member(budget, terms, int(timeout_s * SECOND), lease)
        self.store = BudgetStore(url, key, name, secrets.token_hex(8), budget, terms, timeout_s, clock, script)
        self._due = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._said: Standing | None = None
        self._why = "not reached yet"

    async def open(self) -> None:
        """Begin to keep in touch with the store; does not wait for it."""
        self._task = asyncio.create_task(self._keep_in_touch(), name=f"budget of {self._account}")

    async def close(self) -> None:
        """Stop calling, and give the share back if the store can be reached. Safe to call twice."""
        task, self._task = self._task, None
        if task is None:
            return
        # Asked to end and not cancelled: a cancellation may be lost in the client's own time-outs.
        self._closing.set()
        self._due.set()
        await asyncio.wait([task])
        try:
            await self.store.leave()
        except STORE_FAILURES as error:
            log.warning("the share of %s could not be given back (%s)", self._account, named(error))
        await self.store.drop()
        self.member.turned_away()

    @property
    def standing(self) -> Standing:
        """How we stand to the store."""
        return self.member.standing(self._clock())

    @property
    def degraded(self) -> bool:
        """Whether the budget is not shared at the moment."""
        return not self.member.shared

    @property
    def incidents(self) -> int:
        """How often the channel refused a call as too fast."""
        return self.member.incidents

    def wait_s(self, wanted: int = 1, least: int = 1) -> float:
        """Seconds until asking again is worth it; 0: ``take`` grants a call now.

        ``wanted``: for how many calls tokens shall be leased; those that are not used are lost. ``least``: fewer
        are of no use.

        Raises ``Exception``: whatever ended the task that keeps in touch; a fault of the program.
        """
        self._require_contact()
        wait = self.member.wait(self._clock(), wanted, least)
        if wait == 0:
            return 0.0
        if wanted:
            self._due.set()
        return UNKNOWN_WAIT_S if wait is None else max(ASK_AGAIN_S, wait / SECOND)

    def likely_s(self) -> float:
        """Seconds until there will be a token unless others take it first. Leases none.

        Raises ``Exception``: as ``wait_s``.
        """
        self._require_contact()
        wait = self.member.likely(self._clock())
        return UNKNOWN_WAIT_S if wait is None else wait / SECOND

    async def take_soon(self, wanted: int = 1, least: int = 1) -> int:
        """Lease up to ``wanted`` tokens and use them at once. 0: there are fewer than ``least`` within ``SOON_S``.

        All come in one lease. ``least`` above what the budget ever gives at once means as many as that.
        """
        try:
            async with asyncio.timeout(SOON_S):
                while not (taken := self.take(wanted, least)):
                    wait_s = self.wait_s(wanted, least)
                    if wait_s > SOON_S or self.standing is Standing.WITHOUT:
                        return 0
                    await asyncio.sleep(wait_s)
                return taken
        except TimeoutError:
            return 0
        finally:
            self.member.wait(self._clock(), 0)  # nothing is wanted any more

    def take(self, wanted: int = 1, least: int = 1) -> int:
        """Use up to ``wanted`` calls, to be made at once. 0: there are fewer than ``least`` now."""
        return self.member.take(self._clock(), wanted, least)

    def lower(self, left: int) -> None:
        """The channel says that no more than ``left`` calls are left: so it is for all sinks, from now on."""
        self.member.lower(self._clock(), left)
        self._due.set()

    def ended(self) -> None:
        """The call that was taken is over."""
        self.member.ended(self._clock())
        self._due.set()

    def refused(self, retry_after_s: float) -> None:
        """The channel refused a call as too fast, and asked to wait: all sinks slow down."""
        self.member.refused(self._clock(), int(retry_after_s * SECOND))
        self._due.set()

    def _require_contact(self) -> None:
        if self._task is not None and self._task.done():
            self._task.result()

    async def _keep_in_touch(self) -> None:
        rest_s = SHORTEST_REST_S
        while not self._closing.is_set():
            try:
                await self.store.connect()
                await self._converse()
            except STORE_FAILURES as error:
                self._why = named(error)
                rest_s = SHORTEST_REST_S if self.member.shared else min(2 * rest_s, LONGEST_REST_S)
                self.member.failed(self._clock())
                await self.store.drop()
                self._say()
                await within(rest_s, self._closing)

    async def _converse(self) -> None:
        """Ask whenever there is something to ask, until the store fails or we close."""
        while not self._closing.is_set():
            self._due.clear()
            now = self._clock()
            request = self.member.request(now)
            if request is None:
                await within((self.member.next_at(now) - now) / SECOND, self._due)
                continue
            answer = await self.store.ask(request)
            if answer.status is Status.LATE:
                raise TimeoutError("the request arrived when it was void")
            if answer.status is Status.SERVED:
                self.member.answered(self._clock(), Reply(answer.granted, answer.wait, answer.share))
            else:
                self.member.turned_away()
                self._why = f"it says {answer.status.name}"
                await within(LONGEST_REST_S, self._closing)
            self._say()

    def _say(self) -> None:
        """Log each change once."""
        standing = self.standing
        if standing is self._said:
            return
        self._said = standing
        if standing is Standing.SHARED:
            log.info(_TOLD[standing], self._account)
        else:
            log.warning(_TOLD[standing], self._account, self._why)
