"""What holds of a circuit breaker whatever the channel does: it never blocks for ever, and it does block."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.breaker import CLOSED, OPEN, Breaker, BreakerPolicy
from domain.facts import SECOND

policies = st.builds(
    BreakerPolicy,
    failures=st.integers(1, 5),
    calls=st.integers(5, 12),
    cool_down=st.sampled_from([1, SECOND, 7 * SECOND]),
    longest=st.sampled_from([7 * SECOND, 60 * SECOND]),
    probes=st.integers(1, 3),
    passes=st.integers(1, 3),
    patience=st.sampled_from([SECOND, 30 * SECOND]),
)
steps = st.lists(
    st.tuples(st.sampled_from(["call", "success", "failure"]), st.sampled_from([0, 1, SECOND, 20 * SECOND])),
    max_size=80,
)


def driven(policy: BreakerPolicy, history: list[tuple[str, int]]) -> tuple[Breaker, int]:
    """A breaker after some time, and when that is; calls only go when they may."""
    breaker, now = Breaker(policy), 0
    for step, wait in history:
        now += wait
        if step == "success":
            breaker = breaker.succeeded(now)
        elif step == "failure":
            breaker = breaker.failed(now)
        elif breaker.calls(now) != 0:
            breaker = breaker.began(now)
    return breaker, now


@given(policies, steps)
def test_a_call_may_always_go_after_the_longest_wait(
    policy: BreakerPolicy, history: list[tuple[str, int]]
) -> None:
    breaker, now = driven(policy, history)
    later = now + max(policy.longest, policy.patience)

    assert breaker.calls(later) != 0
    assert (breaker.next_at(now) or now) <= later


@given(policies, steps)
def test_it_says_exactly_when_a_call_may_go(policy: BreakerPolicy, history: list[tuple[str, int]]) -> None:
    breaker, now = driven(policy, history)
    at = breaker.next_at(now)

    assert (at is None) == (breaker.calls(now) != 0)
    if at is not None:
        assert breaker.calls(at - 1) == 0
        assert breaker.calls(at) != 0


@given(policies, steps)
def test_it_lets_no_call_through_while_open_and_few_while_half_open(
    policy: BreakerPolicy, history: list[tuple[str, int]]
) -> None:
    breaker, now = driven(policy, history)
    calls = breaker.calls(now)

    assert (calls is None) == (breaker.state(now) == CLOSED)
    if calls is not None:
        assert 0 <= calls <= policy.probes
        assert calls == 0 or breaker.state(now) != OPEN


@given(policies, steps)
def test_a_channel_that_is_well_again_is_called_without_limit_soon(
    policy: BreakerPolicy, history: list[tuple[str, int]]
) -> None:
    breaker, now = driven(policy, history)
    for _ in range(policy.passes):
        now = breaker.next_at(now) or now
        breaker = breaker.began(now).succeeded(now)

    assert breaker.state(now) == CLOSED


@given(policies, steps)
def test_a_channel_that_fails_on_is_called_once_per_cool_down(
    policy: BreakerPolicy, history: list[tuple[str, int]]
) -> None:
    breaker, now = driven(policy, history)
    for _ in range(policy.calls):
        breaker = breaker.failed(now)

    assert breaker.state(now) == OPEN
    again = breaker.next_at(now)
    assert again is not None
    assert breaker.began(again).failed(again).state(again) == OPEN
