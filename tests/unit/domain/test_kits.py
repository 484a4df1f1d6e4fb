"""Kits beyond the worked cases."""

from __future__ import annotations

from domain.kits import kit_available


def test_prebuilt_kits_come_on_top() -> None:
    assert kit_available({"A": {"l": 4}}, [("A", 2)], prebuilt=5) == 7


def test_prebuilt_kits_sell_without_components() -> None:
    assert kit_available({}, [("A", 2)], prebuilt=5) == 5


def test_a_kit_is_assembled_at_one_location() -> None:
    stock = {"A": {"l1": 4, "l2": 1}, "B": {"l1": 1, "l2": 4, "l3": 9}}

    assert kit_available(stock, [("A", 1), ("B", 1)]) == 2
    assert kit_available(stock, [("A", 1), ("B", 1)], across_locations=True) == 5


def test_leftovers_of_two_locations_make_a_kit_only_across_locations() -> None:
    stock = {"A": {"l1": 3, "l2": 3}}

    assert kit_available(stock, [("A", 2)]) == 2
    assert kit_available(stock, [("A", 2)], across_locations=True) == 3


def test_a_location_below_zero_takes_nothing_from_the_others() -> None:
    stock = {"A": {"l1": -5, "l2": 3}}

    assert kit_available(stock, [("A", 1)]) == 3
    assert kit_available(stock, [("A", 1)], across_locations=True) == 3


def test_a_kit_that_needs_nothing_exists_only_prebuilt() -> None:
    assert kit_available({"A": {"l": 9}}, []) == 0
    assert kit_available({"A": {"l": 9}}, [("A", 0)], prebuilt=2) == 2
