"""What a life asks of the store of revisions, what it does without it, and what it tells it afterwards."""

from __future__ import annotations

from domain.limits_listing import DAY, DailyRevisions
from domain.limits_sharing import Answers, Question, SharedCounts, Told, Verdict
from domain.limits_untold import Telling

TODAY = 3


def counts(revisions: int = 10, kept: int = 3, room: int = 100) -> SharedCounts:
    made = DailyRevisions(revisions, kept, max_listings=room, life="me")
    made.turn(TODAY * DAY)
    return SharedCounts(made)


def tell_all(shared: SharedCounts, at_once: int = 2) -> list[Telling]:
    told = []
    while (telling := shared.telling(at_once)).counts:
        shared.untold.told(telling)
        told.append(telling)
    return told


def test_a_question_says_what_our_count_would_be_and_what_we_know() -> None:
    shared = counts()
    shared.answered(TODAY, Answers("e", {"A": Told(Verdict.REFUSED, {"other": 4})}))
    shared.reserve({"A": False})
    shared.revisions.used("A")
    assert shared.questions({"A": False, "B": True}) == {
        "A": Question(2, 7, {"other": 4, "me": 1}),
        "B": Question(1, 10, {}),
    }


def test_nothing_is_asked_of_a_listing_whose_revision_was_not_used() -> None:
    shared = counts()
    assert shared.reserve({"A": False}, {"A": Told(Verdict.GRANTED, {})}) == {"A"}
    assert shared.questions({"A": False}) == {}
    assert shared.reserve({"A": False}) == {"A"}
    assert shared.revisions.counts("A") == {"me": 1}
    assert tell_all(shared) == []


def test_the_store_decides_while_it_answers() -> None:
    shared = counts()
    told = {"A": Told(Verdict.GRANTED, {"me": 1}), "B": Told(Verdict.REFUSED, {"other": 10})}
    assert shared.reserve({"A": False, "B": True}, told) == {"A"}
    assert tell_all(shared) == []


def test_without_the_store_what_it_told_last_and_what_we_did_since_decides() -> None:
    shared = counts()
    shared.answered(TODAY, Answers("e", {"A": Told(Verdict.REFUSED, {"other": 5})}))
    for stop_sell, allowed in [(False, True), (False, True), (False, False), (True, True)]:
        assert bool(shared.reserve({"A": stop_sell})) is allowed
        shared.revisions.used("A")
    (telling,) = tell_all(shared)
    assert telling.counts == {"A": {"other": 5, "me": 3}}


def test_a_store_that_is_full_counts_no_other_listing_and_only_stop_sells_go() -> None:
    shared = counts(revisions=2, kept=1)
    told = {"A": Told(Verdict.FULL, {})}
    assert shared.reserve({"A": False}, told) == frozenset()
    for allowed in (True, True, False):
        assert bool(shared.reserve({"A": True}, told)) is allowed
        shared.revisions.used("A")


def test_a_listing_that_is_counted_again_while_it_is_told_is_told_again() -> None:
    shared = counts()
    shared.reserve({"A": False})
    telling = shared.telling(10)
    shared.revisions.used("A")
    shared.reserve({"A": False})
    shared.untold.told(telling)
    assert [one.counts for one in tell_all(shared)] == [{"A": {"me": 2}}]


def test_another_epoch_has_everything_told_again_in_parts_and_a_new_day_nothing() -> None:
    shared, listings = counts(), [f"L-{number}" for number in range(5)]
    shared.answered(TODAY, Answers("e", {}))
    shared.reserve(dict.fromkeys(listings, False), {one: Told(Verdict.GRANTED, {}) for one in listings})
    shared.answered(TODAY, Answers("e", {}))
    assert tell_all(shared) == []
    shared.answered(TODAY - 1, Answers("old", {}))
    assert tell_all(shared) == []
    shared.answered(TODAY, Answers("other", {}))
    first = shared.telling(2)
    shared.untold.told(first)
    assert list(first.counts) == listings[:2]
    shared.answered(TODAY, Answers("third", {}))
    assert [one for telling in tell_all(shared) for one in telling.counts] == listings
    shared.untold.everything()
    shared.revisions.turn((TODAY + 1) * DAY)
    shared.answered(TODAY + 1, Answers("fourth", {}))
    assert tell_all(shared) == []


def test_what_was_on_its_way_when_the_store_forgot_does_not_count_as_told_of_the_rest() -> None:
    shared, listings = counts(), [f"L-{number}" for number in range(5)]
    shared.reserve(dict.fromkeys(listings, False), {one: Told(Verdict.GRANTED, {}) for one in listings})
    shared.untold.everything()
    shared.untold.told(shared.telling(2))
    second = shared.telling(2)
    shared.untold.everything()
    shared.untold.told(second)
    assert [one for telling in tell_all(shared) for one in telling.counts] == listings


def test_a_telling_of_yesterday_does_not_count_as_one_of_today() -> None:
    shared = counts()
    shared.reserve({"A": False})
    yesterday = shared.telling(2)
    shared.revisions.turn((TODAY + 1) * DAY)
    shared.reserve({"A": False})
    shared.untold.told(yesterday)
    assert [one.counts for one in tell_all(shared)] == [{"A": {"me": 1}}]


def test_what_was_counted_alone_is_told_before_the_rest() -> None:
    shared = counts()
    for listing in "ABC":
        shared.reserve({listing: False}, {listing: Told(Verdict.GRANTED, {})})
    shared.untold.everything()
    shared.reserve({"D": False})
    assert [list(one.counts) for one in tell_all(shared)] == [["D"], ["A", "B"], ["C", "D"]]
