"""The agents' one loop: take a batch, and wait out what only time can mend."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from agents.intake import Intake
from agents.ports import Incoming
from domain.facts import Micros
from schemas.codec import SchemaNotLoaded

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0
RECORDS_PER_TURN = 200
"""Records taken before others get their turn: a few milliseconds."""


class SchemasUnavailable(Exception):
    """The schema registry does not answer; trying again later may help."""


class IncomingBatch(Protocol):
    """Records of one partition of one topic, in offset order."""

    records: Sequence[Incoming]

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Within it nobody else changes the state, and no epoch takes it."""

    async def wait(self, seconds: float) -> None:
        """Sleep, unless the partition is being given up."""


LoadSchema = Callable[[SchemaNotLoaded], Awaitable[None]]


async def take_batch(
    intake: Intake, topic: str, batch: IncomingBatch, load: LoadSchema, clock: Callable[[], Micros]
) -> None:
    """Take every record of a batch. A schema seen for the first time is loaded; an outage is waited out."""
    start = 0
    while start < len(batch.records):
        async with batch.turn():
            received = intake.receive(topic, batch.records[start : start + RECORDS_PER_TURN], 0, clock())
        start += received.next
        if received.missing is not None:
            await _load(received.missing, batch, load)


async def _load(missing: SchemaNotLoaded, batch: IncomingBatch, load: LoadSchema) -> None:
    pause = FIRST_PAUSE_S
    while True:
        try:
            await load(missing)
            return
        except SchemasUnavailable:
            await batch.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
