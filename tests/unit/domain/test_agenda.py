"""The order of what may be told, and memory that does not grow with the number of changes."""

from __future__ import annotations

from domain.agenda import Agenda
from domain.listings import P0, P1, P2, Step


def step(priority: str, since: int) -> Step:
    return Step(priority, since, 1, "CHANGED")


def taken(agenda: Agenda) -> list[str]:
    """Listings in the order they are taken off."""
    order = []
    while (entry := agenda.take()) is not None:
        order.append(entry[0])
    return order


def test_class_goes_before_age_and_age_before_name() -> None:
    agenda = Agenda()
    for listing, entry in {"d": step(P2, 1), "b": step(P1, 5), "a": step(P1, 9), "c": step(P1, 5)}.items():
        agenda.put(listing, entry, None)
    agenda.put("e", step(P0, 99), None)

    assert taken(agenda) == ["e", "b", "c", "a", "d"]


def test_only_the_latest_step_of_a_listing_counts() -> None:
    agenda = Agenda()
    agenda.put("a", step(P0, 1), None)
    agenda.put("b", step(P1, 1), None)
    agenda.put("a", step(P2, 1), None)

    assert taken(agenda) == ["b", "a"]


def test_a_withdrawn_step_is_not_taken() -> None:
    agenda = Agenda()
    agenda.put("a", step(P0, 1), None)
    agenda.put("a", None, None)

    assert agenda.take() is None
    assert len(agenda) == 0


def test_a_step_that_comes_back_is_taken_once() -> None:
    agenda = Agenda()
    for _ in range(3):
        agenda.put("a", step(P0, 1), None)
        agenda.put("a", step(P1, 1), None)

    assert taken(agenda) == ["a"]


def test_a_listing_is_looked_at_again_in_its_time_and_once() -> None:
    agenda = Agenda()
    agenda.put("a", None, 10)
    agenda.put("a", None, 20)
    agenda.put("b", None, 15)

    assert list(agenda.wake(14)) == []
    assert agenda.next_wake() == 15
    assert list(agenda.wake(20)) == ["b", "a"]
    assert agenda.next_wake() is None


def test_the_backlog_is_counted_per_class() -> None:
    agenda = Agenda()
    agenda.put("a", step(P0, 1), None)
    agenda.put("b", step(P1, 1), None)
    agenda.put("b", step(P0, 1), None)
    agenda.take()

    assert {priority: count for priority, count in agenda.backlog.items() if count} == {P0: 1}


def test_memory_follows_the_listings_and_not_their_changes() -> None:
    agenda = Agenda()
    for change in range(10_000):
        agenda.put("a", step(P1, change), 10_000 + change)

    assert len(agenda._ready) < 200
    assert len(agenda._waiting) < 200
    assert taken(agenda) == ["a"]
    assert agenda.next_wake() == 19_999
