"""What the rows of a partition's positions say, in whichever order they were written."""

from __future__ import annotations

from itertools import permutations

import pytest

from connectors.channels.doubts import MOST_QUANTITIES
from connectors.channels.positions import MOST_UNRESOLVED, Positions, Unresolved
from domain.facts import Acknowledgement


def row(publish_seq: int, outcome: str = "ACCEPTED", listing: str = "L-1", at: int = 100) -> Acknowledgement:
    return Acknowledgement("web", listing, publish_seq, outcome, publish_seq, 0, None, at)


def of(*settled: Acknowledgement, attempts: tuple[Acknowledgement, ...] = ()) -> Positions:
    positions = Positions(since=50)
    for one in settled:
        positions.settle(one)
    for one in attempts:
        positions.note(one)
    return positions


def test_the_highest_sequence_is_settled_and_acceptance_beats_an_unknown_outcome() -> None:
    rows = (row(1), row(2, "UNKNOWN"), row(2), row(1, "REJECTED"))
    assert [of(*order).settled() for order in permutations(rows)] == [[row(2)]] * 24


def test_of_two_acceptances_of_an_update_the_later_row_stays() -> None:
    assert of(row(2, at=100), row(2, at=200), row(1, at=300)).settled() == [row(2, at=200)]


@pytest.mark.parametrize("order", list(permutations((row(1), row(2), row(3, "REJECTED"), row(4, "UNKNOWN")))))
def test_what_was_accepted_last_is_known_although_newer_updates_were_not(
    order: tuple[Acknowledgement, ...],
) -> None:
    positions = of(*order, attempts=(row(1, "UNKNOWN"),))
    assert positions.settled() == [row(4, "UNKNOWN")]
    assert positions.unresolved() == [Unresolved([row(1, "UNKNOWN")], row(2))]


def test_an_attempt_is_unresolved_until_a_row_says_that_it_is_over() -> None:
    attempts = (row(1, "UNKNOWN"), row(2, "UNKNOWN"))
    assert of(row(2), attempts=attempts).unresolved() == [Unresolved([*attempts], row(2))]
    assert of(row(2), attempts=(*attempts, row(2))).unresolved() == []
    again = row(3, "UNKNOWN")
    assert of(row(2), attempts=(*attempts, row(2), again)).unresolved() == [Unresolved([again], row(2))]


def test_that_attempts_are_over_says_nothing_of_later_ones_however_late_it_is_written() -> None:
    earlier, later = row(1, "UNKNOWN", at=100), row(3, "UNKNOWN", at=300)
    over = row(2, at=200)
    assert of(row(2), attempts=(earlier, later, over)).unresolved() == [Unresolved([later], row(2))]


def test_attempts_of_long_ago_are_left_out() -> None:
    assert of(row(2), attempts=(row(1, "UNKNOWN", at=49),)).unresolved() == []


def test_attempts_are_not_settled() -> None:
    assert of(attempts=(row(1, "UNKNOWN"),)).settled() == []
    assert of(attempts=(row(1, "UNKNOWN"),)).unresolved() == [Unresolved([row(1, "UNKNOWN")], None)]


def test_the_last_attempts_of_the_last_listings_are_remembered() -> None:
    many = of(attempts=tuple(row(seq, "UNKNOWN") for seq in range(1, MOST_QUANTITIES + 3))).unresolved()
    assert [one.publish_seq for one in many[0].unanswered] == list(range(3, MOST_QUANTITIES + 3))
    listings = [f"L-{number}" for number in range(MOST_UNRESOLVED + 2)]
    found = of(attempts=tuple(row(1, "UNKNOWN", one) for one in listings)).unresolved()
    assert [one.unanswered[0].listing for one in found] == listings[:1:-1]
