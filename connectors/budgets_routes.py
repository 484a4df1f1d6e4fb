"""The routes of a channel account whose limits all sinks share: a budget of its own for each."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.budgets import SharedBudget


class SharedMeters:
    """``RouteMeters`` over shared budgets, which somebody else opens and closes."""

    def __init__(self, budgets: Mapping[str, SharedBudget]) -> None:
        self._budgets = budgets

    def wait_s(self, route: str) -> float:
        """Seconds until there will be a token, unless others take it first."""
        return self._budgets[route].likely_s()

    async def take(self, route: str, wanted: int = 1, least: int = 1) -> int:
        """Lease tokens and use them."""
        return await self._budgets[route].take_soon(wanted, least)

    def lower(self, route: str, left: int) -> None:
        """No sink of the account makes more calls than that, from now on."""
        self._budgets[route].lower(left)

    def refused(self, route: str, wait_s: float) -> None:
        """All sinks of the account slow down."""
        self._budgets[route].refused(wait_s)
