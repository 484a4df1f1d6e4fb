"""Percentages of units are exact: held back rounds up, exposed rounds down."""

from __future__ import annotations

from fractions import Fraction

import pytest

from domain.policy import Held
from domain.quantities import held, percent_down, percent_up


@pytest.mark.parametrize(
    ("percent", "base", "up", "down"),
    [
        (Fraction(10), 1, 1, 0),
        (Fraction(10), 10, 1, 1),
        (Fraction(10), 11, 2, 1),
        (Fraction(33), 10, 4, 3),
        (Fraction(25, 2), 8, 1, 1),
        (Fraction(25, 2), 9, 2, 1),
        (Fraction(0), 7, 0, 0),
        (Fraction(100), 7, 7, 7),
        (Fraction(10), 0, 0, 0),
    ],
)
def test_held_back_rounds_up_and_exposed_rounds_down(percent: Fraction, base: int, up: int, down: int) -> None:
    assert percent_up(percent, base) == up
    assert percent_down(percent, base) == down


def test_a_percentage_that_floats_get_wrong_is_exact() -> None:
    # 0.07 * 100 is 7.000000000000001 in binary floats; its ceiling would hold back one unit too many.
    assert percent_up(Fraction(7), 100) == 7
    # 0.29 * 100 is 28.999999999999996; its floor would expose one unit too few.
    assert percent_down(Fraction(29), 100) == 29


def test_large_stocks_lose_no_unit() -> None:
    base = 10**18 + 1

    assert percent_up(Fraction(50), base) - percent_down(Fraction(50), base) == 1


@pytest.mark.parametrize(("units", "percent", "base", "expected"), [(3, 10, 20, 3), (3, 10, 31, 4), (0, 0, 99, 0)])
def test_the_larger_of_units_and_percentage_is_held(units: int, percent: int, base: int, expected: int) -> None:
    assert held(Held(units, Fraction(percent)), base) == expected
