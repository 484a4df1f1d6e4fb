"""A shared budget around reading back: each read takes a token of single calls, as each attempt does."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.budgets import SharedBudget
from connectors.budgets_sink import NO_TOKEN
from connectors.channels.reading import ReadsBack, Shown, Unread


class BudgetedReads:
    """A sink's reads; none is made without a token of the budget."""

    def __init__(self, reads: ReadsBack, budget: SharedBudget) -> None:
        self._reads = reads
        self._budget = budget

    @property
    def most_read(self) -> int:
        """How many listings one call can ask for."""
        return self._reads.most_read

    async def shown(self, listings: Sequence[str]) -> Shown | Unread:
        """Read, if there is a token now."""
        if not self._budget.take():
            return Unread(NO_TOKEN, called=False)
        try:
            shown = await self._reads.shown(listings)
        finally:
            self._budget.ended()
        if isinstance(shown, Unread) and shown.retry_after_s is not None:
            self._budget.refused(shown.retry_after_s)
        return shown
