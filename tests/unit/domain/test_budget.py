"""The token bucket grants what it should, to the microsecond."""

from __future__ import annotations

from fractions import Fraction

from domain.budget import TokenBucket
from domain.facts import SECOND

FIFTH = Fraction(1, 5)


def test_a_full_bucket_grants_its_burst_and_not_more() -> None:
    granted, bucket = TokenBucket.filled(Fraction(1), 3, at=0).take(0, 5)

    assert granted == 3
    assert bucket.take(0, 1)[0] == 0


def test_a_token_comes_back_after_its_time_and_not_a_microsecond_sooner() -> None:
    _, bucket = TokenBucket.filled(FIFTH, 1, at=0).take(SECOND, 1)

    assert bucket.next_at() == 6 * SECOND
    assert bucket.take(6 * SECOND - 1, 1)[0] == 0
    assert bucket.take(6 * SECOND, 1)[0] == 1


def test_thirds_of_a_token_add_up_exactly() -> None:
    bucket = TokenBucket.filled(Fraction(1, 3), 1, at=0, tokens=0)
    for second in (1, 2):
        granted, bucket = bucket.take(second * SECOND, 1)
        assert granted == 0

    assert bucket.take(3 * SECOND, 1)[0] == 1


def test_unused_time_fills_the_bucket_only_to_its_burst() -> None:
    _, bucket = TokenBucket.filled(Fraction(10), 4, at=0).take(0, 4)

    assert bucket.take(3600 * SECOND, 100)[0] == 4


def test_a_bucket_without_rate_and_burst_grants_nothing_ever() -> None:
    bucket = TokenBucket.filled(Fraction(0), 0, at=0)

    assert bucket.take(10**18, 1)[0] == 0
    assert bucket.next_at() is None


def test_a_bucket_without_rate_grants_what_it_holds() -> None:
    granted, bucket = TokenBucket.filled(Fraction(0), 2, at=0).take(0, 9)

    assert granted == 2
    assert bucket.next_at() is None


def test_more_than_the_burst_never_comes() -> None:
    assert TokenBucket.filled(Fraction(1), 3, at=0).next_at(4) is None


def test_kept_tokens_are_not_granted() -> None:
    granted, bucket = TokenBucket.filled(Fraction(1), 10, at=0).take(0, 10, keep=9)

    assert granted == 1
    assert bucket.take(0, 10, keep=9)[0] == 0
    assert bucket.take(0, 10)[0] == 9


def test_a_clock_that_steps_back_adds_nothing() -> None:
    _, bucket = TokenBucket.filled(Fraction(1), 1, at=10 * SECOND).take(10 * SECOND, 1)
    granted, bucket = bucket.take(0, 1)

    assert granted == 0
    assert bucket.next_at() == 11 * SECOND


def test_another_rate_holds_from_its_time_on() -> None:
    _, bucket = TokenBucket.filled(Fraction(1), 10, at=0).take(0, 10)
    bucket = bucket.changed(Fraction(2), 4, now=2 * SECOND)

    assert bucket.take(2 * SECOND, 9)[0] == 2
    assert bucket.take(3 * SECOND, 9)[0] == 4
