"""The connection of one life to the store of shared revisions: many listings in one round trip."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

from redis.exceptions import RedisError

from connectors.budgets_connection import StoreConnection
from connectors.revisions_script import script
from domain.facts import Micros
from domain.limits_sharing import Answers, Question, Told, Verdict

LONGEST_EXPIRY_S = 2 * 86_400


class RevisionStore(StoreConnection):
    """Asks for one account and life. ``room``: how many listings may have counts in a day. Safe for several tasks.

    Raises ``ValueError``: the URL is none of redis://, rediss://, unix://.
    """

    def __init__(self, url: str, account: str, life: str, room: int, timeout_s: float) -> None:
        super().__init__(url, timeout_s, script())
        self._prefix = f"atstream:revisions:{{{account}}}"
        self._life = life
        self._room = room
        self._busy = asyncio.Lock()

    async def connect(self) -> bool:
        """Connect. Returns whether this may be another run of the server than the last one.

        Raises one of ``STORE_FAILURES``.
        """
        async with self._busy:
            await self.drop()
            async with asyncio.timeout(self._timeout_s):
                await self._dial()
            another, self._last_run = self._fresh, self._run
            return another

    async def ask(self, day: int, expires: Micros, questions: Mapping[str, Question]) -> Answers:
        """Tell what is known and ask for revisions, all at once. ``expires``: how much longer the day is of use.

        Raises one of ``STORE_FAILURES``; it may then have been done, or be done later. Asking again does no harm.
        """
        arguments: list[object] = [self._key(day), *(self._key(day, listing) for listing in questions)]
        keys = len(arguments)
        expires_ms = max(1, min(expires // 1000, LONGEST_EXPIRY_S * 1000))
        arguments += [self._life, secrets.token_hex(8), expires_ms, self._room]
        for question in questions.values():
            arguments += [question.target, question.most, len(question.known)]
            for life, count in question.known.items():
                arguments += [life, count]
        async with asyncio.timeout(self._timeout_s), self._busy:
            reply = await self._evaluate(tuple(arguments), keys)
        return _answers(reply, list(questions))

    def _key(self, day: int, listing: str | None = None) -> str:
        return f"{self._prefix}:{day}" if listing is None else f"{self._prefix}:{day}:{listing}"


def _answers(reply: Any, listings: list[str]) -> Answers:
    try:
        epoch, *rows = reply
        told = {}
        for listing, (verdict, *flat) in zip(listings, rows, strict=True):
            lives = (life.decode() for life in flat[::2])
            counts = dict(zip(lives, (int(count) for count in flat[1::2]), strict=True))
            told[listing] = Told(Verdict(int(verdict)), counts)
        return Answers(epoch.decode(), told)
    except (AttributeError, TypeError, ValueError) as error:
        raise RedisError("the store answered something else than the script of revisions does") from error
