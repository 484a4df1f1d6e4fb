"""A usage plan as Amazon writes it: so many calls a second, and so many at once."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class UsagePlan:
    """``rate`` calls a second, at most ``burst`` at once. ``now`` is seconds of one clock."""

    rate: float
    burst: float
    filled_at: float = 0.0
    tokens: float = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = self.burst

    def allows(self, now: float) -> bool:
        """Whether a call is within the plan; one that is uses it up."""
        self.tokens = min(self.burst, self.tokens + (now - self.filled_at) * self.rate)
        self.filled_at = now
        # Tokens come in fractions: what is a whole one but for rounding is a whole one.
        if self.tokens < 1 - 1e-6:
            return False
        self.tokens -= 1
        return True
