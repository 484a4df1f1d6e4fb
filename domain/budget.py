"""A token bucket as a value: how many channel calls an account may make by now, in exact integers."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from domain.facts import SECOND, Micros


class TokenBucket(NamedTuple):
    """``rate_per_s`` tokens a second up to ``burst``; one token is one call.

    ``level`` is the fill at ``at``, counted in shares of 1 / (rate denominator x 1,000,000) token, so that a
    microsecond adds a whole number of shares whatever the rate is and nothing is ever rounded.
    """

    rate_per_s: Fraction
    burst: int
    level: int
    at: Micros

    @classmethod
    def filled(
        cls, rate_per_s: Fraction, burst: int, at: Micros, tokens: Fraction | int | None = None
    ) -> TokenBucket:
        """A bucket that holds ``tokens`` (at most ``burst``, and that by default) at ``at``."""
        per_token = _shares_per_token(rate_per_s)
        held = burst if tokens is None else max(0, min(tokens, burst))
        return cls(rate_per_s, burst, int(held * per_token), at)

    def take(self, now: Micros, wanted: int, keep: int = 0) -> tuple[int, TokenBucket]:
        """Grant up to ``wanted`` calls at ``now``, leaving at least ``keep`` tokens; and the bucket after it.

        ``keep = burst - 1`` grants only what would otherwise overflow: the spare budget. A ``now`` before the
        bucket's own time adds nothing and takes from what is there.
        """
        per_token = _shares_per_token(self.rate_per_s)
        level = self._level(now)
        granted = max(0, min(wanted, level // per_token - keep))
        return granted, self._replace(level=level - granted * per_token, at=max(now, self.at))

    def set_back(self, now: Micros) -> TokenBucket:
        """The bucket after the clock was set back to ``now``: it holds what it held, and fills from ``now`` on."""
        return self._replace(at=min(self.at, now))

    def next_at(self, tokens: int = 1) -> Micros | None:
        """When the bucket will hold that many tokens (its own time, if it already does); None: never."""
        lacking = tokens * _shares_per_token(self.rate_per_s) - self.level
        if lacking <= 0:
            return self.at
        if self.rate_per_s <= 0 or tokens > self.burst:
            return None
        return self.at - (-lacking // self.rate_per_s.numerator)

    def changed(self, rate_per_s: Fraction, burst: int, now: Micros) -> TokenBucket:
        """The bucket under another rate and burst from ``now`` on; it keeps the tokens that still fit."""
        tokens = Fraction(self._level(now), _shares_per_token(self.rate_per_s))
        return TokenBucket.filled(rate_per_s, burst, max(now, self.at), tokens)

    def _level(self, now: Micros) -> int:
        gained = self.rate_per_s.numerator * max(0, now - self.at)
        return min(self.level + gained, self.burst * _shares_per_token(self.rate_per_s))


def _shares_per_token(rate_per_s: Fraction) -> int:
    return rate_per_s.denominator * SECOND
