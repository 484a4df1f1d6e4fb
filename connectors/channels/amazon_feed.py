"""One listings feed on its way: what it holds, how far it is, and the next step with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from connectors.channels.amazon_calls import CANCELLED, DONE, FATAL, IN_QUEUE, Failed, FeedCalls, Seen
from connectors.channels.amazon_wire import feed_body, read_report
from connectors.channels.base import Outcome, Result, Update, same_answer
from connectors.channels.http import UnreadableAnswer

log = logging.getLogger(__name__)

HURRIED_POLL_S = 2.0
REPORT_ATTEMPTS = 5


class Stage(Enum):
    """How far a feed is."""

    TAKEN = "TAKEN"
    """Nothing was submitted yet."""
    UPLOADED = "UPLOADED"
    """Its document is there, and nothing becomes of a document alone."""
    SUBMITTED = "SUBMITTED"
    """Amazon has it."""
    REPORTED = "REPORTED"
    """It is done, and its report can be fetched."""
    LOST = "LOST"
    """Whether it was created is not known."""
    ENDED = "ENDED"
    """It is answered."""


@dataclass(slots=True, eq=False)
class Feed:
    """A feed of ``batch``. ``withdrawn``: it should be taken back, because something urgent waits behind it.

    ``poll_s`` and ``patience_s``: how often it is looked at, and how long it may take, in seconds.
    """

    batch: Sequence[Update]
    poll_s: float
    patience_s: float
    monotonic: Callable[[], float]
    stage: Stage = Stage.TAKEN
    feed_id: str = ""
    withdrawn: bool = False
    due: float = 0.0
    fatal: bool = False
    failure: Failed | None = None
    endless: bool = False
    _document: str = ""
    _report_id: str = ""
    _submitted_at: float = 0.0
    _report_attempts: int = 0

    def withdraw(self) -> None:
        """Take it back if that can still be done, and look at it more often."""
        self.withdrawn = True
        self.due = min(self.due, self.monotonic())

    async def step(self, calls: FeedCalls) -> list[Result]:
        """The next step; the answers when it ended, for each update once."""
        match self.stage:
            case Stage.TAKEN | Stage.UPLOADED if self.withdrawn:
                return self.end(Outcome.RETRY, "FEED_WITHDRAWN")
            case Stage.TAKEN:
                return await self._upload(calls)
            case Stage.UPLOADED:
                return await self._create(calls)
            case Stage.SUBMITTED:
                return await self._look(calls)
            case Stage.REPORTED:
                return await self._fetch(calls)
            case Stage.LOST | Stage.ENDED:
                return []

    def end(self, outcome: Outcome, reason: str) -> list[Result]:
        """It is over, and this is the answer to all of it."""
        self.stage = Stage.ENDED
        return same_answer(self.batch, outcome, reason)

    async def _upload(self, calls: FeedCalls) -> list[Result]:
        # Not on the event loop: writing 25,000 messages takes long enough to keep a stop-sell waiting.
        content = await asyncio.to_thread(feed_body, calls.offer, self.batch)
        document = await calls.upload(content)
        if isinstance(document, Failed):
            return self._not_submitted(document)
        self.stage, self._document = Stage.UPLOADED, document
        return []

    async def _create(self, calls: FeedCalls) -> list[Result]:
        created = await calls.create(self._document)
        if not isinstance(created, Failed):
            self.stage, self.feed_id, self._submitted_at = Stage.SUBMITTED, created, self.monotonic()
            self.due = self._submitted_at + (0.0 if self.withdrawn else self.poll_s)
            log.info("feed %s: %d listings submitted", created, len(self.batch))
            return []
        if not created.may_have_happened:
            return self._not_submitted(created)
        log.warning("whether a feed was created is not known: %s", created.reason)
        self.stage, self.failure = Stage.LOST, created
        return []

    def _not_submitted(self, failed: Failed) -> list[Result]:
        self.failure = failed
        return self.end(Outcome.RETRY, failed.reason)

    async def _look(self, calls: FeedCalls) -> list[Result]:
        seen = await calls.see(self.feed_id)
        pace_s = HURRIED_POLL_S if self.withdrawn else self.poll_s
        if isinstance(seen, Failed):
            pace_s = max(pace_s, seen.wait_s or 0.0)
        elif (answers := self._ended(seen)) is not None:
            return answers
        elif seen.status == IN_QUEUE and self.withdrawn and await calls.cancel(self.feed_id) is None:
            pace_s = 0.0  # the next look confirms it
        self.due = self.monotonic() + pace_s
        if self.stage is Stage.SUBMITTED and self.monotonic() - self._submitted_at > self.patience_s:
            self.endless = True
            log.warning(
                "feed %s has not ended after %.0f s: it may still overwrite", self.feed_id, self.patience_s
            )
            return self.end(Outcome.UNKNOWN, "FEED_NEVER_ENDED")
        return []

    def _ended(self, seen: Seen) -> list[Result] | None:
        if seen.status == CANCELLED:
            return self.end(Outcome.RETRY, "FEED_CANCELLED")
        if seen.status == FATAL:
            # Some, none or all of it was done, says the model.
            self.fatal = True
            return self.end(Outcome.UNKNOWN, "FEED_FATAL")
        if seen.status == DONE:
            if seen.report_id is None:
                return self.end(Outcome.UNKNOWN, "REPORT_MISSING")
            self.stage, self._report_id = Stage.REPORTED, seen.report_id
            return []
        return None

    async def _fetch(self, calls: FeedCalls) -> list[Result]:
        report = await calls.report(self._report_id)
        if not isinstance(report, Failed):
            try:
                results = read_report(self.batch, report)
            except UnreadableAnswer as error:
                return self.end(Outcome.UNKNOWN, str(error))
            self.stage = Stage.ENDED
            return results
        self._report_attempts += not report.held
        if self._report_attempts >= REPORT_ATTEMPTS:
            return self.end(Outcome.UNKNOWN, report.reason)
        self.due = self.monotonic() + max(self.poll_s, report.wait_s or 0.0)
        return []
