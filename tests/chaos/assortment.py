"""Which SKUs the listings of a channel sell, as somebody says it all the time: in the middle of every fault."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from domain.facts import Micros
from schemas.records import avro_record_of
from schemas.times import iso
from schemas.topics import LISTINGS
from schemas.wire import prefix
from tests.chaos.evidence import Intent
from tests.chaos.mixture import NOWHERE_ID, Planned
from tests.chaos.writers import Writers

SPOKEN_OF, SKU_NAMES = 24, 8
"""How many listings are spoken of at a time, and names of SKUs that are used for listings, too."""
STATEMENTS_PER_NEWCOMER = 12
"""After so many statements another listing is spoken of, and one is left for good: what a fault left of it is not
mended by a later word before the round is judged.
"""
SOLD_SKUS = 24
"""Most listings sell one of so few SKUs that these come and go, and several listings sell one of them."""
EVENTS_PER_STATEMENT = 8
NEVER_HEARD_OF = "SKU-unheard-of"
"""A SKU that no event speaks of."""

_LATE_S = 8.0
_REPEATS_WITHIN = 40
_BROKEN = 0.02
_SECOND: Micros = 1_000_000


class Assortment:
    """Statements about the listings of one channel, without end. ``clock`` says since when each holds."""

    def __init__(self, seed: int, channel: str, skus: int, writers: Writers, clock: Callable[[], Micros]) -> None:
        self._chance = chance = random.Random(f"assortment-{seed}")
        names = [f"SKU-{number}" for number in range(skus)]
        self._channel = channel
        self._skus = names
        self._sold = chance.sample(names, SOLD_SKUS)
        self._sku_names = [*chance.sample(self._sold, SKU_NAMES // 2), *chance.sample(names, SKU_NAMES // 2)]
        self._made = 0
        self._writers = writers
        self._clock = clock
        self._recent: list[Planned] = []
        self._last: dict[str, Any] = {}

    def records(self) -> Iterator[Planned]:
        """What is said next: something new, something late, the same again, or nothing that can be read."""
        chance = self._chance
        while True:
            self._made += 1
            if self._recent and chance.random() < 0.1:
                yield chance.choice(self._recent)._replace(intent=Intent.DUPLICATE)
                continue
            record = self._ended() if chance.random() < 0.06 else self._said(self._line())
            self._recent = [*self._recent, record][-_REPEATS_WITHIN:]
            yield record
            if chance.random() < _BROKEN:
                yield self._broken()

    def _line(self) -> dict[str, Any]:
        """A statement: mostly another SKU, sometimes another pack or the end, or one of the same instant."""
        chance = self._chance
        if self._last and chance.random() < 0.05:
            return {**self._last, "sku": self._sku(), "pack_size": chance.choice((1, 2, 3))}
        listing = self._listing()
        as_of = self._clock()
        if chance.random() < 0.12:
            as_of -= round(chance.uniform(0.0, _LATE_S) * _SECOND)
        line: dict[str, Any] = {
            "type": LISTINGS.name,
            "channel": self._channel,
            "listing": listing,
            "sku": None if chance.random() < 0.12 else self._sku(listing),
            "pack_size": chance.choice((1, 1, 1, 2, 3, 6)),
            "as_of": iso(as_of),
        }
        if chance.random() < 0.3:
            line |= {"price": chance.randrange(1, 10_000), "currency": "EUR"}
        self._last = line
        return line

    def _listing(self) -> str:
        chance = self._chance
        number = self._made // STATEMENTS_PER_NEWCOMER + chance.randrange(SPOKEN_OF)
        if number % 5 == 0:
            return self._sku_names[number // 5 % SKU_NAMES]
        return f"L-{number:04d}"

    def _sku(self, listing: str = "") -> str:
        chance = self._chance
        if listing in self._skus and chance.random() < 0.4:
            return listing  # a SKU that becomes a listing of its own name
        if chance.random() < 0.03:
            return NEVER_HEARD_OF
        return chance.choice(self._sold if chance.random() < 0.9 else self._skus)

    def _said(self, line: dict[str, Any]) -> Planned:
        topic, key, fields = avro_record_of(line)
        written = self._writers.write(topic, fields, self._chance)
        return Planned(topic, None, key, written.value, written.headers, Intent.VALID)

    def _ended(self) -> Planned:
        """A message without a value takes a listing down when it is written."""
        key = f"{self._channel}:{self._listing()}".encode()
        return Planned(LISTINGS.name, None, key, None, (), Intent.VALID)

    def _broken(self) -> Planned:
        topic, key, fields = avro_record_of(self._line())
        spoiled = self._chance.choice(broken_statements(self._writers))(key, fields)
        return Planned(topic, None, *spoiled, (), Intent.POISON)


Spoiled = Callable[[bytes, dict[str, Any]], tuple[bytes | None, bytes | None]]


def broken_statements(writers: Writers) -> list[Spoiled]:
    """Ways in which a statement about a listing is made that can never succeed. A compacted topic takes no record
    without a key.
    """
    topic = LISTINGS.name

    def present(fields: dict[str, Any]) -> bytes:
        return writers.write_present(topic, fields).value

    return [
        lambda key, fields: (key, b""),
        lambda key, fields: (key, b'{"sku": "no avro"}'),
        lambda key, fields: (key, prefix(NOWHERE_ID) + b"x"),
        lambda key, fields: (key, present(fields)[:-4]),
        lambda key, fields: (key, present(fields) + b"\0\0"),
        lambda key, fields: (b"not-" + key, present(fields)),
        lambda key, fields: (key.partition(b":")[0], None),
        lambda key, fields: (key, present({**fields, "pack_size": 0})),
        lambda key, fields: (key, present({**fields, "sku": ""})),
        lambda key, fields: (key, present({**fields, "price": 5, "currency": None})),
    ]


def among(events: Iterator[Planned], statements: Iterator[Planned], per_statement: int) -> Iterator[Planned]:
    """Events in their order with a statement after every so many."""
    for count, event in enumerate(events, 1):
        yield event
        if count % per_statement == 0:
            yield next(statements)
