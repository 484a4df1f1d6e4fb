"""What generated readers stand on: numbers of Avro, read strictly, and the doubt that ends a fast reading.

A generated reader knows only the usual. Whatever is not (a length below zero, a number of ten bytes, a union
branch that does not exist, bytes that end too early) makes it raise one of ``DOUBTS``, and the message is read
again by ``plans.Plan.read``, which alone decides what is wrong with it, if anything.
"""

from __future__ import annotations

import struct

MAX_USUAL_BYTES = 9
"""Bytes of the longest number that is not doubted: below 2**62 in size. Ten bytes may not fit 64 bits."""


class Doubtful(ValueError):
    """These bytes are not the usual; a slower reader is to judge them."""


DOUBTS = (Doubtful, LookupError, UnicodeDecodeError, struct.error)
"""Lookups fail beyond the end of the bytes and for symbols and times that are not the usual."""

SMALL = tuple(number >> 1 if number % 2 == 0 else -1 - (number >> 1) for number in range(128))
"""What each number of one byte means (zigzag)."""

LENGTHS = tuple(number >> 1 if number < 128 and number % 2 == 0 else None for number in range(256))
"""What each length of one byte means; None: it is longer than a byte, or negative."""

# A time from 1978 to 3111 in microseconds takes exactly eight bytes, seven bits each. They are looked up two by
# two; only words whose bytes say "there is more" (but the very last) are there. What is not found is doubted.
QUARTERS = struct.Struct("<HHHH").unpack_from
_WORDS = {0x8080 | high << 8 | low: high << 7 | low for high in range(128) for low in range(128)}
FIRST = {word: bits >> 1 for word, bits in _WORDS.items() if bits % 2 == 0}
SECOND = {word: bits << 13 for word, bits in _WORDS.items()}
THIRD = {word: bits << 27 for word, bits in _WORDS.items()}
FOURTH = {word & 0x7FFF: bits << 41 for word, bits in _WORDS.items()}

FLOAT = struct.Struct("<f").unpack_from
DOUBLE = struct.Struct("<d").unpack_from


def long(b: bytes, i: int) -> tuple[int, int]:
    """The number that begins at ``i``, and where the next value begins."""
    number = 0
    for at in range(MAX_USUAL_BYTES):
        byte = b[i + at]
        number |= (byte & 0x7F) << (7 * at)
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), i + at + 1
    raise Doubtful


def length(b: bytes, i: int) -> tuple[int, int]:
    """The length that begins at ``i``, and where the bytes begin that it counts; there are as many."""
    number, i = long(b, i)
    if not 0 <= number <= len(b) - i:
        raise Doubtful
    return number, i


def block(b: bytes, i: int) -> tuple[int, int]:
    """The number of items in a block of an array or a map, and where the first one begins.

    Each takes a byte at least, so there are never more than bytes: no loop is longer than the message.
    """
    number, i = long(b, i)
    if not 0 < number <= len(b) - i:
        raise Doubtful
    return number, i


RUNTIME: dict[str, object] = {
    "_doubts": DOUBTS,
    "_doubtful": Doubtful,
    "_small": SMALL,
    "_lengths": LENGTHS,
    "_quarters": QUARTERS,
    "_first": FIRST,
    "_second": SECOND,
    "_third": THIRD,
    "_fourth": FOURTH,
    "_float": FLOAT,
    "_double": DOUBLE,
    "_long": long,
    "_length": length,
    "_block": block,
}
"""The names that generated readers use."""
