"""Percentages of units without floats: amounts held back round up, amounts exposed round down.

A percentage is a fraction of 100 (``Fraction(25, 2)`` is 12.5 %), units are integers.
"""

from __future__ import annotations

from fractions import Fraction

from domain.policy import NO_PERCENT, Held


def percent_up(percent: Fraction, base: int) -> int:
    """``percent`` of ``base`` units, rounded up: for what is held back."""
    return -(-percent.numerator * base // (100 * percent.denominator))


def percent_down(percent: Fraction, base: int) -> int:
    """``percent`` of ``base`` units, rounded down: for what is exposed."""
    return percent.numerator * base // (100 * percent.denominator)


def held(held: Held, base: int) -> int:
    """Units to hold back: the larger of the fixed units and the percentage of ``base``, rounded up."""
    units, percent = held
    if percent is NO_PERCENT or not percent:  # being asked for its truth costs a fraction a call
        return units
    return max(units, percent_up(percent, base))
