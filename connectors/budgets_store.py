"""The connection of one member to the store of shared budgets: one request at a time.

Of another run of the server (``connectors.budgets_connection``) the bucket must count as empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from connectors.budgets_connection import StoreConnection
from connectors.budgets_script import MAX_PARTS, Answer, Script, Status, script
from domain.facts import SECOND, Micros
from domain.gcra import LARGEST_BURST
from domain.limits import CallBudget
from domain.limits_member import Request, Terms


class BudgetStore(StoreConnection):
    """Asks for one account and member. ``clock`` gives monotonic microseconds; ``timeout_s`` bounds each exchange.

    Raises ``ValueError``: the URL is none of redis://, rediss://, unix://.
    """

    def __init__(
        self,
        url: str,
        key: str,
        name: str,
        life: str,
        budget: CallBudget,
        terms: Terms,
        timeout_s: float,
        clock: Callable[[], Micros],
        told: Script | None = None,
    ) -> None:
        super().__init__(url, timeout_s, told or script())
        self._key, self._name, self._life = key, name, life
        self._clock = clock
        parts = min(budget.parts, MAX_PARTS)
        self._terms = (
            *(terms.use_within, terms.silent_after, terms.alone_after, terms.forget_after, parts, budget.serial),
            *(number for meter in budget.meters for number in meter),
        )
        self._server_at: tuple[Micros, Micros] = (0, 0)

    async def connect(self) -> None:
        """Connect, and ask which run of the server it is and what time: so it answers, and clocks are compared.

        Raises one of ``STORE_FAILURES``.
        """
        await self.drop()
        async with asyncio.timeout(self._timeout_s):
            await self._dial()
            seconds, micros = await self._exchange("TIME")
        self._server_at = int(seconds) * SECOND + int(micros), self._clock()

    async def ask(self, request: Request) -> Answer:
        """Carry out a request: one round trip, and a second one only if the server does not know the script.

        Raises one of ``STORE_FAILURES``; the request may then have been carried out, until ``void_after``.
        """
        server, received = self._server_at
        arguments = (
            *(self._key, "lease", self._name, self._life, self._run),
            *(request.wanted, server + request.void_after - received),
            *(request.holds, int(self._fresh), int(request.refused), request.retry_after, int(request.calling)),
            *(request.least, -1 if request.left is None else min(request.left, LARGEST_BURST)),
            *self._terms,
        )
        async with asyncio.timeout(self._timeout_s):
            answer = _answer(await self._evaluate(arguments))
        if answer.status is Status.SERVED:
            self._fresh, self._last_run = False, self._run
            self._server_at = answer.now, self._clock()
        return answer

    async def leave(self) -> None:
        """Give the share back at once. Only for somebody who makes no more calls.

        Raises one of ``STORE_FAILURES``; the share is then set aside until it is forgotten.
        """
        if self._connection is None:
            await self.connect()
        async with asyncio.timeout(self._timeout_s):
            nothing = (0, 0, 0, int(self._fresh), 0, 0, 0, 0, -1)
            await self._evaluate((self._key, "leave", self._name, self._life, self._run, *nothing, *self._terms))


def _answer(reply: Any) -> Answer:
    try:
        status, *numbers = (int(number) for number in reply)
        return Answer(Status(status), *numbers)
    except (TypeError, ValueError) as error:
        raise RedisError("the store answered something else than the budget's script does") from error
