"""Latency quantiles: exact for what lies on a bound, rounded up otherwise, and of the last ten minutes."""

from __future__ import annotations

from fractions import Fraction

import pytest

from domain.latency import LATENCY_BOUNDS, MILLISECOND, SLOT, SLOTS, LatencyWindow, rounded_up

P95 = Fraction(95, 100)


def window(*milliseconds: int, at: int = 0) -> LatencyWindow:
    return LatencyWindow((at, each * MILLISECOND) for each in milliseconds)


def test_nothing_is_known_before_the_first_answer() -> None:
    assert LatencyWindow().quantile(P95) is None


def test_one_answer_is_every_quantile() -> None:
    assert window(128).quantile(P95) == 128 * MILLISECOND
    assert window(128).quantile(Fraction(1, 100)) == 128 * MILLISECOND


def test_five_slow_ones_in_a_hundred_are_not_seen_and_six_are() -> None:
    assert window(*[64] * 95, *[4096] * 5).quantile(P95) == 64 * MILLISECOND
    assert window(*[64] * 94, *[4096] * 6).quantile(P95) == 4096 * MILLISECOND


def test_bounds_are_four_to_a_doubling() -> None:
    assert [bound // MILLISECOND for bound in LATENCY_BOUNDS if bound <= 64 * MILLISECOND] == [
        1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 13, 16, 19, 23, 27, 32, 38, 45, 54, 64,
    ]  # fmt: skip


def test_a_latency_is_rounded_up_to_its_bound_and_a_day_and_more_to_the_last() -> None:
    assert rounded_up(65 * MILLISECOND) == 76 * MILLISECOND
    assert rounded_up(0) == MILLISECOND
    assert rounded_up(LATENCY_BOUNDS[-1] * 10) == LATENCY_BOUNDS[-1] == 2**27 * MILLISECOND


def test_a_slow_minute_is_forgotten_after_ten() -> None:
    seen = window(*[4096] * 100)
    seen.add((SLOTS - 1) * SLOT, 64 * MILLISECOND)
    assert seen.quantile(P95) == 4096 * MILLISECOND

    seen.add(SLOTS * SLOT, 64 * MILLISECOND)
    assert seen.quantile(P95) == 64 * MILLISECOND
    assert len(seen) == 2


def test_an_answer_that_comes_too_late_to_count_does_not_count() -> None:
    seen = window(64, at=SLOTS * SLOT)
    seen.add(0, 4096 * MILLISECOND)

    assert len(seen) == 1


def test_a_part_beyond_the_whole_is_refused() -> None:
    with pytest.raises(ValueError, match="part of all samples"):
        window(64).quantile(Fraction(2))
