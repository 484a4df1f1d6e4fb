"""A shared budget around a channel's sink: every call takes a token at the moment it is made.

Delivery asks for the wait before it chooses a batch; until the batch is sent the token may have grown too old.
Then nothing is sent, and delivery chooses anew, with the most urgent values of that moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from connectors.budgets import SharedBudget
from connectors.channels.base import ChannelSink, Limits, Outcome, Result, Update, refusal_s, same_answer

NO_TOKEN = "NO_TOKEN"


class Shared(Protocol):
    """A limit that is shared with others while its store answers."""

    @property
    def degraded(self) -> bool:
        """Whether it is not shared at the moment."""
        ...


class SharedBucket:
    """The budget as delivery asks for it. Tokens are taken and refusals told by ``BudgetedSink``.

    ``others``: those of other routes, and other limits, which are degraded together with it.
    """

    def __init__(self, budget: SharedBudget, *others: Shared) -> None:
        self._budget = budget
        self._all = (budget, *others)

    @property
    def degraded(self) -> bool:
        """Whether one of the limits is not shared at the moment."""
        return any(budget.degraded for budget in self._all)

    def wait_s(self, now: float, wanted: int = 1) -> float:
        """Seconds until asking again is worth it; 0 when there is a token."""
        return self._budget.wait_s(wanted)

    def take(self, now: float) -> None:
        """Left to the sink, which sends."""

    def empty(self, now: float) -> None:
        """Left to the sink, which knows for how long."""


class BudgetedSink:
    """A sink that opens and closes the budgets with itself, and makes no call without a token of the first."""

    def __init__(self, sink: ChannelSink, budget: SharedBudget, *others: SharedBudget) -> None:
        self._sink = sink
        self._budget = budget
        self._all = (budget, *others)

    @property
    def limits(self) -> Limits:
        """What one call may carry."""
        return self._sink.limits

    async def open(self) -> None:
        """Open all. Raises ``ChannelUnusable``."""
        await self._sink.open()
        for budget in self._all:
            await budget.open()

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        """Make one attempt with what there are tokens for; the rest is answered LATER."""
        each = self.limits.each
        calls = 0
        while calls < (len(batch) if each else 1) and self._budget.take():
            calls += 1
        if calls == 0:
            return same_answer(batch, Outcome.LATER, NO_TOKEN)
        carried = batch[:calls] if each else batch
        try:
            results = await self._sink.send(carried)
        finally:
            self._budget.ended()
        asked = refusal_s(results)
        if asked is not None:
            self._budget.refused(asked)
        return [*results, *same_answer(batch[len(carried) :], Outcome.LATER, NO_TOKEN)]

    async def close(self) -> None:
        """Close all; the sink first, because who gives its share back makes no more calls."""
        await self._sink.close()
        await asyncio.gather(*(budget.close() for budget in self._all))
