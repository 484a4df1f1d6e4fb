"""What a listing sells and shows."""

from __future__ import annotations

import itertools
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from domain.listing_map import (
    Listed,
    ListingMap,
    Mapped,
    Subscription,
    Supply,
    join,
    mapped,
    shown,
    subscribed,
    supplied,
    zeroed,
)

SELLS = Mapped("SKU-1", 6, 10, 7, True, 20, 3)


def said(sku: str | None = "SKU-1", pack_size: int = 1, as_of: int = 10) -> Listed:
    return Listed("web", "L1", sku, pack_size, as_of)


def supply(units: int, version: int, subscription: int = 7) -> Supply:
    return Supply("web", "L1", "SKU-1", subscription, units, version)


STATEMENTS = st.builds(said, st.sampled_from(["SKU-1", "SKU-2", None]), st.integers(1, 3), st.integers(1, 4))


def test_what_does_not_fill_a_pack_is_not_shown() -> None:
    assert [shown(SELLS._replace(units=units)) for units in (-3, 0, 5, 6, 17, 18)] == [0, 0, 0, 1, 2, 3]


def test_a_listing_shows_nothing_until_it_was_told_nothing() -> None:
    fresh = mapped(SELLS, said("SKU-2", as_of=11), 8)
    assert fresh is not None
    assert (shown(fresh), supplied(fresh, supply(9, 9, 8))) == (0, None)
    assert shown(zeroed(fresh)) is None
    filled = supplied(zeroed(fresh), supply(9, 9, 8))
    assert filled is not None
    assert shown(filled) == 9


def test_a_supply_counts_once_in_order_and_only_under_the_subscription_in_force() -> None:
    assert supplied(SELLS, supply(12, 4)) == SELLS._replace(units=12, version=4)
    for late in (supply(12, 3), supply(12, 2), supply(12, 4, subscription=6), supply(12, 4, subscription=8)):
        assert supplied(SELLS, late) is None


def test_the_same_sku_in_other_packs_keeps_its_subscription_and_units() -> None:
    assert mapped(SELLS, said(pack_size=4, as_of=11), 8) == SELLS._replace(pack_size=4, as_of=11)


def test_a_listing_taken_down_shows_nothing() -> None:
    gone = mapped(SELLS, said(None, as_of=11), 8)
    assert gone is not None
    assert (shown(gone), shown(zeroed(gone))) == (0, 0)


@given(st.permutations([said("SKU-1"), said("SKU-2"), said(None), said("SKU-2", 5)]))
def test_at_one_instant_the_more_careful_statement_holds(statements: list[Listed]) -> None:
    known: Mapped | None = None
    for number, statement in enumerate(statements):
        known = mapped(known, statement, number) or known
    assert known is not None
    assert known.sku is None


@given(st.lists(STATEMENTS, min_size=1, max_size=6), st.randoms())
def test_the_order_of_statements_does_not_matter(statements: list[Listed], chance: st.DataObject) -> None:
    shuffled = list(statements)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    maps = []
    for each in (statements, shuffled, statements + shuffled):
        listings = ListingMap()
        for statement in each:
            listings.take(statement)
        maps.append(listings.by_sku())
    assert maps[0] == maps[1] == maps[2]


def test_rows_of_a_listing_join_in_any_order() -> None:
    moved = Mapped("SKU-2", 1, 11, 9)
    rows = [
        SELLS,
        SELLS._replace(units=4, version=5),
        moved,
        zeroed(moved),
        zeroed(moved)._replace(units=2, version=6),
    ]
    assert {reduce(join, order) for order in itertools.permutations(rows)} == {rows[-1]}


def test_the_end_of_a_subscription_is_after_its_beginning_and_before_the_next() -> None:
    messages = [
        Subscription("web", "L1", "SKU-1", number, wanted) for number in (7, 9) for wanted in (True, False)
    ]
    for order in itertools.permutations(messages):
        assert reduce(subscribed, order, None) == messages[-1]
    assert subscribed(messages[1], messages[2]) == messages[2]


def test_a_listing_with_the_name_of_a_sku_is_not_that_sku() -> None:
    listings = ListingMap()
    listings.take(Listed("web", "SKU-2", "SKU-1", 3, 1))
    listings.take(Listed("web", "SKU-3", None, 1, 1))
    assert listings.by_sku() == {
        ("web", "SKU-1"): {"SKU-2": 3},
        ("web", "SKU-2"): {},
        ("web", "SKU-3"): {},
    }
