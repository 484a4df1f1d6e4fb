from __future__ import annotations

from typing import Any

import pytest

from streams.demo.catalogue import Sold
from streams.demo.observation import Count
from streams.demo.picture import RATE_S, WINDOW_S, ChannelPicture, Picture, counts


def changed(sku: str, version: int, ats: int, web: int, causes: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "sku": sku,
        "version": version,
        "causes": list(causes),
        "pools": {"default": {"available_to_sell": ats}},
        "channels": {"web": web},
        "locations": {"A": {"on_hand": ats}},
    }


@pytest.fixture
def picture() -> Picture:
    return Picture({"web": ChannelPicture("web", "quota 60", 50)}, {"1": "Bananas"})


def test_a_channel_is_behind_until_it_accepted_the_current_quantity(picture: Picture) -> None:
    web = picture.channels["web"]
    picture.ats_changed(changed("1", 1, 10, 5), 100.0, {})
    assert web.seen(picture.wanted, 100.0).behind == 1
    web.planned("1", 7, 5)
    assert web.seen(picture.wanted, 100.0)[6:8] == (1, 1)
    web.answer("1", 7, "ACCEPTED", 5, 101.0)
    assert web.seen(picture.wanted, 101.0)[6:8] == (0, 0)
    picture.ats_changed(changed("1", 2, 9, 4), 102.0, {})
    assert web.seen(picture.wanted, 102.0).behind == 1


def test_a_refused_update_is_not_what_the_channel_has(picture: Picture) -> None:
    web = picture.channels["web"]
    picture.ats_changed(changed("1", 1, 10, 5), 100.0, {})
    web.planned("1", 7, 5)
    web.answer("1", 7, "REJECTED", 5, 101.0)
    seen = web.seen(picture.wanted, 101.0)
    assert (seen.refused, seen.accepted, seen.behind, seen.in_flight) == (1, 0, 1, 1)


def test_an_older_answer_or_plan_changes_nothing(picture: Picture) -> None:
    web = picture.channels["web"]
    web.planned("1", 8, 3)
    web.planned("1", 7, 5)
    web.answer("1", 8, "ACCEPTED", 3, 1.0)
    web.answer("1", 7, "ACCEPTED", 5, 2.0)
    assert picture.quantities() == {"web": {"1": 3}}
    assert web.seen({}, 2.0).in_flight == 0


def test_a_channel_is_behind_for_each_listing_of_a_sku_in_packs_as_well() -> None:
    sells = {"1": [Sold("web", "701", "1", 1), Sold("web", "801", "1", 4)]}
    picture = Picture({"web": ChannelPicture("web", "quota 60", 50, "shopify", sells)}, {})
    web = picture.channels["web"]
    picture.ats_changed(changed("1", 1, 20, 11), 1.0, {})
    picture.ats_changed(changed("2", 1, 20, 3), 1.0, {})
    assert web.seen(picture.wanted, 1.0).behind == 3
    web.answer("701", 1, "ACCEPTED", 11, 2.0)
    web.answer("801", 2, "ACCEPTED", 2, 2.0)
    web.answer("1", 3, "ACCEPTED", 11, 2.0)
    web.answer("2", 4, "ACCEPTED", 3, 2.0)
    assert web.seen(picture.wanted, 2.0).behind == 0
    picture.ats_changed(changed("1", 2, 20, 12), 3.0, {})
    assert web.seen(picture.wanted, 3.0).behind == 2


def test_everything_that_was_planned_for_a_listing_is_kept(picture: Picture) -> None:
    web = picture.channels["web"]
    for publish_seq, quantity in ((8, 3), (7, 5), (9, 3)):
        web.planned("1", publish_seq, quantity)
    assert web.planned_for == {"1": [(8, 3), (7, 5), (9, 3)]}


def test_an_older_version_of_the_numbers_is_ignored(picture: Picture) -> None:
    picture.ats_changed(changed("1", 5, 10, 5), 1.0, {})
    picture.ats_changed(changed("1", 4, 99, 77), 2.0, {})
    assert picture.wanted == {"1": {"web": 5}}
    assert picture.locations == {"1": {"A": {"on_hand": 10}}}
    assert picture.versions == 2


def test_listings_told_zero_are_counted_as_sold_out(picture: Picture) -> None:
    web = picture.channels["web"]
    web.answer("1", 1, "ACCEPTED", 0, 1.0)
    web.answer("2", 2, "ACCEPTED", 4, 1.0)
    assert web.seen({}, 1.0).zero == 1


def test_a_rate_counts_the_last_seconds_only(picture: Picture) -> None:
    web = picture.channels["web"]
    for second in range(10):
        web.answer("1", second, "ACCEPTED", 1, float(second))
    assert web.seen({}, 9.5).per_s == 3 / RATE_S


def test_movers_are_sorted_by_how_far_they_moved(picture: Picture) -> None:
    for version, (sku, ats) in enumerate((("1", 50), ("2", 9), ("3", 5), ("1", 30), ("2", 12), ("3", 5)), 1):
        picture.ats_changed(changed(sku, version, ats, 0), 100.0 + version, {})
    movers = picture.movers(106.0)
    assert [(mover.name, mover.before, mover.now) for mover in movers] == [("Bananas", 50, 30), ("2", 9, 12)]


def test_a_move_longer_ago_than_the_window_is_forgotten(picture: Picture) -> None:
    picture.ats_changed(changed("1", 1, 50, 0), 100.0, {})
    picture.ats_changed(changed("1", 2, 30, 0), 101.0, {})
    assert picture.movers(101.0 + WINDOW_S + 1) == ()


def test_freshness_runs_from_feeding_an_event_to_the_numbers_it_caused(picture: Picture) -> None:
    fed_at = {"a": 99.9, "b": 99.5}
    assert picture.freshness_ms(100.0) is None
    picture.ats_changed(changed("1", 1, 5, 5, ("a", "b", "not ours")), 100.0, fed_at)
    assert picture.freshness_ms(100.5) == pytest.approx((100, 100))
    picture.ats_changed(changed("1", 2, 4, 4, ("b",)), 101.0, fed_at)
    assert picture.freshness_ms(101.0) == pytest.approx((500, 500))
    assert picture.freshness_ms(10_000.0) is not None


def test_freshness_of_the_whole_run_counts_every_event(picture: Picture) -> None:
    assert picture.freshness_overall_ms((0.5,)) is None
    fed_at = {str(number): 1_000.0 - number for number in range(1, 102)}
    for number in range(1, 102):
        picture.ats_changed(changed("1", number, number, 0, (str(number),)), 1_000.0, fed_at)
    assert picture.freshness_overall_ms((0.0, 0.5, 0.99, 1.0)) == pytest.approx((1000, 51_000, 100_000, 101_000))


def test_counts_are_sorted_by_frequency() -> None:
    assert counts({"B": 1, "A": 1, "C": 5}) == (Count("C", 5), Count("A", 1), Count("B", 1))
