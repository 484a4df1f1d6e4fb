"""What an HTTP status other than 2xx means for the updates of a batch, where a vendor says nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from connectors.channels.base import REASON_CHARS, Outcome, Result, Update, in_one_line, same_answer
from connectors.channels.http import Answered, CallFailed

_UNAVAILABLE = 503
_THROTTLED = (429, _UNAVAILABLE)
_FAILED = 500  # the receiver broke, perhaps over something that one update says
# A gateway gave up waiting, or lost its connection; what stands behind it may still be working on the call.
# Cloudflare says 520 and 524 for that.
_GATEWAY_GAVE_UP = (502, 504, 520, 524)
# No update can cause these: the credentials, the address or the server are wrong. Waiting loses nothing.
_NOT_THE_UPDATE = (401, 403, 404, 405, 407, 408, 410, 421, 425, 426)


def succeeded(answer: Answered) -> bool:
    """Whether the status says that the request was taken."""
    return 200 <= answer.status < 300


def gateway_gave_up(answer: Answered) -> bool:
    """Whether only a gateway answered, which does not know what became of the request.

    Varnish says 503, with a ``Retry-After``, also when what stands behind it has not answered in time.
    """
    if answer.status == _UNAVAILABLE:
        return "varnish" in answer.headers.get("Via", "").lower() or "X-Varnish" in answer.headers
    return answer.status in _GATEWAY_GAVE_UP


class NotTaken(NamedTuple):
    """What a call without a 2xx means for all it carried. ``retry_after_s`` only with RETRY."""

    outcome: Outcome
    reason: str
    retry_after_s: float | None = None


def verdict(answer: Answered | CallFailed, updates: int) -> NotTaken:
    """What a call without a 2xx means for the updates it carried.

    Throttled, down or refused credentials is RETRY; a gateway that gave up is UNKNOWN; a broken receiver, and a
    batch refused as a whole, is SPLIT; one update that is refused alone is REJECTED with the first words of the
    explanation.
    """
    if isinstance(answer, CallFailed):
        return NotTaken(answer.outcome, answer.reason)
    status, reason = answer.status, f"HTTP {answer.status}"
    if gateway_gave_up(answer):
        return NotTaken(Outcome.UNKNOWN, reason)
    if status in _THROTTLED:
        return NotTaken(Outcome.RETRY, reason, answer.retry_after_s)
    if status == _FAILED:
        return NotTaken(Outcome.SPLIT, reason)
    if status in _NOT_THE_UPDATE or status >= 500 or status < 400:
        return NotTaken(Outcome.RETRY, reason)
    if updates > 1:
        return NotTaken(Outcome.SPLIT, reason)
    return NotTaken(Outcome.REJECTED, explained(reason, answer.body))


def not_taken(batch: Sequence[Update], answer: Answered | CallFailed) -> list[Result]:
    """One result for each update after a call without a 2xx (``verdict``)."""
    return same_answer(batch, *verdict(answer, len(batch)))


def explained(reason: str, body: bytes | None) -> str:
    """A reason with the first words of the receiver's explanation."""
    words = "" if body is None else in_one_line(body[: 4 * REASON_CHARS].decode("utf-8", "replace"))
    return f"{reason}: {words}" if words else reason
