"""Which ranges of which partition were handed out, are being handled, were applied, were committed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from faust.types import TP

from streams.data_plane.batch import Batch


class Applied(NamedTuple):
    """Records that were applied since the last epoch, and their size in bytes as they were fetched."""

    records: int
    size: int


_NOTHING = Applied(0, 0)


class _Partition:
    __slots__ = ("applied", "committed", "delivered", "open")

    def __init__(self, position: int | None) -> None:
        self.delivered = position  # next offset expected from the broker; None: wherever the log begins
        self.applied = position  # everything before it was applied
        self.committed = position
        self.open: deque[Batch] = deque()


class Ledger:
    """Offsets of the current assignment. Event loop only.

    A batch counts as applied when every batch before it in its partition is, so the committable offset never
    passes a batch that is still being handled.
    """

    def __init__(self) -> None:
        self.token = 0
        self.records_open = 0
        self.applied = _NOTHING
        self._partitions: dict[TP, _Partition] = {}
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._giving_up = asyncio.Event()

    def start(self, positions: Mapping[TP, int | None]) -> int:
        """Begin an assignment at these positions (None: no committed offset); returns its token."""
        self.stop()
        self._giving_up = asyncio.Event()
        self._partitions = {tp: _Partition(position) for tp, position in positions.items()}
        return self.token

    def stop(self) -> None:
        """End the assignment: what was not applied will be delivered again."""
        self.token += 1
        self._giving_up.set()
        self._partitions = {}
        self.records_open = 0
        self.applied = _NOTHING

    def expected(self, tp: TP) -> int | None:
        """Next offset expected from the broker, None if there was no committed offset."""
        return self._partitions[tp].delivered

    def is_current(self, batch: Batch) -> bool:
        """Whether the batch belongs to the running assignment."""
        return batch.token == self.token

    def deliver(self, batch: Batch) -> None:
        """The batch goes to an agent's queue."""
        partition = self._partitions[batch.tp]
        partition.delivered = batch.next
        partition.open.append(batch)
        batch.watch(lambda: self._giving_up)
        self.records_open += len(batch)

    def skip(self, tp: TP, offset: int) -> None:
        """The log has no records before ``offset``: markers and compacted records count as applied."""
        partition = self._partitions[tp]
        partition.delivered = offset
        if not partition.open:
            partition.applied = offset

    def begin(self, batch: Batch) -> None:
        """An agent took the batch."""
        self._busy += 1
        self._idle.clear()

    def end(self, batch: Batch) -> None:
        """The agent let go of the batch, applied or not."""
        self._busy -= 1
        if self._busy == 0:
            self._idle.set()

    def finish(self, batch: Batch) -> bool:
        """The batch was applied. False if it belongs to an earlier assignment."""
        if batch.token != self.token or batch.done:
            return False
        batch.done = True
        self.records_open -= len(batch)
        self.applied = Applied(self.applied.records + len(batch), self.applied.size + batch.size)
        partition = self._partitions[batch.tp]
        while partition.open and partition.open[0].done:
            partition.applied = partition.open.popleft().next
        if not partition.open:
            partition.applied = partition.delivered
        return True

    def committable(self) -> dict[TP, int]:
        """Offsets beyond the committed ones up to which everything was applied; starts a new count of what was."""
        self.applied = _NOTHING
        return {
            tp: partition.applied
            for tp, partition in self._partitions.items()
            if partition.applied is not None and partition.applied != partition.committed
        }

    def committed(self, offsets: Mapping[TP, int]) -> None:
        """These offsets are in the group's log."""
        for tp, offset in offsets.items():
            if tp in self._partitions:
                self._partitions[tp].committed = offset

    def positions(self) -> dict[TP, int | None]:
        """Committed offset by partition."""
        return {tp: partition.committed for tp, partition in self._partitions.items()}

    def is_waiting(self, tp: TP) -> bool:
        """Whether the agent that holds the partition's first batch waits for an outage to end."""
        queue = self._partitions[tp].open
        return bool(queue) and queue[0].waiting

    def give_up(self) -> None:
        """Ask agents that wait for an outage to let go."""
        self._giving_up.set()

    async def wait_idle(self, timeout_s: float) -> bool:
        """Wait until no agent has a batch in hand; False if that took too long."""
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            return False
        return True
