"""Exposure: who shows more than is safe, by how much, and since when."""

from __future__ import annotations

from domain.ages import Ages
from domain.exposure import LOOKED_AT_PER_STEP, Exposed, ExposureBook, ExposureTotals
from domain.prices import Price

A, B = Price(1999, "EUR"), Price(500, "EUR")
NOTHING = ExposureTotals(0, 0, {}, 0, None)


def largest(book: ExposureBook, most: int) -> list[Exposed]:
    return list(book.largest(most))[-1]


def test_a_channel_that_accepted_what_is_safe_is_not_exposed() -> None:
    book = ExposureBook()
    book.observe("A", 5, 5, 1)
    book.observe("B", 4, 5, 1)

    assert book.totals() == NOTHING


def test_what_is_above_the_safe_quantity_is_exposed_in_units_and_money() -> None:
    book = ExposureBook()
    book.observe("A", 5, 2, now=10, price=A)
    book.observe("B", 9, 0, now=20, price=B)

    assert book.totals() == ExposureTotals(2, 12, {"EUR": 3 * 1999 + 9 * 500}, 0, 10)


def test_currencies_are_never_added() -> None:
    book = ExposureBook()
    book.observe("A", 5, 2, now=10, price=A)
    book.observe("B", 9, 0, now=20, price=Price(700, "JPY"))

    assert book.totals().values == {"EUR": 3 * 1999, "JPY": 9 * 700}


def test_another_price_counts_from_when_it_is_known() -> None:
    book = ExposureBook()
    book.observe("A", 5, 2, now=10)
    book.observe("A", 5, 2, now=20, price=A)
    assert book.totals() == ExposureTotals(1, 3, {"EUR": 3 * 1999}, 0, 10)

    book.observe("A", 5, 2, now=30, price=Price(2400, "CHF"))
    assert book.totals() == ExposureTotals(1, 3, {"EUR": 0, "CHF": 3 * 2400}, 0, 10)


def test_units_without_a_price_are_told_apart() -> None:
    book = ExposureBook()
    book.observe("A", 5, 2, now=10)

    assert book.totals() == ExposureTotals(1, 3, {}, 3, 10)


def test_packs_count_with_all_their_units_and_what_a_pack_sells_for() -> None:
    book = ExposureBook()
    book.observe("six-of-A", 5, 3, now=10, sku="A", pack_size=6, price=A)

    assert book.totals() == ExposureTotals(1, 12, {"EUR": 2 * 1999}, 0, 10)


def test_the_time_of_divergence_is_kept_while_it_gets_worse_or_better() -> None:
    book = ExposureBook()
    for now, safe in ((10, 4), (20, 0), (30, 3)):
        book.observe("A", 5, safe, now)

    assert book.totals() == ExposureTotals(1, 2, {}, 2, 10)


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
    book = ExposureBook()
    book.observe("A", 5, 0, now=10, price=A)
    book.forget("A")
    book.forget("never seen")

    assert book.totals() == NOTHING._replace(values={"EUR": 0})
    assert book.exposed("A") is None


def test_the_largest_are_listed_by_value_then_units_then_age() -> None:
    book = ExposureBook()
    for now, (listing, accepted) in enumerate([("cheap", 50), ("B", 9), ("A", 3), ("old", 50), ("more", 90)]):
        book.observe(
            listing, accepted, 0, now, price=A if listing == "A" else B if listing == "B" else Price(0, "EUR")
        )

    assert [each.listing for each in largest(book, 10)] == ["A", "B", "more", "cheap", "old"]
    assert largest(book, 1) == [Exposed("A", "A", 3, 0, 3, Price(3 * 1999, "EUR"), 2)]
    assert largest(book, 0) == []


def test_the_largest_of_several_currencies_and_of_none_take_turns() -> None:
    book = ExposureBook()
    for number in range(1, 4):
        book.observe(f"euro-{number}", number, 0, now=1, price=Price(1, "EUR"))
        book.observe(f"yen-{number}", number, 0, now=1, price=Price(1_000_000, "JPY"))
        book.observe(f"unknown-{number}", number, 0, now=1)

    assert [each.listing for each in largest(book, 4)] == ["euro-3", "yen-3", "unknown-3", "euro-2"]


def test_the_largest_are_found_in_steps_while_others_come_and_go() -> None:
    book = ExposureBook()
    for number in range(2 * LOOKED_AT_PER_STEP + 1):
        book.observe(f"L-{number}", number + 1, 0, now=1)
    steps = book.largest(2)
    next(steps)
    book.forget(f"L-{2 * LOOKED_AT_PER_STEP}")
    rest = list(steps)

    assert len(rest) == 2
    assert [each.units for each in rest[-1]] == [2 * LOOKED_AT_PER_STEP, 2 * LOOKED_AT_PER_STEP - 1]


def test_memory_of_ages_follows_what_is_there() -> None:
    ages = Ages()
    for at in range(10_000):
        ages.begin("A", at)
        ages.end("A")

    assert len(ages._heap) <= 66
    assert ages.oldest() is None
