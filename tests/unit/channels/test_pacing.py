from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.channels.backoff import Backoff
from connectors.channels.rate import TokenBucket
from connectors.channels.retry_after import retry_after_s

NOW = 1_767_225_610.0


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        (None, None),
        ("0", 0.0),
        (" 17 ", 17.0),
        ("301", 300.0),
        ("9" * 10_000, 300.0),
        (formatdate(NOW + 30, usegmt=True), 30.0),
        (formatdate(NOW - 30, usegmt=True), 0.0),
        (formatdate(NOW + 86_400, usegmt=True), 300.0),
        ("Thu, 01 Jan 2026 00:00:20 -0000", 10.0),
        ("Mon, 01 Jan 0001 00:00:00 +2300", 0.0),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("", None),
        ("Thu, 99 Jan 2026 00:00:20 GMT", None),
    ],
)
def test_a_wait_is_read_in_seconds_or_as_a_date_and_bounded(value: str | None, wait: float | None) -> None:
    assert retry_after_s(value, NOW, longest_s=300.0) == wait


@given(st.text(max_size=200))
def test_no_header_makes_reading_it_fail(value: str) -> None:
    wait = retry_after_s(value, NOW, longest_s=300.0)
    assert wait is None or 0.0 <= wait <= 300.0


def test_the_back_off_doubles_up_to_its_cap_and_starts_again_after_a_success() -> None:
    backoff = Backoff(0.5, 4.0, lambda low, high: high)
    assert [backoff.after_failure() for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    backoff.succeeded()
    assert backoff.after_failure() == 0.5


def test_the_jitter_is_full() -> None:
    drawn: list[tuple[float, float]] = []
    backoff = Backoff(1.0, 60.0, lambda low, high: drawn.append((low, high)) or low)  # type: ignore[func-returns-value]
    for _ in range(3):
        backoff.after_failure()
    assert drawn == [(0.0, 1.0), (0.0, 2.0), (0.0, 4.0)]


def test_a_wait_that_was_asked_for_is_never_shortened() -> None:
    backoff = Backoff(1.0, 60.0, lambda low, high: low)
    assert backoff.after_failure(17.0) == 17.0


def test_ever_more_failures_do_not_overflow() -> None:
    backoff = Backoff(1.0, 60.0, lambda low, high: high, failures=100_000)
    assert backoff.after_failure() == 60.0


@given(
    st.floats(0.1, 50),
    st.integers(1, 20),
    st.lists(st.floats(0, 3), min_size=1, max_size=60),
)
def test_in_any_window_there_are_at_most_burst_plus_rate_times_its_length(
    rate: float, burst: int, gaps: list[float]
) -> None:
    bucket = TokenBucket(rate, burst)
    now, calls = 0.0, []
    for gap in gaps:
        now += gap
        if bucket.wait_s(now) <= 0:
            bucket.take(now)
            calls.append(now)
    for start in range(len(calls)):
        for end in range(start, len(calls)):
            assert end - start + 1 <= burst + rate * (calls[end] - calls[start]) + 1e-6


def test_a_wait_is_long_enough_and_no_longer() -> None:
    bucket = TokenBucket(rate_per_s=0.2, burst=1)
    bucket.take(100.0)
    assert bucket.wait_s(100.0) == pytest.approx(5.0)
    assert bucket.wait_s(105.0) == 0.0


def test_a_bucket_that_the_channel_found_too_full_is_emptied() -> None:
    bucket = TokenBucket(rate_per_s=1.0, burst=10)
    bucket.empty(0.0)
    assert bucket.wait_s(0.0) == 1.0


@pytest.mark.parametrize(("rate", "burst"), [(0.0, 1), (-1.0, 1), (float("nan"), 1), (1.0, 0)])
def test_a_bucket_that_never_lets_a_call_through_is_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match=r"must be"):
        TokenBucket(rate, burst)
