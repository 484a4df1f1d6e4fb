"""What listings sell: fields become what they say."""

from __future__ import annotations

import re
from sys import intern

from domain.listing_map import Listed
from domain.prices import Price
from schemas.checks import Checks, Fields, problem_with
from schemas.limits import MAX_PRICE, count_problem, text_problem
from schemas.rejections import ABSURD_QUANTITY, INVALID_TEXT, MISSING_FIELD, Rejection, quoted, rejection
from schemas.topics import is_channel_name

_CURRENCY = re.compile("[A-Z]{3}")

_LISTING = Checks(
    texts=("channel", "listing"),
    optional_texts=("sku",),
    counts=("pack_size",),
    times=("as_of",),
)


def listed(fields: Fields) -> Listed | Rejection:
    """What a listing sells, and for how much."""
    problem = problem_with(fields, _LISTING) or _channel_problem(fields["channel"]) or _price_problem(fields)
    if problem is not None:
        return problem
    if fields["pack_size"] < 1:
        return rejection(ABSURD_QUANTITY, "pack_size", f"{fields['pack_size']} is below 1")
    sku, price = fields["sku"], fields["price"]
    return Listed(
        intern(fields["channel"]),
        fields["listing"],
        None if sku is None else intern(sku),
        fields["pack_size"],
        fields["as_of"],
        None if price is None or sku is None else Price(price, intern(fields["currency"])),
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


def _price_problem(fields: Fields) -> Rejection | None:
    """A price that could be of another unit or currency than it seems would be worse than none."""
    price, currency = fields["price"], fields["currency"]
    if price is None and currency is None:
        return None
    if currency is None:
        return rejection(MISSING_FIELD, "currency", "is needed beside a price")
    if price is None:
        return rejection(MISSING_FIELD, "price", "is needed beside a currency")
    if not _CURRENCY.fullmatch(currency):
        return rejection(INVALID_TEXT, "currency", f"{quoted(currency)} is no three capital letters of ISO 4217")
    return count_problem("price", price, MAX_PRICE)


def _channel_problem(channel: str) -> Rejection | None:
    if is_channel_name(channel):
        return None
    return rejection(INVALID_TEXT, "channel", f"{quoted(channel)} is no channel: use A-Z a-z 0-9 _ -, at most 100")
