from __future__ import annotations

from collections.abc import Sequence

import pytest

from connectors.channels.base import Limits, Outcome, Result, Update, same_answer
from connectors.channels.rate import TokenBucket
from tests.conformance.rig import NOW, Clock, Journal, Lifetime, update


class Scripted:
    """A channel that answers as it is told, call by call."""

    def __init__(self, *answers: Outcome | list[Result], retry_after_s: float | None = None) -> None:
        self.answers = list(answers)
        self.retry_after_s = retry_after_s
        self.sent: list[list[str]] = []
        self.believed: list[int | None] = []
        self.limits = Limits(10, 1_000_000)

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        self.sent.append([one.listing for one in batch])
        self.believed += [one.expected_previous for one in batch]
        answer = self.answers.pop(0) if self.answers else Outcome.ACCEPTED
        if isinstance(answer, list):
            return answer
        wait = self.retry_after_s if answer is Outcome.RETRY else None
        return same_answer(batch, answer, answer.value, wait)


async def test_the_latency_counts_from_the_decision_and_includes_waiting() -> None:
    life = Lifetime(Scripted(), Journal(), Clock(now_s=0.0))
    life.arrive(update(planned_at=NOW))
    life.clock.advance(2.5)
    await life.deliver()
    assert [one.latency_ms for one in life.journal.acknowledgements] == [2_500]


async def test_a_clock_that_is_behind_the_planners_gives_no_negative_latency() -> None:
    life = Lifetime(Scripted(), Journal(), Clock())
    life.arrive(update(planned_at=NOW + 5_000_000))
    await life.deliver()
    assert [one.latency_ms for one in life.journal.acknowledgements] == [0]


async def test_a_channel_that_throttles_shows_that_the_bucket_was_too_full() -> None:
    life = Lifetime(Scripted(Outcome.RETRY, retry_after_s=0.0), Journal(), Clock())
    life.delivery.bucket = TokenBucket(0.1, 10)
    life.delivery.backoff.base_s = 0.0
    life.arrive(update())
    await life.delivery.attempt()
    assert life.delivery.wait_s() == pytest.approx(10.0)


async def test_batches_shrink_until_they_pass_and_grow_again() -> None:
    channel = Scripted(Outcome.SPLIT, Outcome.SPLIT)
    life = Lifetime(channel, Journal(), Clock())
    life.arrive(*(update(f"L-{number:02}") for number in range(30)))
    await life.deliver()
    assert [len(batch) for batch in channel.sent] == [10, 5, 2, 4, 8, 10, 6]


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [Result("L-2", 1, Outcome.ACCEPTED)],
        [Result("L-1", 2, Outcome.ACCEPTED)],
        [Result("L-1", 1, Outcome.ACCEPTED)] * 2,
    ],
)
async def test_a_sink_that_answers_something_else_is_a_fault_and_settles_nothing(answer: list[Result]) -> None:
    life = Lifetime(Scripted(answer), Journal(), Clock())
    life.arrive(update("L-1", 1))
    with pytest.raises(RuntimeError, match="not one result for each update"):
        await life.delivery.attempt()
    assert life.journal.answers == []
    assert life.backlog.committable(3) == 0
    assert len(life.backlog) == 1


async def test_an_outage_however_long_settles_nothing() -> None:
    life = Lifetime(Scripted(*[Outcome.RETRY] * 40), Journal(), Clock())
    life.arrive(update(expires_in_s=86_400))
    for _ in range(40):
        life.clock.advance(life.delivery.wait_s())
        await life.delivery.attempt()
    assert life.journal.answers == []
    assert life.delivery.tallies.failed_calls == 40


async def test_an_update_expires_while_its_channel_is_out() -> None:
    channel = Scripted(*[Outcome.RETRY] * 500)
    life = Lifetime(channel, Journal(), Clock())
    life.arrive(update(expires_in_s=120))
    await life.deliver(500)
    assert life.journal.outcomes() == [("L-1", 1, "REJECTED")]
    assert life.clock.now_s == pytest.approx(120, abs=61)


async def test_an_attempt_with_nothing_to_send_makes_no_call() -> None:
    channel = Scripted()
    life = Lifetime(channel, Journal(), Clock())
    assert await life.delivery.attempt() is False
    assert channel.sent == []


