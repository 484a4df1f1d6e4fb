"""The value of a stream event: the records of one fetch of one partition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import NamedTuple, Protocol

from faust.types import TP

from streams.data_plane.priority import Standing
from streams.data_plane.turns import Turns


class Record(Protocol):
    """What a batch holds; ``confluent_kafka.Message`` is one (and can be constructed in tests)."""

    def key(self) -> bytes | None:
        """Key as produced."""

    def value(self) -> bytes | None:
        """Value as produced; None is a tombstone."""

    def headers(self) -> list[tuple[str, bytes]] | None:
        """Headers as produced."""

    def timestamp(self) -> tuple[int, int]:
        """Kind of time stamp and milliseconds since the epoch."""

    def offset(self) -> int:
        """Offset within the partition."""


class BatchAbandoned(Exception):
    """Raised by ``Batch.wait`` when the partition is being given up; the batch will be delivered again."""


class Batch:
    """Records of one partition, in offset order; acknowledged as a range, never record by record.

    ``next`` is the offset that will follow; ``behind`` is how many records the log held after the batch when it
    was fetched. ``token`` names the assignment that fetched it: batches of an earlier one are never handed out.
    """

    __slots__ = (
        "__weakref__",
        "_given_up",
        "_turns",
        "abandoned",
        "behind",
        "done",
        "first",
        "last",
        "next",
        "records",
        "size",
        "token",
        "tp",
        "waiting",
    )

    def __init__(self, tp: TP, records: Sequence[Record], size: int, token: int, behind: int = 0) -> None:
        self.tp = tp
        self.records = records
        self.size = size
        self.token = token
        self.behind = behind
        self.first = records[0].offset()
        self.last = records[-1].offset()
        self.next = self.last + 1
        self.done = False
        self.abandoned = False
        self.waiting = False
        self._given_up: Callable[[], asyncio.Event] | None = None
        self._turns: tuple[Turns, bool] | None = None

    def __len__(self) -> int:
        return len(self.records)

    def trim(self, offset: int) -> bool:
        """Leave out records before this offset; False if none is left. The size stays what it was fetched as."""
        self.records = [record for record in self.records if record.offset() >= offset]
        if self.records:
            self.first = self.records[0].offset()
        return bool(self.records)

    def join(self, later: Batch) -> None:
        """Take up the records of the batch that follows in the same partition."""
        self.records = [*self.records, *later.records]
        self.size += later.size
        self.behind = later.behind
        self.last, self.next = later.last, later.next

    def watch(self, given_up: Callable[[], asyncio.Event]) -> None:
        """Tell the batch how it learns that its partitions are being given up."""
        self._given_up = given_up

    def line_up(self, turns: Turns, urgent: bool) -> None:
        """Tell the batch where its handler gets its turns."""
        self._turns = turns, urgent

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Where a handler changes the state: ``async with batch.turn():``, for milliseconds, no ``await`` within.

        Other batches and the event loop get their turns before the next one begins, and no epoch is collected
        during one.
        """
        if self._turns is None:
            return nullcontext()
        return self._turns[0].applying(self.standing)

    def standing(self, passed_over: int) -> Standing:
        """How urgent the batch is after others were preferred so many times."""
        urgent = self._turns is not None and self._turns[1]
        return Standing(urgent, self.records[0].timestamp()[1], self.behind, passed_over)

    async def wait(self, seconds: float) -> None:
        """Sleep while an outage lasts; for a handler's back-off loop.

        Raises ``BatchAbandoned`` when the partitions are to be given up meanwhile, so that an outage of, say, the
        schema registry never holds up a rebalance; and tells the watchdog that we wait on purpose.
        """
        if self._given_up is None:
            await asyncio.sleep(seconds)
            return
        self.waiting = True
        try:
            await asyncio.wait_for(self._given_up().wait(), timeout=seconds)
        except TimeoutError:
            return
        finally:
            self.waiting = False
        self.abandoned = True
        raise BatchAbandoned(f"{self.tp.topic}[{self.tp.partition}] {self.first}..{self.last}")


class End(NamedTuple):
    """The end of a partition was reached: there is no record before ``offset`` that was not handed out."""

    tp: TP
    offset: int


Fetched = Batch | End
