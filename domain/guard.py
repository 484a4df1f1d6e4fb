"""The measured guard: units likely to be sold before a channel has taken in a new quantity (semantics section 5).

Sales during the channel's acknowledgement latency are taken as Poisson. The guard widens by itself when a
channel is slow, throttled or lagging, and shrinks back when it recovers.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, exp, lgamma, log, sqrt

from domain.facts import SECOND, Micros

HOUR: Micros = 3600 * SECOND

HIGHEST_SERVICE_LEVEL = 1 - 1e-9
"""No finite guard serves 100 %; what is asked beyond this level is served at this level."""

_LARGEST_SUMMED_MEAN = 1e6
_TAIL_DEVIATIONS = 12.0  # below mean - 12 deviations lies less than 1e-30 of the probability: nothing a float sees


def measured_guard(units_per_hour: Fraction, p95_latency: Micros, service_level: Fraction) -> int:
    """The smallest q with P(Poisson(velocity x latency) <= q) >= service level, in units.

    ``units_per_hour`` is the channel's sales velocity of the SKU, ``p95_latency`` how long the channel takes to
    acknowledge in 95 of 100 cases (microseconds), ``service_level`` a probability below 1. A dead item (or a
    channel without latency) needs 0.
    """
    mean = float(units_per_hour * p95_latency / HOUR)
    return poisson_quantile(mean, min(float(service_level), HIGHEST_SERVICE_LEVEL))


def poisson_quantile(mean: float, level: float) -> int:
    """The smallest q with P(Poisson(mean) <= q) >= level, for level <= HIGHEST_SERVICE_LEVEL.

    The sum takes at most some 24 x sqrt(mean) terms. A mean above a million units, which no latency of a real
    channel yields, is answered by an upper bound of seven standard deviations instead.
    """
    if mean <= 0 or level <= 0:
        return 0
    if mean > _LARGEST_SUMMED_MEAN:
        return ceil(mean + 7 * sqrt(mean))
    q = max(0, int(mean - _TAIL_DEVIATIONS * sqrt(mean)))
    last = ceil(mean + _TAIL_DEVIATIONS * (sqrt(mean) + 1))
    # In logarithms, because exp(-mean) alone is 0 for a float from a mean of 746 on.
    term = exp(q * log(mean) - mean - lgamma(q + 1))
    reached = term
    while reached < level and q < last:
        q += 1
        term *= mean / q
        reached += term
    return q
