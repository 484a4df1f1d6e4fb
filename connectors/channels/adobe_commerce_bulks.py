"""The bulk route to Adobe Commerce: bulks of source items that the shop works on from its queue.

A bulk cannot be called back. A listing in one waits for its end; an urgent value makes us look more often. A bulk
whose submission was not answered, and bulks of a former process, are found by searching for open operations: until
there are none, the lost bulk stays unanswered, and after a takeover nothing is sent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from connectors.channels.adobe_commerce_wire import (
    OPEN,
    SUBMIT_PATH,
    encode,
    open_path,
    read_open,
    read_status,
    read_submitted,
    result_of,
    status_path,
)
from connectors.channels.base import Outcome, Result, Update, same_answer
from connectors.channels.http import Answered, CallFailed, UnreadableAnswer
from connectors.channels.http_status import gateway_gave_up, succeeded
from connectors.channels.routes import BULK, RoutedCaller

log = logging.getLogger(__name__)

PAUSE_S = 60.0
"""How long no bulk is tried after one was refused: what was in it goes at once meanwhile."""
HURRY_S = 1.0
HOLD_S = 0.2
_GONE, _UNAVAILABLE = 404, 503
_JSON = {"content-type": "application/json", "accept": "application/json"}


class BulkPlan(NamedTuple):
    """From how many waiting listings on, how many in one, how many open, how often each is looked at and how long
    it may take; times in seconds. A shop's queue is emptied by a job that by default starts every minute.
    """

    worth: int = 200
    requests: int = 500
    most_open: int = 10
    poll_s: float = 5.0
    patience_s: float = 1_800.0


class Stage(Enum):
    """How far a bulk is. LOST: nobody knows whether the shop took it."""

    TAKEN = "TAKEN"
    SUBMITTED = "SUBMITTED"
    LOST = "LOST"


@dataclass(slots=True)
class Bulk:
    """Updates that go together; ``left`` are those without an answer."""

    left: dict[str, Update]
    due: float
    until: float
    stage: Stage = Stage.TAKEN
    bulk_uuid: str = ""
    withdrawn: bool = False


@dataclass(slots=True)
class AdobeCommerceBulks:
    """A ``BulkRoute``, each of whose calls takes a token of ``BULK``. ``monotonic`` gives seconds."""

    caller: RoutedCaller
    url: str
    source_code: str
    plan: BulkPlan
    monotonic: Callable[[], float]
    _bulks: list[Bulk] = field(default_factory=list)
    _not_before: float = float("-inf")
    _held_until: float | None = None
    _search_due: float = 0.0

    def room(self, waiting: int) -> int:
        """A whole bulk, when it is worth one and the shop's queue moves."""
        moves = len(self._bulks) < self.plan.most_open and self.monotonic() >= self._not_before
        moves = moves and self.caller.meters.wait_s(BULK) == 0
        return self.plan.requests if moves and self._held_until is None and waiting >= self.plan.worth else 0

    def submit(self, batch: Sequence[Update]) -> None:
        """Take a batch; ``go_on`` submits it."""
        now = self.monotonic()
        updates = {update.listing: update for update in batch}
        self._bulks.append(Bulk(updates, due=now, until=now + self.plan.patience_s))

    def hurry(self, listing: str) -> None:
        """Give the bulk back if it was not submitted yet, else look sooner."""
        for bulk in self._bulks:
            if listing in bulk.left:
                bulk.withdrawn = True
                bulk.due = min(bulk.due, self.monotonic() + HURRY_S)

    def taken_over(self) -> None:
        """Hold everything until no operation of before is open, or for as long as a bulk may take."""
        self._held_until = self.monotonic() + self.plan.patience_s
        self._search_due = self.monotonic()

    def given_up(self) -> None:
        """Give back what was not submitted yet."""
        for bulk in self._bulks:
            bulk.withdrawn = True

    def hold_s(self) -> float:
        """While operations of before are open nothing may be sent."""
        return 0.0 if self._held_until is None else HOLD_S

    async def go_on(self) -> Sequence[Result]:
        """One step: the search for what is open when it is due, else with the bulk that is due for longest."""
        now = self.monotonic()
        if self._held_until is not None:
            if self._search_due <= now:
                await self._search()
            return ()
        due = [bulk for bulk in self._bulks if bulk.due <= now]
        if not due:
            return ()
        bulk = min(due, key=lambda one: one.due)
        results = await self._step(bulk)
        for result in results:
            del bulk.left[result.listing]
        if not bulk.left:
            self._bulks.remove(bulk)
        return results

    async def _step(self, bulk: Bulk) -> Sequence[Result]:
        updates = list(bulk.left.values())
        if bulk.stage is Stage.TAKEN:
            if bulk.withdrawn:
                return same_answer(updates, Outcome.RETRY, "BULK_WITHDRAWN")
            return await self._submit(bulk, updates)
        results = await (self._find(updates) if bulk.stage is Stage.LOST else self._look(bulk, updates))
        now = self.monotonic()
        if len(results) < len(updates) and now >= bulk.until:
            answered = {result.listing for result in results}
            rest = [update for update in updates if update.listing not in answered]
            self._not_before = now + PAUSE_S
            return [*results, *same_answer(rest, Outcome.UNKNOWN, "BULK_ENDLESS")]
        bulk.due = now + (HURRY_S if bulk.withdrawn else self.plan.poll_s)
        return results

    async def _submit(self, bulk: Bulk, updates: Sequence[Update]) -> Sequence[Result]:
        body = encode(updates, self.source_code)
        answer = await self.caller.call(BULK, "POST", self.url + SUBMIT_PATH, headers=_JSON, body=body)
        bulk.due = self.monotonic() + self.plan.poll_s
        if _certainly_not_taken(answer):
            return self._refused(updates, answer)
        bulk.stage = Stage.LOST
        if isinstance(answer, CallFailed) or not succeeded(answer):
            return ()
        try:
            submitted = read_submitted(updates, answer)
        except UnreadableAnswer as error:
            log.warning("the shop's answer to a bulk tells nothing (%s): waiting for what is open", error)
            return ()
        bulk.stage, bulk.bulk_uuid = Stage.SUBMITTED, submitted.bulk_uuid
        return [
            Result(update.listing, update.publish_seq, Outcome.REJECTED, submitted.rejected[update.listing])
            for update in updates
            if update.listing in submitted.rejected
        ]

    async def _look(self, bulk: Bulk, updates: Sequence[Update]) -> Sequence[Result]:
        """What is no longer open."""
        answer = await self.caller.call(BULK, "GET", self.url + status_path(bulk.bulk_uuid))
        if isinstance(answer, Answered) and answer.status == _GONE:
            # Cleaned up: nothing of it can happen any more, and nobody knows what did.
            return same_answer(updates, Outcome.UNKNOWN, "BULK_GONE")
        if isinstance(answer, CallFailed) or not succeeded(answer):
            return ()
        try:
            status = read_status(answer, self.source_code)
        except UnreadableAnswer as error:
            log.warning("the status of bulk %s cannot be read: %s", bulk.bulk_uuid, error)
            return ()
        shown = [(update, status.operations.get(update.listing)) for update in updates]
        ended = [(one, how) for one, how in shown if status.finished or (how is not None and how.status != OPEN)]
        return [result_of(update, operation) for update, operation in ended]

    async def _find(self, updates: Sequence[Update]) -> Sequence[Result]:
        """A lost bulk is over when nothing is open: whatever it did is told again."""
        return same_answer(updates, Outcome.UNKNOWN, "BULK_LOST") if await self._open() == 0 else ()

    async def _search(self) -> None:
        now = self.monotonic()
        waited = self._held_until is not None and now >= self._held_until
        count = await self._open()
        if count == 0 or waited:
            if count != 0:
                log.warning("%s operations of before are still open: going on without them", count)
            self._held_until = None
        self._search_due = now + self.plan.poll_s

    async def _open(self) -> int | None:
        """How many operations with source items are open; None when the shop does not tell."""
        answer = await self.caller.call(BULK, "GET", self.url + open_path())
        if isinstance(answer, CallFailed) or not succeeded(answer):
            return None
        try:
            return read_open(answer)
        except UnreadableAnswer:
            return None

    def _refused(self, updates: Sequence[Update], answer: Answered | CallFailed) -> Sequence[Result]:
        """Nothing of it was taken, and what was in it goes the other way for a while."""
        reason, asked_s = (
            (answer.reason, None)
            if isinstance(answer, CallFailed)
            else (f"HTTP {answer.status}", answer.retry_after_s)
        )
        self._not_before = self.monotonic() + max(PAUSE_S, asked_s or 0.0)
        log.warning("a bulk of %d was not taken: %s", len(updates), reason)
        return same_answer(updates, Outcome.RETRY, reason)


def _certainly_not_taken(answer: Answered | CallFailed) -> bool:
    """Whether the shop said so. A gateway that gives up does not know what the shop goes on to do."""
    if isinstance(answer, CallFailed):
        return answer.outcome is Outcome.RETRY
    return 300 <= answer.status < 500 or (answer.status == _UNAVAILABLE and not gateway_gave_up(answer))
