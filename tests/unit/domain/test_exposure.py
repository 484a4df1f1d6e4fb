"""Exposure: who shows more than is safe, by how much, and since when."""

from __future__ import annotations

from domain.ages import Ages
from domain.exposure import Exposed, ExposureBook, ExposureTotals

PRICES = {"A": 1999, "B": 500}
NOTHING = ExposureTotals(0, 0, 0, 0, None)


def test_a_channel_that_accepted_what_is_safe_is_not_exposed() -> None:
    book = ExposureBook(PRICES)
    book.observe("A", 5, 5, 1)
    book.observe("B", 4, 5, 1)

    assert book.totals() == NOTHING


def test_what_is_above_the_safe_quantity_is_exposed_in_units_and_money() -> None:
    book = ExposureBook(PRICES)
    book.observe("A", 5, 2, now=10)
    book.observe("B", 9, 0, now=20)

    assert book.totals() == ExposureTotals(2, 12, 3 * 1999 + 9 * 500, 0, 10)


def test_units_without_a_price_are_told_apart() -> None:
    book = ExposureBook()
    book.observe("A", 5, 2, now=10)

    assert book.totals() == ExposureTotals(1, 3, 0, 3, 10)


def test_packs_count_with_all_their_units() -> None:
    book = ExposureBook(PRICES)
    book.observe("six-of-A", 5, 3, now=10, sku="A", pack_size=6)

    assert book.totals() == ExposureTotals(1, 12, 12 * 1999, 0, 10)


def test_the_time_of_divergence_is_kept_while_it_gets_worse_or_better() -> None:
    book = ExposureBook()
    for now, safe in ((10, 4), (20, 0), (30, 3)):
        book.observe("A", 5, safe, now)

    assert book.totals() == ExposureTotals(1, 2, 0, 2, 10)


def test_the_accepted_correction_ends_it_and_the_next_divergence_begins_anew() -> None:
    book = ExposureBook()
    book.observe("A", 5, 0, now=10)
    book.observe("A", 0, 0, now=20)
    assert book.totals() == NOTHING

    book.observe("A", 3, 0, now=30)
    assert book.totals().since == 30


def test_what_is_not_known_is_no_exposure() -> None:
    book = ExposureBook()
    book.observe("A", None, 3, now=10)
    book.observe("B", 3, None, now=10)

    assert book.totals() == NOTHING


def test_after_a_restart_it_is_exposed_since_it_was() -> None:
    book = ExposureBook()
    book.observe("A", 5, 0, now=100, since=40)

    assert book.totals().since == 40


def test_a_listing_that_went_elsewhere_is_not_counted() -> None:
    book = ExposureBook(PRICES)
    book.observe("A", 5, 0, now=10)
    book.forget("A")
    book.forget("never seen")

    assert book.totals() == NOTHING
    assert book.units_of("A") == 0


def test_the_largest_are_listed_by_value_then_units_then_age() -> None:
    book = ExposureBook(PRICES)
    for now, (listing, accepted) in enumerate([("cheap", 50), ("B", 9), ("A", 3), ("old", 50), ("C", 90)]):
        book.observe(listing, accepted, 0, now)

    assert [each.listing for each in book.largest(10)] == ["A", "B", "C", "cheap", "old"]
    assert book.largest(1) == [Exposed("A", "A", 3, 0, 3, 3 * 1999, 2)]
    assert book.largest(0) == []


def test_memory_of_ages_follows_what_is_there() -> None:
    ages = Ages()
    for at in range(10_000):
        ages.begin("A", at)
        ages.end("A")

    assert len(ages._heap) <= 66
    assert ages.oldest() is None
