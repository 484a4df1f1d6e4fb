from __future__ import annotations

import pytest

from domain.facts import Balance, Fact, LineVersion, Reservation, Shipment, fact_key
from domain.listings import Listing
from tables.facts import FactTable
from tables.publications import channel_and_listing, listing_key, listing_of, listing_value
from tables.rows import UnreadableRow, fact_of, row_key, row_key_of, row_value

BALANCE = Balance("A", "SELLABLE", "erp", 10, 1, 0, -5, "PHYSICAL", ("S1", "S2"), 11)
LINE = LineVersion("O1", "1", 2, 0, 5, 1, "OPEN", None, None, "V1", None, "oms", 12)
SHIPMENT = Shipment("S1", "O1", "1", 0, "A", 5, True, "wms", 13)
RESERVATION = Reservation("V1", 0, 3, "A", None, 99, "shop", 9)


@pytest.mark.parametrize("fact", [BALANCE, BALANCE._replace(includes=None), LINE, SHIPMENT, RESERVATION])
def test_a_fact_survives_its_row(fact: Fact) -> None:
    found = fact_of(row_value(fact))
    assert found == fact
    assert type(found) is type(fact)


@pytest.mark.parametrize("fact", [BALANCE, LINE, SHIPMENT, RESERVATION])
def test_the_key_of_a_row_is_the_sku_and_the_business_key_of_the_fact(fact: Fact) -> None:
    assert (
        row_key("Ä1", fact)
        == row_key_of("Ä1", fact_key(fact))
        == b"\0".join(part.encode() for part in ("Ä1", *fact_key(fact)))
    )


@pytest.mark.parametrize("value", [b"", b"{}", b'["balance.2"]', b'["balance.1", 1]', b"\xff", b'[["x"]]'])
def test_a_row_of_a_newer_version_says_what_to_do(value: bytes) -> None:
    with pytest.raises(UnreadableRow, match="newer version"):
        fact_of(value)


def recovered(*rows: tuple[bytes, bytes | None]) -> FactTable:
    table = FactTable()
    table.recover(rows)
    return table


def row(fact: Fact) -> tuple[bytes, bytes]:
    return row_key("S", fact), row_value(fact)


def test_rows_are_folded_when_the_sku_is_touched() -> None:
    table = recovered(row(LINE), row(SHIPMENT))
    assert "S" in table
    assert list(table.skus()) == ["S"]
    assert set(table.state("S").facts()) == {LINE, SHIPMENT}


def test_a_stale_row_of_a_paused_worker_does_not_win() -> None:
    newer = SHIPMENT._replace(quantity=9)
    assert set(recovered(row(newer), row(SHIPMENT)).state("S").facts()) == {newer}


def test_a_tombstone_removes_only_its_own_row() -> None:
    table = recovered(row(LINE), row(SHIPMENT), (row_key("S", SHIPMENT), None))
    assert set(table.state("S").facts()) == {LINE}


def test_a_sku_whose_rows_are_all_gone_is_unknown() -> None:
    table = recovered(row(LINE), (row_key("S", LINE), None))
    assert "S" not in table
    assert len(table) == 0


def test_peeking_keeps_nothing_decoded() -> None:
    table = recovered(row(LINE))
    assert table.peek("S") is not table.peek("S")
    assert table.state("S") is table.state("S")


def test_skus_with_reservations_are_known_to_change_by_the_clock() -> None:
    assert recovered(row(RESERVATION)).timed == {"S"}


def test_a_listing_survives_its_row() -> None:
    listing = Listing(5, 10, 77, 6, 11, 11, 76, 5, 1, True, "SKU-1")
    assert listing_of(listing_value(listing)) == listing
    assert channel_and_listing(listing_key("web", "L1")) == ("web", "L1")


def test_a_listing_row_of_a_newer_version_says_what_to_do() -> None:
    with pytest.raises(UnreadableRow, match="newer version"):
        listing_of(b'["listing.9"]')


def test_texts_that_many_facts_have_in_common_are_kept_once() -> None:
    one, other = (fact_of(row_value(LINE._replace(order_id=order, source="oms-7"))) for order in ("O1", "O2"))
    assert isinstance(one, LineVersion)
    assert isinstance(other, LineVersion)
    assert one.source is other.source
    assert one.order_id is not other.order_id
