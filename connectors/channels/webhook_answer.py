"""What a 2xx answer to a batch of updates means for each of them (the response contract of the webhook)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from connectors.channels.base import Outcome, Result, Update, in_one_line, same_answer
from connectors.channels.http import Answered, CallFailed
from connectors.channels.http_status import not_taken, succeeded


def read_answer(batch: Sequence[Update], answer: Answered | CallFailed) -> list[Result]:
    """One result for each update.

    A 2xx without results accepts every update; with results, only what they say: an update they leave out, and
    any answer that cannot be read, is UNKNOWN.
    """
    if isinstance(answer, CallFailed) or not succeeded(answer):
        return not_taken(batch, answer)
    return _accepted(batch, answer.body)


def _accepted(batch: Sequence[Update], body: bytes | None) -> list[Result]:
    if body is None:
        return same_answer(batch, Outcome.UNKNOWN, "ANSWER_TOO_LARGE")
    if not body.strip():
        return same_answer(batch, Outcome.ACCEPTED)
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        # "OK" and the like: a receiver that does not speak of results.
        return same_answer(batch, Outcome.ACCEPTED)
    if not isinstance(answer, dict) or "results" not in answer:
        return same_answer(batch, Outcome.ACCEPTED)
    stated = answer["results"]
    if not isinstance(stated, list):
        return same_answer(batch, Outcome.UNKNOWN, "ANSWER_UNREADABLE")
    by_key = {_key(one): one for one in stated[: 2 * len(batch)] if isinstance(one, dict)}
    return [_result(update, by_key.get((update.listing, update.publish_seq))) for update in batch]


def _key(stated: dict[str, Any]) -> tuple[str, int] | None:
    listing, publish_seq = stated.get("listing"), stated.get("publish_seq")
    return (listing, publish_seq) if isinstance(listing, str) and type(publish_seq) is int else None


def _result(update: Update, stated: dict[str, Any] | None) -> Result:
    if stated is None:
        return Result(update.listing, update.publish_seq, Outcome.UNKNOWN, "NOT_IN_ANSWER")
    match stated.get("status"):
        case "accepted":
            return Result(update.listing, update.publish_seq, Outcome.ACCEPTED)
        case "rejected":
            stated_reason = stated.get("reason")
            reason = in_one_line(stated_reason) if isinstance(stated_reason, str) else ""
            return Result(update.listing, update.publish_seq, Outcome.REJECTED, reason or "NO_REASON_GIVEN")
        case _:
            return Result(update.listing, update.publish_seq, Outcome.UNKNOWN, "ANSWER_UNREADABLE")
