"""What listings sell for, from the topic to the exposure of their channels; and what of it survives a worker."""

from __future__ import annotations

from typing import Any

import pytest

from domain.exposure import ExposureTotals
from domain.prices import Price
from streams.worker.partitioning import partition_of_key
from tables.listing_rows import PRICE_PREFIX
from tests.unit.worker.test_listings import POLICY, exchange, listing, settle
from tests.worlds import PARTITIONS, World, answer, balance

EURO = {"price": 1999, "currency": "EUR"}


def exposed(*statements: dict[str, Any], name: str = "B0C2") -> World:
    """A listing of six that the channel took three of, and of which one is left."""
    world = World(POLICY)
    settle(world, *statements, balance(20))
    accept(world, name)
    settle(world, balance(7, as_of="2026-01-01T00:00:20Z"))
    return world


def accept(world: World, name: str) -> None:
    update = [each for each in world.told(world.log, "channel-updates.amazon") if each["listing"] == name][-1]
    world.deliver(answer(update))


def totals(world: World) -> ExposureTotals:
    return world.state.fan_out.watches["amazon"].exposure.totals()


def price_of(world: World, name: str = "B0C2") -> Price | None:
    home = world.state.fan_out._at(partition_of_key(name.encode(), PARTITIONS))
    return home.prices.of(("amazon", name))


def test_packs_are_exposed_with_what_they_sell_for() -> None:
    world = exposed(listing("B0C2", "SKU-1", pack_size=6, **EURO))
    assert totals(world)[:4] == (1, 12, {"EUR": 2 * 1999}, 0)


def test_packs_of_which_nobody_said_a_price_are_exposed_without_a_value() -> None:
    assert totals(exposed(listing("B0C2", "SKU-1", pack_size=6)))[:4] == (1, 12, {}, 12)


def test_a_sku_that_is_listed_under_its_own_name_has_the_price_of_the_listing_of_that_name() -> None:
    world = exposed(listing("SKU-1", "SKU-1", **EURO), name="SKU-1")
    assert totals(world)[:4] == (1, 13, {"EUR": 13 * 1999}, 0)


def test_another_price_is_that_of_an_exposed_listing_at_once() -> None:
    world = exposed(listing("B0C2", "SKU-1", pack_size=6, **EURO))
    settle(world, listing("B0C2", "SKU-1", pack_size=6, at=2, price=999, currency="EUR"))
    assert totals(world).values == {"EUR": 2 * 999}


def test_a_later_statement_without_a_price_takes_it_away() -> None:
    world = exposed(listing("B0C2", "SKU-1", pack_size=6, **EURO))
    settle(world, listing("B0C2", "SKU-1", pack_size=6, at=2))
    assert totals(world)[:4] == (1, 12, {"EUR": 0}, 12)
    assert price_of(world.successor()) is None


def test_an_older_statement_changes_no_price() -> None:
    world = exposed(listing("B0C2", "SKU-1", at=5, **EURO))
    settle(world, listing("B0C2", "SKU-1", at=4, price=1, currency="EUR"))
    assert price_of(world) == Price(1999, "EUR")


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_prices_of_one_instant_the_same_holds_in_any_order(order: int) -> None:
    said = [listing("B0C2", "SKU-1", price=price, currency="EUR") for price in (1999, 2999)]
    world = World(POLICY)
    settle(world, *[each for line in said[::order] for each in (line, line)])
    assert price_of(world) == Price(2999, "EUR")


def test_a_successor_knows_prices_and_what_is_exposed_by_them() -> None:
    world = exposed(listing("B0C2", "SKU-1", pack_size=6, **EURO))
    before = totals(world)
    world.end()
    successor = world.successor()
    assert totals(successor) == before


@pytest.mark.parametrize("written", range(3))
def test_a_worker_may_die_between_the_rows_of_what_a_listing_sells_and_for_how_much(written: int) -> None:
    world = exposed(listing("B0C2", "SKU-1", pack_size=6, **EURO))
    statement = world.deliver(listing("B0C2", "SKU-1", pack_size=6, at=2, price=5, currency="JPY"))
    exchange(world, statement)
    rows = world.epoch()
    assert [row.key.startswith(PRICE_PREFIX) for row in rows] == [False, True]
    successor = world.successor(lost=rows[written:])
    assert price_of(successor) == {0: Price(1999, "EUR"), 1: None, 2: Price(5, "JPY")}[written]
    exchange(successor, statement)  # its offset was not committed
    settle(successor)
    assert (price_of(successor), totals(successor).values["JPY"]) == (Price(5, "JPY"), 10)
    assert price_of(successor.successor(3)) == Price(5, "JPY")


def test_a_listing_without_a_price_writes_no_row_for_one() -> None:
    world = World(POLICY)
    rows = settle(world, listing("B0C2", "SKU-1"), balance(20))
    assert not [row for row in rows if (row.key or b"").startswith(PRICE_PREFIX)]
