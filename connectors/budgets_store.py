"""The connection of one member to the store of shared budgets: Redis or Valkey, one request at a time.

Nothing reconnects behind our back: a new connection may lead to another server, whose bucket must count as empty.
The server tells which run of it this is; where it does not, every new connection counts as one to another server.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from connectors.budgets_script import MAX_PARTS, Answer, Script, Status, script
from domain.facts import SECOND, Micros
from domain.gcra import LARGEST_BURST
from domain.limits import CallBudget
from domain.limits_member import Request, Terms

STORE_FAILURES = (RedisError, OSError, TimeoutError)


class BudgetStore:
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
        self._pool = ConnectionPool.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )
        self._key, self._name, self._life = key, name, life
        self._timeout_s = timeout_s
        self._clock = clock
        self._script = told or script()
        parts = min(budget.parts, MAX_PARTS)
        self._terms = (
            *(terms.use_within, terms.silent_after, terms.alone_after, terms.forget_after, parts, budget.serial),
            *(number for meter in budget.meters for number in meter),
        )
        self._connection: AbstractConnection | None = None
        self._run = ""
        self._last_run: str | None = None
        self._fresh = True
        self._server_at: tuple[Micros, Micros] = (0, 0)
        self.round_trips = 0

    async def connect(self) -> None:
        """Connect, and ask which run of the server it is and what time: so it answers, and clocks are compared.

        Raises one of ``STORE_FAILURES``.
        """
        await self.drop()
        async with asyncio.timeout(self._timeout_s):
            # redis-py leaves this method without annotations.
            connection = self._connection = self._pool.make_connection()  # type: ignore[no-untyped-call]
            await connection.connect()
            self._run = await self._run_of_server()
            self._fresh = not self._run or self._last_run not in (None, self._run)
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

    async def drop(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def _run_of_server(self) -> str:
        try:
            told = await self._exchange("INFO", "server")
        except ResponseError:
            return ""  # not allowed to ask
        found = re.search(rb"^run_id:(\w+)", told, re.MULTILINE) if isinstance(told, bytes) else None
        return found[1].decode() if found else ""

    async def _evaluate(self, arguments: tuple[object, ...]) -> Any:
        try:
            return await self._exchange("EVALSHA", self._script.sha, 1, *arguments)
        except NoScriptError:
            return await self._exchange("EVAL", self._script.text, 1, *arguments)

    async def _exchange(self, *command: object) -> Any:
        connection = self._connection
        if connection is None or not connection.is_connected:
            raise ConnectionResetError("the connection to the store is closed")
        self.round_trips += 1
        await connection.send_command(*command)
        return await connection.read_response()


def _answer(reply: Any) -> Answer:
    try:
        status, *numbers = (int(number) for number in reply)
        return Answer(Status(status), *numbers)
    except (TypeError, ValueError) as error:
        raise RedisError("the store answered something else than the budget's script does") from error
