"""Listings that are planned anew step by step, because other rules hold or the clock was set back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

STEPS_PER_TICK = 20
"""Of each channel in one epoch, so that an epoch stays short."""


class Adoptions:
    """What is still to be planned anew, by channel. False when there is nothing."""

    def __init__(self) -> None:
        self._steps: dict[str, Iterator[None]] = {}

    def __bool__(self) -> bool:
        return bool(self._steps)

    def begin(self, channel: str, steps: Iterator[None]) -> None:
        """Take up what plans the listings of a channel anew, from its first one on."""
        self._steps[channel] = steps

    def forget(self, channel: str) -> None:
        """The channel is gone."""
        self._steps.pop(channel, None)

    def go_on(self) -> Iterator[None]:
        """Some steps of each channel; something else may be done after each of them."""
        for channel, steps in list(self._steps.items()):
            for _ in islice(steps, STEPS_PER_TICK):
                yield
            if next(steps, self) is self:
                del self._steps[channel]
