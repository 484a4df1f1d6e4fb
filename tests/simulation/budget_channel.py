"""A channel that keeps a bucket of its own, which others use too, and says with each answer what is left."""

from __future__ import annotations

from dataclasses import dataclass, field

from domain.facts import Micros
from domain.gcra import Gcra


@dataclass
class ChannelBucket:
    """Full at first. ``short`` are the times at which it was asked for more than it held."""

    meter: Gcra
    short: list[Micros] = field(default_factory=list)
    _arrival: Micros = 0

    def spend(self, now: Micros, tokens: int) -> int:
        """A call is paid for, or refused. Returns how many tokens are left."""
        granted, arrival = self.meter.take(self._arrival, now, tokens)
        if granted < tokens:
            self.short.append(now)
        else:
            self._arrival = arrival
        return self._left(now)

    def others(self, now: Micros, tokens: int) -> None:
        """Somebody who knows nothing of our budget spends so many, as far as they are there."""
        self._arrival = self.meter.take(self._arrival, now, tokens)[1]

    def _left(self, now: Micros) -> int:
        return self.meter.take(self._arrival, now, self.meter.burst)[0]
