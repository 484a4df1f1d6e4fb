"""Rows and messages of listings come back as they were; others are refused with the reason."""

from __future__ import annotations

import pytest

from domain.listing_map import Listed, Mapped, Subscription, Supply
from domain.prices import Price
from schemas.listing_exchange import Exchanged, exchange_value, exchanged_of
from schemas.rejections import MALFORMED, Rejection
from tables.listing_rows import (
    listing_name,
    listing_row,
    mapped_key,
    mapped_of,
    price_key,
    price_of,
    price_row,
    priced_name,
    subscription_key,
    subscription_of,
)
from tables.rows import UnreadableRow

SUBSCRIPTION = Subscription("web", "L1", "SKU-1", 7, wanted=True)


@pytest.mark.parametrize("row", [Mapped("SKU-1", 6, 10, 7, True, 20, 3), Mapped(None, 1, 10, 7)])
def test_what_a_listing_sells_comes_back_as_it_was(row: Mapped) -> None:
    assert mapped_of(listing_row(row)) == row


def test_a_subscription_comes_back_as_it_was() -> None:
    assert subscription_of(listing_row(SUBSCRIPTION)) == SUBSCRIPTION


def test_a_price_comes_back_as_it_was_with_the_time_of_its_statement() -> None:
    assert price_of(price_row(Price(1999, "EUR"), 10)) == (10, Price(1999, "EUR"))
    assert priced_name(price_key(("web", "L:1"))) == ("web", "L:1")


@pytest.mark.parametrize("value", [b"", b"{}", b'["price.2",1,"EUR",3]', b'["price.1",1]', b'["price.1",1,2,3]'])
def test_a_price_that_cannot_be_read_is_refused(value: bytes) -> None:
    with pytest.raises(UnreadableRow, match="cannot be read"):
        price_of(value)


def test_versions_without_prices_read_a_statement_without_one() -> None:
    assert exchange_value(Listed("web", "L1", "SKU-1", 6, 10)) == b'["listed.1","web","L1","SKU-1",6,10]'


def test_a_key_names_its_listing() -> None:
    assert listing_name(mapped_key(("web", "gid://shopify/InventoryItem/1"))) == (
        "web",
        "gid://shopify/InventoryItem/1",
    )
    assert subscription_key(SUBSCRIPTION) != subscription_key(SUBSCRIPTION._replace(sku="SKU-2"))


@pytest.mark.parametrize("value", [b"", b"{}", b'["mapped.2"]', b'["mapped.1"]', b'["subscription.1", "web"]'])
def test_a_row_that_cannot_be_read_is_refused(value: bytes) -> None:
    with pytest.raises(UnreadableRow, match="cannot be read"):
        mapped_of(value)


@pytest.mark.parametrize(
    "message",
    [
        Listed("web", "L1", None, 1, 10),
        Listed("web", "L1", "SKU-1", 6, 10),
        Listed("web", "L1", "SKU-1", 6, 10, Price(1999, "EUR")),
        SUBSCRIPTION,
        Supply("web", "L1", "SKU-1", 7, 20, 9, ("e1", "e2"), 5, repair=True),
        Supply("web", "L1", "SKU-1", 7, 20, 9),
    ],
)
def test_a_message_comes_back_as_it_was(message: Exchanged) -> None:
    assert exchanged_of(exchange_value(message)) == message


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"[]",
        b"{}",
        b'["supply.2"]',
        b'["subscription.1","web","L1","SKU-1",7]',
        b'["subscription.1","web","L1","SKU-1","7",true]',
        b'["listed.1","web","L1",3,1,10]',
        b'["listed.1","web","L1","SKU-1",1,10,1999,"EUR"]',
        b'["listed.2","web","L1","SKU-1",1,10]',
        b'["listed.2","web","L1","SKU-1",1,10,"1999","EUR"]',
    ],
)
def test_a_message_that_cannot_be_read_is_rejected(value: bytes | None) -> None:
    rejected = exchanged_of(value)
    assert isinstance(rejected, Rejection)
    assert rejected.code == MALFORMED
