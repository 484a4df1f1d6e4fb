"""A connection to the store of shared limits: Redis or Valkey, one exchange at a time.

Nothing reconnects behind our back: a new connection may lead to another server, which may not know what the last
one was told. The server tells which run of it this is; where it does not, every new connection counts as one to
another server.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from connectors.budgets_script import Script

STORE_FAILURES = (RedisError, OSError, TimeoutError)


class StoreConnection:
    """Runs one script. ``timeout_s`` is for the socket; callers bound each exchange as a whole.

    Raises ``ValueError``: the URL is none of redis://, rediss://, unix://.
    """

    def __init__(self, url: str, timeout_s: float, script: Script) -> None:
        self._pool = ConnectionPool.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )
        self._timeout_s = timeout_s
        self._script = script
        self._connection: AbstractConnection | None = None
        self._run = ""
        self._last_run: str | None = None
        self._fresh = True
        self.round_trips = 0

    async def drop(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def _dial(self) -> None:
        """Connect, and ask which run of the server it is. ``_fresh``: maybe another than ``_last_run``."""
        # redis-py leaves this method without annotations.
        connection = self._connection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        await connection.connect()
        self._run = await self._run_of_server()
        self._fresh = not self._run or self._last_run not in (None, self._run)

    async def _run_of_server(self) -> str:
        try:
            told = await self._exchange("INFO", "server")
        except ResponseError:
            return ""  # not allowed to ask
        found = re.search(rb"^run_id:(\w+)", told, re.MULTILINE) if isinstance(told, bytes) else None
        return found[1].decode() if found else ""

    async def _evaluate(self, arguments: tuple[object, ...], keys: int = 1) -> Any:
        """Run the script; a second round trip only if the server does not know it."""
        try:
            return await self._exchange("EVALSHA", self._script.sha, keys, *arguments)
        except NoScriptError:
            return await self._exchange("EVAL", self._script.text, keys, *arguments)

    async def _exchange(self, *command: object) -> Any:
        connection = self._connection
        if connection is None or not connection.is_connected:
            raise ConnectionResetError("the connection to the store is closed")
        self.round_trips += 1
        await connection.send_command(*command)
        return await connection.read_response()


async def within(seconds: float, event: asyncio.Event) -> None:
    """Wait for the event, not longer than so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def named(error: Exception) -> str:
    """What failed, without texts that could hold the URL and its password."""
    return type(error).__name__
