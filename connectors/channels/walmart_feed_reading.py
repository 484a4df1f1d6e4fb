"""A feed that Walmart has: looked at until it is worked off, then read for what became of each SKU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from connectors.channels.base import Outcome, Result, Update, same_answer
from connectors.channels.http import Answered, UnreadableAnswer
from connectors.channels.http_status import succeeded
from connectors.channels.walmart_caller import LOOK, WalmartCaller
from connectors.channels.walmart_feed_wire import (
    PAGE,
    UNFINISHED,
    Ingested,
    by_sku,
    details,
    feed_status,
    results_of,
    status_path,
)
from connectors.channels.walmart_wire import Place

PAGES_A_STEP = 5


@dataclass(slots=True)
class Submitted:
    """A feed under way. ``feed_id`` None: no answer said whether Walmart has it. Times in seconds.

    ``is_ours``: all its listings are, since it was submitted. ``is_urgent``: an urgent value waits for its end.
    """

    carried: Sequence[tuple[Update, Place]]
    feed_id: str | None
    at: float
    due: float
    ingested: list[Ingested] = field(default_factory=list)
    reading: bool = False
    is_ours: bool = True
    is_urgent: bool = False

    @property
    def updates(self) -> list[Update]:
        """The updates in it."""
        return [update for update, _ in self.carried]


async def read_feed(caller: WalmartCaller, one: Submitted) -> list[Result] | None:
    """One look: the results when there are all of them, None when there is more to wait for or to read.

    A feed without failures is known by its counts. Of another one the details are read, some pages a look.
    """
    if not one.reading:
        stated = await _status(caller, one)
        if stated is None or isinstance(stated, list):
            return stated
        one.reading = True
    for _ in range(PAGES_A_STEP):
        page = await _page(caller, one)
        if page is None:
            return None
        one.ingested += page
        if len(page) < PAGE or len(one.ingested) >= len(by_sku(one.carried)):
            return results_of(one.carried, one.ingested)
    one.due = one.at
    return None


async def _status(caller: WalmartCaller, one: Submitted) -> list[Result] | bool | None:
    """None: not worked off, or no answer. True: the details must be read."""
    number = one.feed_id or ""
    answer = await caller.call("GET", status_path(number), [number], quota=LOOK)
    try:
        stated = feed_status(answer) if isinstance(answer, Answered) and succeeded(answer) else None
    except UnreadableAnswer:
        return None
    if stated is None or stated.status in UNFINISHED:
        return None
    if stated.status != "PROCESSED":
        # Nothing of it was taken. Smaller feeds show what it was.
        outcome = Outcome.SPLIT if len(one.carried) > 1 else Outcome.REJECTED
        return same_answer(one.updates, outcome, "; ".join(stated.errors) or f"FEED_{stated.status}")
    if stated.failed == 0 and stated.succeeded == len(by_sku(one.carried)):
        return same_answer(one.updates, Outcome.ACCEPTED)
    return True


async def _page(caller: WalmartCaller, one: Submitted) -> list[Ingested] | None:
    number, offset = one.feed_id or "", len(one.ingested)
    answer = await caller.call("GET", status_path(number, offset), [number, str(offset)], quota=LOOK)
    try:
        return details(answer) if isinstance(answer, Answered) and succeeded(answer) else None
    except UnreadableAnswer:
        return None
