"""From the backlog to the channel and back: one attempt at a time, the most urgent updates first.

Every retry takes its batch from the backlog anew, so that it carries the newest values, and a value that expires
or is replaced while the channel is down is never sent. Nothing is settled before its acknowledgement is durable.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from connectors.channels.answers import (
    Acknowledge,
    Answer,
    as_answered,
    as_expired,
    is_an_answer,
    judged_alone,
    require_one_each,
)
from connectors.channels.backlog import Backlog, Waiting
from connectors.channels.backoff import Backoff
from connectors.channels.base import ChannelSink, Outcome, Result, refusal_s
from connectors.channels.bulk import BULK_FROM, BulkRoute
from connectors.channels.latest import LatestSettled
from connectors.channels.rate import CallBucket
from connectors.channels.read_back import ReadBack
from connectors.channels.tallies import Tallies
from domain.breaker import Breaker
from domain.facts import SECOND, Acknowledgement, Micros

__all__ = ["Acknowledge", "Answer", "Delivery", "Tallies"]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Delivery:
    """Attempts, back-off, rate and settlement for one channel.

    ``wall_clock`` gives microseconds since the epoch, ``monotonic`` seconds. An update whose attempts ended
    without an answer ``unknown_attempts`` times is acknowledged UNKNOWN: the planner decides what follows.
    ``may_call`` is asked again before each call, since writing something down before takes its time.
    """

    sink: ChannelSink
    backlog: Backlog
    latest: LatestSettled
    acknowledge: Acknowledge
    bucket: CallBucket
    backoff: Backoff
    wall_clock: Callable[[], Micros]
    monotonic: Callable[[], float]
    unknown_attempts: int = 3
    bulk: BulkRoute | None = None
    read_back: ReadBack | None = None
    may_call: Callable[[], bool] = lambda: True
    breaker: Breaker = field(default_factory=Breaker)
    tallies: Tallies = field(default_factory=Tallies)
    _taken: int = 0
    _not_before: float = 0.0
    _most: int | None = None
    _submitted: dict[tuple[str, int], Waiting] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.bulk is not None:
            self.backlog.overtaken = self._hurry

    @property
    def idle(self) -> bool:
        """Whether an attempt would have nothing to do: nothing waits, and nothing is to be read back now."""
        return not len(self.backlog) and not self._is_read_due()

    def wait_s(self) -> float:
        """Seconds until an attempt is allowed: back-off, rate, breaker, and submissions that must end first."""
        now = self.monotonic()
        opens = self.breaker.next_at(_micros(now))
        broken_s = 0.0 if opens is None else opens / SECOND - now
        held_s = 0.0 if self.bulk is None else self.bulk.hold_s()
        wait_s = max(0.0, self._not_before - now, broken_s, held_s)
        batch = min(len(self.backlog), self._batch_size())
        calls = max(batch if self.sink.limits.each else min(batch, 1), self._is_read_due())
        return max(wait_s, self.bucket.wait_s(now, wanted=calls if wait_s == 0 else 0))

    @property
    def resting(self) -> bool:
        """Whether no attempt is allowed because the last one failed."""
        return self.monotonic() < self._not_before

    @property
    def submitted(self) -> int:
        """How many updates wait for the answer to a bulk submission."""
        return len(self._submitted)

    async def attempt(self) -> bool:
        """Send the most urgent batch once, or resolve a doubt; False when there was nothing to do.

        Raises ``Exception``: whatever ``acknowledge`` raises; the updates are then not settled.
        """
        submitted = await self._submit()
        back, now, most = self.read_back, self.monotonic(), self._batch_size()
        if back is not None and await back.step(now, self.wall_clock(), most, self._send, self.bucket):
            return True
        batch = self.backlog.take(self._batch_size())
        if live := await self._live(batch):
            await self._send(live)
        return submitted or bool(batch)

    async def settle_later(self, results: Sequence[Result]) -> None:
        """Settle what ``bulk`` answered. Answers to updates that are not ours any more are dropped.

        Raises ``Exception``: whatever ``acknowledge`` raises; the updates are then not settled.
        """
        now = self.wall_clock()
        settled: list[tuple[Waiting, Acknowledgement]] = []
        answered = [(self._submitted.pop((one.listing, one.publish_seq), None), one) for one in results]
        ours = [(one, result) for one, result in answered if one is not None and self.backlog.in_flight(one)]
        for one, result in await self._noted(ours):
            if self._is_final(one, result):
                settled.append((one, as_answered(one, result, now)))
            else:
                self.backlog.give_back(one)
        await self._settle(settled)

    def _hurry(self, newer: Waiting) -> None:
        """A newer value waits behind one in flight: if it is urgent, a submission must not keep it waiting."""
        if self.bulk is not None and newer.urgency < BULK_FROM:
            self.bulk.hurry(newer.update.listing)

    def _batch_size(self) -> int:
        if self.breaker.calls(_micros(self.monotonic())) is not None:
            return 1
        limit = self.sink.limits.max_updates
        return limit if self._most is None else min(limit, self._most)

    def _is_read_due(self) -> bool:
        return self.read_back is not None and self.read_back.is_due(self.monotonic())

    async def _noted(self, answered: list[tuple[Waiting, Result]]) -> list[tuple[Waiting, Result]]:
        """The answers and what was seen when reading back. What had no answer is written down first."""
        if self.read_back is None:
            return answered
        await self.read_back.remember(answered, self.wall_clock())
        now = self.monotonic()
        return [(one, self.read_back.noted(one, result, now)) for one, result in answered]

    async def _live(self, batch: Sequence[Waiting]) -> list[Waiting]:
        """What has not expired; the rest is settled, which takes its time: what was lost meanwhile is left out."""
        now = self.wall_clock()
        expired = [one for one in batch if one.update.expires_at <= now]
        if expired:
            await self._settle([(one, as_expired(one, now)) for one in expired])
            self.tallies.expired += len(expired)
            batch = [one for one in batch if one.update.expires_at > now and self.backlog.in_flight(one)]
        return list(batch)

    async def _submit(self) -> bool:
        # Counting looks at all that is queued for it: only when all that waits would be enough.
        if self.bulk is None or self.bulk.room(len(self.backlog)) <= 0:
            return False
        room = self.bulk.room(self.backlog.count(least=BULK_FROM))
        if room <= 0:
            return False
        batch = self.backlog.take(room, least=BULK_FROM)
        live = await self._live(batch)
        if live:
            self._begin(live)
            self.bulk.submit([one.update for one in live])
            self._submitted.update(((one.update.listing, one.update.publish_seq), one) for one in live)
        return bool(batch)

    def _begin(self, batch: Sequence[Waiting]) -> float:
        now = self.monotonic()
        for one in batch:
            one.began_at = now
        return now

    def _metered(self, batch: Sequence[Waiting]) -> Sequence[Waiting]:
        """What there are tokens for, which are taken: one for the batch, or one for each update of it."""
        now, calls = self.monotonic(), 1
        self.bucket.take(now)
        self.tallies.calls += 1
        if self.sink.limits.each:
            while calls < len(batch) and self.bucket.wait_s(now) == 0:
                self.bucket.take(now)
                calls += 1
            for one in batch[calls:]:
                self.backlog.give_back(one)
            batch = batch[:calls]
        return batch

    async def _send(self, batch: Sequence[Waiting]) -> None:
        if not self.may_call():
            for one in batch:
                self.backlog.give_back(one)
            return
        breaker, batch = self.breaker, self._metered(batch)
        self.breaker = breaker.began(_micros(self._begin(batch)))
        try:
            results = await self.sink.send([self.latest.as_known(one.partition, one.update) for one in batch])
            require_one_each(batch, results)
        except BaseException:
            for one in batch:
                self.backlog.give_back(one)
            raise
        if all(result.outcome is Outcome.LATER for result in results):
            self.breaker = breaker  # no call was made: a probe is still to be made
        alone = len(batch) == 1 and results[0].outcome is Outcome.SPLIT
        judged = [judged_alone(batch[0], results[0], self._taken)] if alone else results
        now = self.wall_clock()
        settled: list[tuple[Waiting, Acknowledgement]] = []
        for one, result in await self._noted(list(zip(batch, judged, strict=True))):
            if self._is_final(one, result):
                settled.append((one, as_answered(one, result, now)))
            elif alone:
                self.backlog.set_aside(one)
            else:
                self.backlog.give_back(one)
        await self._settle(settled)
        self._pace([result for result in results if result.outcome is not Outcome.LATER])

    def _is_final(self, waiting: Waiting, result: Result) -> bool:
        match result.outcome:
            case Outcome.ACCEPTED:
                self.tallies.accepted += 1
                return True
            case Outcome.REJECTED:
                self.tallies.rejected += 1
                return True
            case Outcome.UNKNOWN:
                waiting.unknowns += 1
                if waiting.unknowns < self.unknown_attempts:
                    return False
                self.tallies.unknown += 1
                return True
            case Outcome.RETRY | Outcome.SPLIT | Outcome.LATER:
                return False

    async def _settle(self, settled: Sequence[tuple[Waiting, Acknowledgement]]) -> None:
        """Durable first, then remembered, then no longer waited for."""
        if not settled:
            return
        if self.read_back is not None:
            waiting = [one for one, _ in settled]
            await self.read_back.settling(waiting, self.wall_clock(), self.monotonic())
        await self.acknowledge([Answer(one.partition, acknowledgement) for one, acknowledgement in settled])
        for one, acknowledgement in settled:
            if one.partition in self.backlog.partitions:
                self.latest.settle(one.partition, acknowledgement)
            self.backlog.settle(one)

    def _pace(self, results: Sequence[Result]) -> None:
        """When the next attempt may be, and how many updates it may carry."""
        outcomes = {result.outcome for result in results}
        if not outcomes:
            return
        if Outcome.SPLIT in outcomes:
            self._most = max(1, len(results) // 2)
        if outcomes & {Outcome.RETRY, Outcome.UNKNOWN} or (Outcome.SPLIT in outcomes and len(results) == 1):
            self._rest(results)
        else:
            self.breaker = self.breaker.succeeded(_micros(self.monotonic()))
            if Outcome.SPLIT not in outcomes:
                self._succeeded()

    def _succeeded(self) -> None:
        self._taken += 1
        self.backoff.succeeded()
        self.backlog.reconsider()
        if self._most is not None:
            self._most = 2 * self._most if 2 * self._most < self.sink.limits.max_updates else None

    def _rest(self, results: Sequence[Result]) -> None:
        self.tallies.failed_calls += 1
        now = self.monotonic()
        asked = max((result.retry_after_s for result in results if result.retry_after_s is not None), default=None)
        if refusal_s(results) is not None:
            self.tallies.throttled += 1
            self.bucket.empty(now)
        pause = self.backoff.after_failure(asked)
        self._not_before = now + pause
        self._judge(results, now, pause)
        reason = next(one.reason for one in results if one.outcome not in (Outcome.ACCEPTED, Outcome.REJECTED))
        log.warning(
            "call failed (%s), %d in a row; %d listings wait; next attempt in %.1f s",
            reason, self.backoff.failures, len(self.backlog), pause,
        )  # fmt: skip

    def _judge(self, results: Sequence[Result], now: float, pause: float) -> None:
        """For the breaker a call failed unless the channel answered it: also that it is too much is an answer."""
        at = _micros(now)
        if any(is_an_answer(result) for result in results):
            self.breaker = self.breaker.succeeded(at)
        else:
            self.breaker = self.breaker.failed(at, at_least=_micros(pause))


def _micros(seconds: float) -> Micros:
    return round(seconds * SECOND)