async def test_what_a_call_could_not_carry_waits_on_and_nothing_is_held_against_the_channel() -> None:
    later = Result("L-2", 1, Outcome.LATER)
    channel = Scripted([Result("L-1", 1, Outcome.ACCEPTED), later])
    life = Lifetime(channel, Journal(), Clock())
    life.arrive(update("L-1"), update("L-2"))
    await life.delivery.attempt()
    assert life.delivery.wait_s() == 0.0
    assert life.delivery.tallies.failed_calls == 0
    await life.deliver()
    assert channel.sent == [["L-1", "L-2"], ["L-2"]]


async def test_a_channel_that_keeps_failing_is_left_alone_and_then_probed_with_the_most_urgent_update() -> None:
    channel = Scripted(*[Outcome.RETRY] * 5)
    life = Lifetime(channel, Journal(), Clock())
    life.delivery.backoff.base_s = 0.0
    life.arrive(*(update(f"L-{number}") for number in range(3)))
    for _ in range(5):
        assert life.delivery.breaker.state(0) == "CLOSED"
        await life.delivery.attempt()
    assert life.delivery.breaker.state(0) == "OPEN"
    assert life.delivery.wait_s() == pytest.approx(1.0)
    life.arrive(update("L-stop", 1, 0, priority="P0"))
    await life.deliver()
    assert channel.sent[5:] == [["L-stop"], ["L-0"], ["L-1", "L-2"]]


async def test_throttling_does_not_open_the_breaker() -> None:
    life = Lifetime(Scripted(*[Outcome.RETRY] * 20, retry_after_s=0.0), Journal(), Clock())
    life.arrive(update(expires_in_s=86_400))
    await life.deliver()
    assert life.delivery.breaker.openings == 0


async def test_what_the_channel_showed_before_is_acknowledged_with_the_answer() -> None:
    channel = Scripted([Result("L-1", 1, Outcome.REJECTED, "STALE", previous=7)])
    life = Lifetime(channel, Journal(), Clock())
    life.arrive(update("L-1"))
    await life.deliver()
    assert [one.previous_quantity for one in life.journal.acknowledgements] == [7]


async def test_an_update_is_sent_with_what_the_channel_accepted_last_not_with_what_was_planned_before_it() -> None:
    channel = Scripted(Outcome.ACCEPTED, Outcome.REJECTED)
    life = Lifetime(channel, Journal(), Clock())
    # Planned while others were on their way: 5 was replaced before it was sent, 3 is refused.
    for publish_seq, quantity, believed in ((1, 9, None), (2, 5, 9), (3, 3, 5), (4, 2, 3)):
        life.arrive(update("L-1", publish_seq, quantity)._replace(expected_previous=believed))
        if quantity != 5:
            await life.deliver()
    assert channel.believed == [None, 9, 3]


async def test_a_channel_that_is_called_for_each_update_is_sent_as_many_as_there_are_tokens() -> None:
    channel = Scripted()
    channel.limits = Limits(10, 1_000_000, each=True)
    life = Lifetime(channel, Journal(), Clock())
    life.delivery.bucket = TokenBucket(1.0, 3)
    life.arrive(*(update(f"L-{number}") for number in range(5)), update("L-9", 1, 0, priority="P0"))
    await life.delivery.attempt()
    assert channel.sent == [["L-9", "L-0", "L-1"]]
    assert life.delivery.wait_s() == pytest.approx(1.0)
    life.clock.advance(2.0)
    await life.delivery.attempt()
    assert channel.sent[1:] == [["L-2", "L-3"]]
    await life.deliver()
    assert channel.sent[2:] == [["L-4"]]


async def test_an_attempt_without_a_call_is_no_probe_of_a_broken_channel() -> None:
    channel = Scripted(*[Outcome.RETRY] * 5, Outcome.LATER)
    life = Lifetime(channel, Journal(), Clock())
    life.delivery.backoff.base_s = 0.0
    life.arrive(update())
    for _ in range(6):
        life.clock.advance(life.delivery.wait_s())
        await life.delivery.attempt()
    assert life.delivery.breaker.state(round(life.clock.now_s * 1e6)) == "HALF_OPEN"
    assert life.delivery.wait_s() == 0.0
