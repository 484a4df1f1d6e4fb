"""Sales velocity: units per hour of the last hour or day, whichever is faster."""

from __future__ import annotations

from fractions import Fraction

from domain.facts import SECOND
from domain.velocity import SLOT, Sales

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
NOW = 100 * 24 * HOUR
WEB = "web"


def sold(*times: int, units: int = 1) -> Sales:
    sales = Sales()
    for at in times:
        sales.add(WEB, at, units)
    return sales


def test_six_units_of_the_last_hour_are_six_an_hour() -> None:
    sales = sold(*(NOW - minutes * MINUTE for minutes in (0, 10, 20, 30, 40, 50)))

    assert sales.per_hour(WEB, NOW) == 6


def test_what_never_sold_stands_still() -> None:
    assert Sales().per_hour(WEB, NOW) == 0
    assert Sales().channels(NOW) == ()


def test_a_sale_of_this_morning_counts_by_the_day() -> None:
    assert sold(NOW - 5 * HOUR, units=12).per_hour(WEB, NOW) == Fraction(1, 2)


def test_a_rush_counts_by_the_hour_although_the_day_was_slow() -> None:
    assert sold(NOW - 20 * HOUR, NOW - MINUTE, units=24).per_hour(WEB, NOW) == 24


def test_a_day_later_the_sale_is_forgotten() -> None:
    sales = sold(NOW)

    assert sales.per_hour(WEB, NOW + 24 * HOUR) == Fraction(1, 24)
    assert sales.per_hour(WEB, NOW + 24 * HOUR + SLOT) == 0
    assert sales.channels(NOW + 24 * HOUR + SLOT) == ()


def test_a_cancellation_takes_the_sale_back() -> None:
    sales = sold(NOW, units=5)
    sales.add(WEB, NOW, -3)
    assert sales.per_hour(WEB, NOW) == 2

    sales.add(WEB, NOW, -2)
    assert sales.channels(NOW) == ()


def test_a_cancellation_of_a_sale_that_is_forgotten_changes_nothing() -> None:
    sales = sold(NOW - 25 * HOUR, NOW)
    assert sales.per_hour(WEB, NOW) == 1
    sales.add(WEB, NOW - 25 * HOUR, -1)

    assert sales.per_hour(WEB, NOW) == 1


def test_channels_have_velocities_of_their_own() -> None:
    sales = sold(NOW, units=2)
    sales.add("amazon", NOW, 7)

    assert sales.per_hour("amazon", NOW) == 7
    assert sales.channels(NOW) == ("amazon", WEB)


def test_a_clock_a_little_ahead_is_believed_and_one_far_ahead_waits_for_its_time() -> None:
    assert sold(NOW + SLOT).per_hour(WEB, NOW) == 1
    assert sold(NOW + 2 * SLOT).per_hour(WEB, NOW) == 0
    assert sold(NOW + 2 * SLOT).per_hour(WEB, NOW + SLOT) == 1


def test_years_of_history_take_the_room_of_two_days() -> None:
    sales = sold(*(NOW - age * SLOT for age in range(5_000)))

    assert len(sales._by_channel[WEB]) <= 2 * 288 + 1
    assert sales.per_hour(WEB, NOW) == 13
