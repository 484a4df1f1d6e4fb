"""How fast a count grows."""

from __future__ import annotations

from collections import deque


class Meter:
    """The rate of a growing count over the last ``window_s`` seconds."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._readings: deque[tuple[float, float]] = deque()

    def add(self, now: float, count: float) -> None:
        """The count at ``now`` (seconds, growing)."""
        self._readings.append((now, count))
        while len(self._readings) > 2 and self._readings[1][0] <= now - self._window_s:
            self._readings.popleft()

    @property
    def rate(self) -> float:
        """Growth per second between the oldest and newest reading of the window; 0 with fewer than two."""
        if len(self._readings) < 2:
            return 0.0
        (first_at, first), (last_at, last) = self._readings[0], self._readings[-1]
        return max(0.0, (last - first) / (last_at - first_at)) if last_at > first_at else 0.0
