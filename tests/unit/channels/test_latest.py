from __future__ import annotations

import pytest

from connectors.channels.latest import LatestSettled, Standing, TooManyListings
from domain.facts import Acknowledgement
from tests.conformance.rig import CHANNEL, NOW, update


def answered(publish_seq: int, outcome: str = "ACCEPTED", listing: str = "L-1") -> Acknowledgement:
    return Acknowledgement(CHANNEL, listing, publish_seq, outcome, 5, 120, None, NOW)


def test_a_lower_sequence_number_is_stale_and_a_higher_one_new() -> None:
    latest = LatestSettled(10)
    latest.own(0, [answered(5)])
    assert latest.standing(0, update(publish_seq=4)) is Standing.STALE
    assert latest.standing(0, update(publish_seq=6)) is Standing.NEW
    assert latest.standing(0, update("L-2", publish_seq=1)) is Standing.NEW


@pytest.mark.parametrize("outcome", ["REJECTED", "UNKNOWN"])
def test_only_an_accepted_update_is_not_sent_again(outcome: str) -> None:
    latest = LatestSettled(10)
    latest.own(0, [answered(5, outcome)])
    assert latest.standing(0, update(publish_seq=5)) is Standing.NEW
    assert latest.standing(0, update(publish_seq=4)) is Standing.STALE
    latest.settle(0, answered(5))
    assert latest.standing(0, update(publish_seq=5)) is Standing.ANSWERED


def test_what_was_settled_is_read_back_in_any_order() -> None:
    rows = [answered(7, "REJECTED"), answered(9, "UNKNOWN"), answered(9), answered(8)]
    for order in (rows, rows[::-1], rows[2:] + rows[:2]):
        latest = LatestSettled(10)
        latest.own(0, order)
        assert latest.settled(0, "L-1") == answered(9)


def test_partitions_are_remembered_and_forgotten_apart() -> None:
    latest = LatestSettled(10)
    latest.own(0, [answered(5)])
    latest.own(1, [answered(3, listing="L-2"), answered(3, listing="L-3")])
    assert len(latest) == 3
    latest.disown(1)
    latest.own(0, [])
    assert len(latest) == 0
    assert latest.settled(0, "L-1") is None


def test_more_listings_than_there_is_room_for_are_an_error_that_says_what_to_do() -> None:
    latest = LatestSettled(2)
    latest.own(0, [answered(1, listing="L-1"), answered(1, listing="L-2")])
    latest.settle(0, answered(2, listing="L-2"))
    with pytest.raises(TooManyListings, match="raise max_listings"):
        latest.settle(0, answered(1, listing="L-3"))
