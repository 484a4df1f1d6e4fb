"""The bulk route to Omnichannel Inventory: one import at a time of what is not urgent.

An import that was not uploaded yet is given back when an urgent value comes for one of its listings; one that was
uploaded cannot be called back here, so the value waits for its end, and the import is looked at more often. What
an import of a former process may still do is not known: after a takeover nothing is sent for ``settle_s``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from connectors.channels.base import Outcome, Result, Update, same_answer
from connectors.channels.http import Answered, CallFailed, UnreadableAnswer
from connectors.channels.http_status import succeeded
from connectors.channels.routes import BULK, RoutedCaller
from connectors.channels.salesforce_import_wire import (
    COMPLETED,
    MOST_FILE_BYTES,
    PATH,
    WAITING,
    Links,
    encode,
    form,
    initiation,
    read_links,
    read_progress,
    read_results,
)
from connectors.channels.salesforce_wire import unfit

log = logging.getLogger(__name__)

PAUSE_S = 300.0
"""How long no import is tried after one failed: what was in it goes by batches meanwhile."""
HURRY_S = 1.0
MOST_LOOKS = 3
"""How often a result file that cannot be read is asked for."""
_JSON = {"content-type": "application/json", "accept": "application/json"}


class ImportPlan(NamedTuple):
    """From how many waiting listings on, how many in one, how often it is looked at, how long it may take, and how
    long nothing is sent after a takeover; times in seconds. 1,000 is what Salesforce advises ("Best Practices").
    """

    worth: int = 1_000
    records: int = 5_000
    poll_s: float = 10.0
    patience_s: float = 3_600.0
    settle_s: float = 60.0


class Stage(Enum):
    """How far an import is."""

    TAKEN = "TAKEN"
    INITIATED = "INITIATED"
    UPLOADED = "UPLOADED"
    COMPLETED = "COMPLETED"


@dataclass(slots=True)
class Import:
    """One import. ``results``: where its result file is. ``confirmed``: the upload was answered."""

    batch: tuple[Update, ...]
    due: float
    until: float
    stage: Stage = Stage.TAKEN
    withdrawn: bool = False
    links: Links | None = None
    results: str = ""
    confirmed: bool = False
    looks: int = 0


class SalesforceImports:
    """A ``BulkRoute``, each of whose calls takes a token of ``BULK``. ``monotonic`` gives seconds."""

    def __init__(
        self, caller: RoutedCaller, url: str, location: str, plan: ImportPlan, monotonic: Callable[[], float]
    ) -> None:
        self._caller = caller
        self._url = url.rstrip("/") + PATH
        self._location = location
        self._plan = plan
        self._monotonic = monotonic
        self._import: Import | None = None
        self._not_before = float("-inf")
        self._held_until = float("-inf")

    def room(self, waiting: int) -> int:
        """A whole import, when it is worth one and none is unfinished."""
        idle = self._import is None and self._monotonic() >= self._not_before and self.hold_s() == 0
        idle = idle and self._caller.meters.wait_s(BULK) == 0
        return self._plan.records if idle and waiting >= self._plan.worth else 0

    def submit(self, batch: Sequence[Update]) -> None:
        """Take a batch; ``go_on`` submits it."""
        now = self._monotonic()
        self._import = Import(tuple(batch), due=now, until=now + self._plan.patience_s)

    def hurry(self, listing: str) -> None:
        """Give the import back if nothing was uploaded yet, else look sooner."""
        current = self._import
        if current is not None and any(update.listing == listing for update in current.batch):
            current.withdrawn = True
            current.due = min(current.due, self._monotonic() + HURRY_S)

    def taken_over(self) -> None:
        """Wait until an import of before has ended, as far as one can tell."""
        self._held_until = self._monotonic() + self._plan.settle_s

    def given_up(self) -> None:
        """Give the import back if nothing was uploaded yet."""
        if self._import is not None:
            self._import.withdrawn = True

    def hold_s(self) -> float:
        """Seconds until what a former process imported counts as ended."""
        return max(0.0, self._held_until - self._monotonic())

    async def go_on(self) -> Sequence[Result]:
        """The next step with the import, if it is due."""
        current = self._import
        if current is None or self._monotonic() < current.due:
            return ()
        if current.withdrawn and current.stage in (Stage.TAKEN, Stage.INITIATED):
            return self._end(same_answer(current.batch, Outcome.RETRY, "IMPORT_WITHDRAWN"))
        try:
            match current.stage:
                case Stage.TAKEN:
                    return await self._initiate(current)
                case Stage.INITIATED:
                    return await self._upload(current)
                case Stage.UPLOADED:
                    return await self._look(current)
                case Stage.COMPLETED:
                    return await self._judge(current)
        except UnreadableAnswer as error:
            return self._later(current, str(error))

    async def _initiate(self, current: Import) -> Sequence[Result]:
        unknown_to_them = [update for update in current.batch if unfit(update)]
        current.batch = tuple(update for update in current.batch if not unfit(update))
        refused = same_answer(unknown_to_them, Outcome.REJECTED, "SKU_CHARACTERS")
        if not current.batch:
            return self._end(refused)
        answer = await self._caller.call(BULK, "POST", self._url, headers=_JSON, body=initiation(_name(current)))
        if isinstance(answer, CallFailed) or not succeeded(answer):
            return [*refused, *self._failed(current, answer)]
        try:
            current.links = read_links(answer, self._url)
        except UnreadableAnswer as error:
            return [*refused, *self._failed(current, CallFailed(Outcome.RETRY, str(error)))]
        current.stage = Stage.INITIATED
        return refused

    async def _upload(self, current: Import) -> Sequence[Result]:
        file = encode(current.batch, self._location)
        if current.links is None or len(file) > MOST_FILE_BYTES:
            return self._failed(current, CallFailed(Outcome.RETRY, "TOO_LARGE"))
        headers, body = form(_name(current), file)
        answer = await self._caller.call(BULK, "POST", current.links.upload, headers=headers, body=body)
        never_arrived = isinstance(answer, CallFailed) and answer.outcome is Outcome.RETRY
        if never_arrived or (isinstance(answer, Answered) and 300 <= answer.status < 500):
            return self._failed(current, answer)
        # Without an answer, or with one of a broken server, the file may be there all the same.
        current.confirmed = isinstance(answer, Answered) and succeeded(answer)
        current.stage = Stage.UPLOADED
        current.due = self._monotonic() + self._plan.poll_s
        return ()

    async def _look(self, current: Import) -> Sequence[Result]:
        if current.links is None:
            raise UnreadableAnswer("NO_LINK")
        answer = await self._caller.call(BULK, "GET", current.links.status)
        if isinstance(answer, CallFailed) or not succeeded(answer):
            return self._later(current, _reason(answer))
        progress = read_progress(answer, self._url)
        if progress.status == COMPLETED:
            current.stage, current.results = Stage.COMPLETED, progress.results or ""
            return ()
        if progress.status == WAITING and not current.confirmed and not current.withdrawn:
            # It waits for the file, so the upload did not arrive.
            current.stage = Stage.INITIATED
        if not progress.unfinished:
            return self._failed(current, CallFailed(Outcome.RETRY, f"IMPORT_{progress.status}"))
        return self._later(current, "IMPORT_ENDLESS")

    async def _judge(self, current: Import) -> Sequence[Result]:
        current.looks += 1
        if not current.results or current.looks > MOST_LOOKS:
            # It is over; what became of each nobody can tell: they are told again, one way or the other.
            return self._end(same_answer(current.batch, Outcome.UNKNOWN, "NO_RESULT_FILE"))
        answer = await self._caller.call(BULK, "GET", current.results)
        if isinstance(answer, CallFailed) or not succeeded(answer):
            return self._later(current, _reason(answer))
        return self._end(read_results(current.batch, answer))

    def _later(self, current: Import, reason: str) -> Sequence[Result]:
        """Look again in a while, unless it takes too long."""
        now = self._monotonic()
        if now < current.until:
            current.due = now + (HURRY_S if current.withdrawn else self._plan.poll_s)
            return ()
        self._pause()
        return self._end(same_answer(current.batch, Outcome.UNKNOWN, reason))

    def _failed(self, current: Import, answer: Answered | CallFailed) -> Sequence[Result]:
        """Nothing of it happened, and what was in it goes the other way for a while."""
        reason = _reason(answer)
        self._pause(answer.retry_after_s if isinstance(answer, Answered) else None)
        log.warning("import of %d records failed: %s", len(current.batch), reason)
        return self._end(same_answer(current.batch, Outcome.RETRY, reason))

    def _pause(self, asked_s: float | None = None) -> None:
        self._not_before = self._monotonic() + max(PAUSE_S, asked_s or 0.0)

    def _end(self, results: Sequence[Result]) -> Sequence[Result]:
        self._import = None
        return results


def _reason(answer: Answered | CallFailed) -> str:
    return answer.reason if isinstance(answer, CallFailed) else f"HTTP {answer.status}"


def _name(current: Import) -> str:
    return f"atstream-{max(update.publish_seq for update in current.batch)}.json"
