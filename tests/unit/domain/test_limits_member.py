"""One sink among those that share a budget: several tokens at once, and what the channel says is left."""

from __future__ import annotations

from domain.facts import SECOND, Micros
from domain.gcra import SHARES
from domain.limits import CallBudget, RateAndBurst, SerialOnly
from domain.limits_member import Member, Reply, Standing, Terms

BEGIN: Micros = 1_000 * SECOND
LIMIT = RateAndBurst(10, SECOND, 20)


def member(*, granted: int = 0, wanted: int = 0, least: int = 1, lease: int = 32, share: int = SHARES) -> Member:
    """A member that has had one answer."""
    one = Member(CallBudget.of([LIMIT]), Terms(), SECOND // 5, lease)
    one.wait(BEGIN, wanted, least)
    assert one.request(BEGIN) is not None
    one.answered(BEGIN, Reply(granted, SECOND, share))
    return one


def alone() -> tuple[Member, Micros]:
    """A member on its own whose share, a half, is full."""
    one = member(share=SHARES // 2)
    one.failed(BEGIN)
    return one, BEGIN + 60 * SECOND


def test_several_tokens_are_asked_for_at_once_but_no_more_than_the_budget_ever_gives() -> None:
    one = Member(CallBudget.of([LIMIT]), Terms(), SECOND // 5, 32)
    one.wait(BEGIN, 40, 40)
    asked = one.request(BEGIN)
    assert asked is not None
    # Of the burst one token is given up for leases that are late.
    assert (asked.wanted, asked.least) == (32, one.most)
    assert one.most == 19
    assert Member(CallBudget.of([LIMIT, SerialOnly(SECOND)]), Terms(), SECOND, 32).most == 1


def test_a_lease_of_fewer_tokens_than_are_needed_is_none() -> None:
    one = member(granted=2, wanted=2)
    assert one.take(BEGIN, 3, 3) == 0
    one = member(granted=3, wanted=3, least=3)
    assert one.take(BEGIN, 3, 3) == 3
    assert one.take(BEGIN) == 0


def test_whoever_needs_fewer_tokens_asks_at_once_although_more_were_not_there() -> None:
    one = member(wanted=5, least=5)
    assert (one.wait(BEGIN, 5, 5) or 0) == SECOND
    assert one.request(BEGIN) is None
    one.wait(BEGIN, 5, 2)
    assert one.request(BEGIN) is not None


def test_what_is_left_is_told_at_once_and_once_the_least_of_it() -> None:
    one = member()
    for left in (7, 4, 9):
        one.lower(BEGIN, left)
    asked = one.request(BEGIN)
    assert asked is not None
    assert asked.left == 4
    one.answered(BEGIN, Reply(0, 0, SHARES))
    assert one.next_at(BEGIN) > BEGIN
    one.lower(BEGIN, 4)
    one.failed(BEGIN)
    later = one.request(BEGIN + SECOND)
    assert later is not None
    assert later.left is None


def test_a_member_that_is_alone_takes_several_and_no_more_than_its_share_of_what_is_left() -> None:
    one, now = alone()
    assert one.standing(now) is Standing.ALONE
    assert one.take(now, 4, 4) == 4
    one.lower(now, 6)
    assert one.take(now, 9) == 3
    assert one.take(now) == 0
    # Half of the rate, as before.
    assert one.take(now + SECOND, 9) == 5


def test_a_member_that_is_alone_takes_all_it_can_have_where_more_is_needed() -> None:
    one, now = alone()
    assert one.take(now, 15, 15) == 10
