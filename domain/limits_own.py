"""The budget of a process that shares it with nobody: the same meters as a shared one, full at first."""

from __future__ import annotations

from dataclasses import dataclass, field

from domain.facts import Micros
from domain.gcra import Gcra, Slowdown
from domain.limits import CallBudget


@dataclass(slots=True)
class OwnBudget:
    """Times are monotonic microseconds. One call at a time is left to the process: one task of it calls."""

    budget: CallBudget
    _arrivals: list[Micros] | None = field(init=False, default=None)
    _slowdown: Slowdown = field(init=False, default_factory=Slowdown)
    _not_before: Micros = field(init=False, default=0)

    def wait(self, now: Micros, calls: int = 1) -> Micros:
        """Microseconds until so many calls are allowed at once (all there can be, if fewer); 0: they are now."""
        waits = [meter.wait(at, now, min(calls, meter.burst)) for meter, at in self._meters(now)]
        return max(0, self._not_before - now, *waits)

    def take(self, now: Micros, wanted: int = 1, least: int = 1) -> int:
        """Use up to ``wanted`` calls, to be made at once. 0: there are fewer than ``least`` now."""
        if self.wait(now, least) > 0:
            return 0
        meters = self._meters(now)
        taken = min(meter.take(at, now, wanted)[0] for meter, at in meters)
        self._arrivals = [meter.take(at, now, taken)[1] for meter, at in meters]
        return taken

    def lower(self, now: Micros, left: int) -> None:
        """The channel says that no more than ``left`` calls are left: so be it, and never more."""
        meters = zip(self.budget.meters, self._meters(now), strict=True)
        self._arrivals = [meter.lowered(at, now, left) for meter, (_, at) in meters]

    def refused(self, now: Micros, retry_after: Micros = 0) -> None:
        """The channel refused a call as too fast: nothing is left, and the rate is halved for a while."""
        self._arrivals = [meter.emptied(at, now) for meter, at in self._meters(now)]
        self._slowdown = self._slowdown.refused(now)
        self._not_before = max(self._not_before, now + retry_after)

    def _meters(self, now: Micros) -> list[tuple[Gcra, Micros]]:
        if self._arrivals is None:
            self._arrivals = [now] * len(self.budget.meters)
        factor = self._slowdown.now(now)
        return [(meter.slowed(factor), at) for meter, at in zip(self.budget.meters, self._arrivals, strict=True)]
