from __future__ import annotations

from streams.demo.meter import Meter


def test_a_steady_count_has_its_slope_as_rate() -> None:
    meter = Meter(3)
    for second in range(10):
        meter.add(second, second * 50)
    assert meter.rate == 50


def test_what_is_older_than_the_window_does_not_count() -> None:
    meter = Meter(2)
    for second, count in enumerate((0, 1000, 2000, 2000, 2000, 2000)):
        meter.add(second, count)
    assert meter.rate == 0


def test_nothing_is_said_from_a_single_reading_or_of_a_count_that_shrinks() -> None:
    meter = Meter(3)
    assert meter.rate == 0
    meter.add(1, 500)
    assert meter.rate == 0
    meter.add(2, 100)
    assert meter.rate == 0
