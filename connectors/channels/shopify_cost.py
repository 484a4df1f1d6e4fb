"""Shopify's bucket of query costs, as its last answer told it.

Source: shopify.dev, "Shopify API limits": a query needs its requested cost in the bucket, is given back what it
did not use, and the bucket fills at ``restoreRate`` points a second. Every answer tells in ``extensions.cost``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

FIRST_MUTATION_COST = 10.0
"""A mutation costs 10 points until an answer says otherwise ("Shopify API limits")."""


class Told(NamedTuple):
    """Points that are left after a query, and what it cost; None where an answer does not say that."""

    available: float
    requested: float | None


@dataclass(slots=True)
class CostBucket:
    """Points left, carried forward in time. ``now`` is monotonic seconds. No bound before the first answer."""

    mutation_cost: float = FIRST_MUTATION_COST
    _available: float = field(default=float("inf"))
    _maximum: float = field(default=float("inf"))
    _restore_per_s: float = 0.0
    _told_at: float = 0.0

    def wait_s(self, cost: float, now: float) -> float:
        """Seconds until this cost is in the bucket; a cost that never fits waits for a full one."""
        lacking = min(cost, self._maximum) - self.left(now)
        if lacking <= 0:
            return 0.0
        return lacking / self._restore_per_s

    def learn(self, answer: dict[str, Any], now: float) -> Told | None:
        """Take over what an answer tells, and return it; None when it tells nothing."""
        cost = _object(_object(answer, "extensions"), "cost")
        status = _object(cost, "throttleStatus")
        numbers = [_number(status.get(name)) for name in ("currentlyAvailable", "maximumAvailable", "restoreRate")]
        available, maximum, restore = numbers
        if available is None or maximum is None or restore is None or restore <= 0:
            return None
        self._available, self._maximum, self._restore_per_s, self._told_at = available, maximum, restore, now
        return Told(available, _number(cost.get("requestedQueryCost")))

    def left(self, now: float) -> float:
        """Points that are left; infinite before the first answer."""
        return min(self._maximum, self._available + (now - self._told_at) * self._restore_per_s)


def _object(outer: dict[str, Any], name: str) -> dict[str, Any]:
    inner = outer.get(name)
    return inner if isinstance(inner, dict) else {}


def _number(value: object) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12
    return float(value) if usable and isinstance(value, int | float) else None
