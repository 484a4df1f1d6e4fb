"""The measured guard against the definition of the Poisson distribution."""

from __future__ import annotations

from fractions import Fraction
from math import exp, sqrt

import pytest

from domain.facts import SECOND
from domain.guard import measured_guard, poisson_quantile

MINUTE = 60 * SECOND


@pytest.mark.parametrize(("level", "units"), [(Fraction(95, 100), 3), (Fraction(99, 100), 4)])
def test_six_an_hour_with_ten_minutes_of_latency(level: Fraction, units: int) -> None:
    assert measured_guard(Fraction(6), 10 * MINUTE, level) == units


def test_a_dead_listing_needs_no_guard() -> None:
    assert measured_guard(Fraction(0), 10 * MINUTE, Fraction(99, 100)) == 0


def test_a_channel_that_answers_at_once_needs_no_guard() -> None:
    assert measured_guard(Fraction(1000), 0, Fraction(99, 100)) == 0


def test_the_guard_widens_with_latency_and_shrinks_back() -> None:
    guards = [measured_guard(Fraction(60), minutes * MINUTE, Fraction(99, 100)) for minutes in (1, 5, 30, 5, 1)]

    assert guards[0] < guards[1] < guards[2]
    assert guards == guards[::-1]


def test_no_finite_guard_serves_everybody_so_a_full_service_level_is_nearly_served() -> None:
    assert 4 < measured_guard(Fraction(6), 10 * MINUTE, Fraction(1)) < 20


@pytest.mark.parametrize("mean", [0.01, 0.5, 1.0, 7.3, 100.0, 700.0])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99, 0.999])
def test_the_quantile_is_the_smallest_that_reaches_the_level(mean: float, level: float) -> None:
    q = poisson_quantile(mean, level)

    assert distribution(mean, q) >= level
    assert q == 0 or distribution(mean, q - 1) < level


def distribution(mean: float, q: int) -> float:
    """P(Poisson(mean) <= q), term by term from 0."""
    term = total = exp(-mean)
    for k in range(1, q + 1):
        term *= mean / k
        total += term
    return total


@pytest.mark.parametrize("mean", [746.0, 10_000.0, 1_000_000.0])
def test_large_means_are_close_to_the_normal_distribution(mean: float) -> None:
    # The 99 % point of the normal distribution, with the skewness correction (z^2 - 1) / 6.
    normal = mean + 2.3263478740 * sqrt(mean) + (2.3263478740**2 - 1) / 6

    assert abs(poisson_quantile(mean, 0.99) - normal) <= 1


def test_an_absurd_mean_is_bounded_from_above() -> None:
    assert poisson_quantile(1e12, 0.99) == 1e12 + 7e6
