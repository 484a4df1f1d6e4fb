"""What generated writers stand on: Avro's bytes for numbers and texts, looked up where that is faster.

A generated writer knows only the usual. Whatever is not (a number that is no ``int``, a text that is no ``str``, a
list of many thousand) makes it raise one of ``DOUBTS``, and the record is written by ``writers.carefully``, which
alone decides what is wrong with it, if anything.
"""

from __future__ import annotations

MAX_TEXTS = 16_384
"""Encodings of texts that are remembered, of all topics together (3 MB of usual names); then it starts over."""

MAX_TEXT = 96
"""Characters of the longest text whose encoding is remembered."""

MAX_TIMES = 64
"""Times that are remembered."""

MAX_TAILS = 16_384
"""Upper parts of large numbers that are remembered."""


class Doubtful(ValueError):
    """The value is not the usual; a slower writer is to judge it."""


DOUBTS = (Doubtful, LookupError, TypeError, ValueError, AttributeError)
"""Lookups fail for symbols and counts that are not the usual; unpacking and texts fail with the others."""


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; all bytes but the last say that there is more."""
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    written.append(number)
    return bytes(written)


NEAR = 8_192
"""Numbers that are looked up: from -8,192 to 8,191."""

_LAST = [_varint(number) for number in range(2 * NEAR)]
_FIRST = [bytes((number & 127 | 128, number >> 7 | 128)) for number in range(2 * NEAR)]

# A negative index counts from the end, so that one list has the numbers of both signs.
LONGS = [*_LAST[0::2], *_LAST[:0:-2]]
"""Encodings of all numbers that are near 0, negative ones from the end."""

LENGTHS = _LAST[0::2]
"""Encodings of counts and lengths; longer ones are doubted."""


class _Tails(dict[int, bytes]):
    """What follows the lowest 28 bits of a number: it repeats in times, and in versions of one generation."""

    def __missing__(self, bits: int) -> bytes:
        if bits >> 36:
            raise Doubtful("does not fit into 64 bits")
        if len(self) >= MAX_TAILS:
            self.clear()
        tail = self[bits] = _varint(bits)
        return tail


_TAILS = _Tails()


def long(number: int) -> bytes:
    """Any number of 64 bits: zigzag, then seven bits a byte. Raises Doubtful."""
    if type(number) is not int:
        raise Doubtful("is no whole number")
    bits = number << 1 if number >= 0 else ~(number << 1)
    if bits < 16_384:
        return _LAST[bits]
    if bits < 268_435_456:
        return _FIRST[bits & 16_383] + _LAST[bits >> 14]
    return _FIRST[bits & 16_383] + _FIRST[bits >> 14 & 16_383] + _TAILS[bits >> 28]


def whole(number: int) -> bytes:
    """Any number of 32 bits. Raises Doubtful."""
    written = long(number)
    if not -(2**31) <= number < 2**31:
        raise Doubtful("does not fit into 32 bits")
    return written


class Times(dict[int, bytes]):
    """Encodings of times that repeat, such as when an epoch was computed. Bounded: see ``MAX_TIMES``."""

    def __missing__(self, at: int) -> bytes:
        written = long(at)
        if len(self) >= MAX_TIMES:
            self.clear()
        self[at] = written
        return written


TIMES = Times()


def boolean(value: bool) -> bytes:
    """One byte. Raises Doubtful for what is merely true or false enough."""
    if type(value) is not bool:
        raise Doubtful("is neither true nor false")
    return b"\1" if value else b"\0"


def text(value: str) -> bytes:
    """Length and UTF-8 of a text. Raises Doubtful, or UnicodeEncodeError for half a surrogate pair."""
    if type(value) is not str:
        raise Doubtful("is no text")
    written = value.encode()
    return LENGTHS[len(written)] + written


class Texts(dict[str, bytes]):
    """Encodings of texts that repeat, such as names of locations. Bounded: see ``MAX_TEXTS``."""

    def __missing__(self, value: str) -> bytes:
        written = text(value)
        if len(value) <= MAX_TEXT:
            if len(self) >= MAX_TEXTS:
                self.clear()
            self[value] = written
        return written


TEXTS = Texts()


def source_of_number(value: str, kind: str = "long") -> str:
    """Source of the bytes of a number in a variable: looked up if it is near 0."""
    return f"(_longs[{value}] if type({value}) is int and -8192 <= {value} < 8192 else _{kind}({value}))"


RUNTIME: dict[str, object] = {
    "_doubts": DOUBTS,
    "_doubtful": Doubtful,
    "_longs": LONGS,
    "_lengths": LENGTHS,
    "_texts": TEXTS,
    "_times": TIMES,
    "_long": long,
    "_int": whole,
    "_boolean": boolean,
    "_text": text,
}
"""The names that generated writers use."""
