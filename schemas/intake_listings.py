"""What listings sell: fields become what they say."""

from __future__ import annotations

from sys import intern

from domain.listing_map import Listed
from schemas.checks import Checks, Fields, problem_with
from schemas.limits import text_problem
from schemas.rejections import ABSURD_QUANTITY, INVALID_TEXT, Rejection, quoted, rejection
from schemas.topics import is_channel_name

_LISTING = Checks(
    texts=("channel", "listing"),
    optional_texts=("sku",),
    counts=("pack_size",),
    times=("as_of",),
)


def listed(fields: Fields) -> Listed | Rejection:
    """What a listing sells."""
    problem = problem_with(fields, _LISTING) or _channel_problem(fields["channel"])
    if problem is not None:
        return problem
    if fields["pack_size"] < 1:
        return rejection(ABSURD_QUANTITY, "pack_size", f"{fields['pack_size']} is below 1")
    sku = fields["sku"]
    return Listed(
        intern(fields["channel"]),
        fields["listing"],
        None if sku is None else intern(sku),
        fields["pack_size"],
        fields["as_of"],
    )


def taken_down(key: bytes | None) -> Listed | Rejection:
    """A message without a value takes down the listing that its key names.

    ``as_of`` is 0 here: the reader knows when the message was written, see ``dated``.
    """
    try:
        channel, _, listing = (key or b"").decode().partition(":")
    except UnicodeDecodeError:
        channel = listing = "\0"
    problem = text_problem((("channel", channel), ("listing", listing))) or _channel_problem(channel)
    return problem or Listed(intern(channel), listing, None, 1, 0)


def dated(said: Listed, written_ms: int) -> Listed:
    """A listing taken down by a message without a value was so when the message was written."""
    return said if said.as_of else said._replace(as_of=written_ms * 1_000)


def _channel_problem(channel: str) -> Rejection | None:
    if is_channel_name(channel):
        return None
    return rejection(INVALID_TEXT, "channel", f"{quoted(channel)} is no channel: use A-Z a-z 0-9 _ -, at most 100")
