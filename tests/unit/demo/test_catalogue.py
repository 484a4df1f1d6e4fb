from __future__ import annotations

from domain.listing_map import Listed
from schemas.records import event_of
from streams.demo.catalogue import PACK_OF, PACKS_EVERY, WEB, Sold, catalogue, of_channel

SKUS = [f"{number}" for number in range(1000, 1020)]
SOLD = catalogue(SKUS)


def test_the_web_shop_lists_every_sku_and_some_in_packs_too_all_under_numbers() -> None:
    by_sku = of_channel(SOLD, WEB)
    assert by_sku.keys() == set(SKUS)
    assert [len(by_sku[sku]) for sku in SKUS] == [2 if at % PACKS_EVERY == 0 else 1 for at in range(len(SKUS))]
    assert {one.pack_size for listings in by_sku.values() for one in listings} == {1, PACK_OF}
    assert all(one.listing.isdigit() for one in SOLD)
    assert not {one.listing for one in SOLD} & set(SKUS)


def test_no_listing_sells_two_things_and_the_same_skus_give_the_same_listings() -> None:
    assert len({(one.channel, one.listing) for one in SOLD}) == len(SOLD)
    assert catalogue(reversed(SKUS)) == SOLD  # type: ignore[arg-type]


def test_other_channels_have_no_listings_of_their_own() -> None:
    assert of_channel(SOLD, "marketplace") == {}


def test_a_listing_is_said_as_a_canonical_record() -> None:
    said = event_of(Sold(WEB, "8000001", "1001", 4).record("2026-01-01T00:00:10Z"))
    assert said == Listed(WEB, "8000001", "1001", 4, 1_767_225_610_000_000)
