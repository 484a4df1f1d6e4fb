"""Rows on disk, in RocksDB: one database a partition, every row a key of its own.

A row is stored as the *key* ``r <sku> NUL <fact key> 0xff <value>`` with nothing behind it. So two rows of one
fact that differ stand beside each other, writing needs no look at what is there, and nothing is ever overwritten.
Other keys: ``t <sku>`` for SKUs that had a reservation, ``m`` for what the rows are a copy of. Decision 0013 says
why a copy can be trusted.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from itertools import groupby
from typing import Any, NamedTuple

from rocksdict import Options, Rdict, RdictIter, ReadOptions, WriteBatch

from domain.facts import preferred
from tables.rows import fact_of
from tables.store import Row, StoreFailed

FORMAT = 1
_ROW, _TIMED_SKU, _META = b"r", b"t", b"m"
_TIMED = b"reservation\0"
_END_OF_KEY = b"\xff"
_NAMES_AT_ONCE = 256
_WRITE_BUFFER_BYTES = 16 * 1024 * 1024


class Broken(Exception):
    """The files of a database do not fit together. Nothing is lost: fill it from the changelog again."""


class Origin(NamedTuple):
    """What a database is a copy of: the changelog's topic id, up to which offset, and when it was written (s)."""

    topic_id: str
    position: int
    written_s: float


class RocksRows:
    """A ``RowStore`` on disk. Lent SKUs stay here; their new rows come with ``written``.

    ``clock`` tells the seconds since the epoch; ``failure`` is raised, with a message, when the directory is in
    use or cannot be read or written. Raises ``Broken`` when it was written, but not by us or not to the end.
    """

    durable = True

    def __init__(
        self, path: str, clock: Callable[[], float], failure: Callable[[str], Exception] = StoreFailed
    ) -> None:
        self.path = path
        self._clock = clock
        self._failure = failure
        self._superfluous: list[bytes] = []
        self._topic_id = ""
        self.position = 0
        """Every row of the changelog below this offset is here, or adds nothing to what is here."""
        with self._failing("opened"):
            self._db = Rdict(path, _options())
        if (origin := self.origin()) is not None:
            self._topic_id, self.position, _ = origin

    def origin(self) -> Origin | None:
        """What was noted with the last rows; None for a new database, or one of another format."""
        with self._failing("read"):
            noted: Any = self._db.get(_META)
        if noted is None:
            return None
        version, *rest = json.loads(noted)
        return Origin(*rest) if version == FORMAT else None

    def begin(self, topic_id: str) -> None:
        """An empty database: from now on it is a copy of this changelog."""
        self._topic_id = topic_id
        self._write(WriteBatch(raw_mode=True), 0)

    def __len__(self) -> int:
        """Not known: counting SKUs would mean reading all of them."""
        return 0

    def __contains__(self, sku: str) -> bool:
        """Whether there are rows of the SKU."""
        return bool(self._keys(_rows_of(sku), limit=1))

    def skus(self) -> Iterator[str]:
        """Every SKU with rows, in order. What is added meanwhile may be left out."""
        last = b""
        while names := self._names_behind(last):
            yield from map(bytes.decode, names)
            last = names[-1]

    def timed(self) -> set[str]:
        """SKUs that had a reservation."""
        return {key[1:].decode() for key in self._keys(_TIMED_SKU)}

    def merge(self, rows: Iterable[Row]) -> None:
        """Take changelog rows in offset order. What they say twice changes nothing."""
        self._write(self._batch(rows), self.position)

    def reached(self, position: int) -> None:
        """Note how far the changelog was merged."""
        self._write(WriteBatch(raw_mode=True), max(position, self.position))

    def values(self, sku: str) -> Sequence[bytes]:
        """The values of all rows of a SKU."""
        return [_value(row) for row in self._keys(_rows_of(sku))]

    def lend(self, sku: str) -> Sequence[bytes]:
        """The same. Rows that lose against another one of their key are deleted with the next write."""
        rows = self._keys(_rows_of(sku))
        for _, versions in groupby(rows, _name):
            contenders = {fact_of(_value(row)): row for row in versions}
            if len(contenders) > 1:
                del contenders[reduce(preferred, contenders)]
                self._superfluous.extend(contenders.values())
        return [_value(row) for row in rows]

    def settle(self, sku: str, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Its rows are here already."""

    def written(self, rows: Sequence[Row]) -> None:
        """Keep rows of ours that the changelog has acknowledged, and how far it is at least."""
        self._write(self._batch(rows), self.position + len(rows))

    def close(self) -> None:
        """Close the database; everything written stays."""
        with self._failing("closed"):
            self._db.close()

    def _batch(self, rows: Iterable[Row]) -> WriteBatch:
        batch = WriteBatch(raw_mode=True)
        put = batch.put
        fresh: dict[bytes, list[bytes]] = {}
        for key, value in rows:
            name = b"%b%b\xff" % (_ROW, key)
            if value is None:
                for row in [*fresh.pop(name, ()), *self._keys(name)]:
                    batch.delete(row)
                continue
            row = name + value
            put(row, b"")
            fresh.setdefault(name, []).append(row)
            sku, _, rest = key.partition(b"\0")
            if rest.startswith(_TIMED):
                put(_TIMED_SKU + sku, b"")
        return batch

    def _write(self, batch: WriteBatch, position: int) -> None:
        """Rows and how far they go: both or neither."""
        for row in self._superfluous:
            batch.delete(row)
        batch.put(_META, json.dumps([FORMAT, self._topic_id, position, self._clock()]).encode())
        with self._failing("written"):
            self._db.write(batch)
        self._superfluous.clear()
        self.position = position

    def _names_behind(self, last: bytes) -> list[bytes]:
        """The next SKUs. A new iterator each time: an open one would keep the database open."""
        names: list[bytes] = []
        with self._failing("read"):
            found, _bounds = self._iterator(_ROW)
            found.seek(_ROW + last + b"\1" if last else _ROW)
            while found.valid() and len(names) < _NAMES_AT_ONCE:
                names.append(found.key()[1:].partition(b"\0")[0])
                found.seek(_ROW + names[-1] + b"\1")  # past the rows of this one
            found.status()
        return names

    def _keys(self, prefix: bytes, limit: int | None = None) -> list[bytes]:
        """Keys that begin so. An error ends an iterator just as the end of the data does; ``status`` raises it."""
        keys: list[bytes] = []
        with self._failing("read"):
            found, _bounds = self._iterator(prefix)
            found.seek(prefix)
            while found.valid() and len(keys) != limit:
                keys.append(found.key())
                found.next()
            found.status()
        return keys

    def _iterator(self, prefix: bytes) -> tuple[RdictIter, ReadOptions]:
        """Keys that begin so, and the options: they own the bound, which must live as long as the iterator."""
        bounds = ReadOptions()
        if prefix.endswith(_END_OF_KEY):
            bounds.set_iterate_upper_bound(prefix + _END_OF_KEY)  # a value never begins with this byte
        else:
            bounds.set_iterate_upper_bound(prefix[:-1] + bytes((prefix[-1] + 1,)))
        return self._db.iter(bounds), bounds

    @contextmanager
    def _failing(self, action: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if action == "opened" and "orruption" in str(error):
                raise Broken(f"the store {self.path} is broken: {error}") from error
            raise self._failure(_explained(self.path, action, str(error))) from error


def wiped(path: str, failure: Callable[[str], Exception]) -> None:
    """Delete a database, so that it is filled from the changelog again."""
    try:
        shutil.rmtree(path, ignore_errors=False)
    except FileNotFoundError:
        return
    except OSError as error:
        raise failure(_explained(path, "deleted", str(error))) from error


def _rows_of(sku: str) -> bytes:
    return b"%b%b\0" % (_ROW, sku.encode())


def _name(row: bytes) -> bytes:
    return row[: row.index(_END_OF_KEY)]


def _value(row: bytes) -> bytes:
    return row[row.index(_END_OF_KEY) + 1 :]


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_max_background_jobs(2)
    options.set_max_open_files(256)
    options.set_keep_log_file_num(2)
    options.set_max_log_file_size(1024 * 1024)
    return options


def _explained(path: str, action: str, error: str) -> str:
    what = f"the store {path} cannot be {action}: {error}."
    if "lock" in error.lower():
        return f"{what} Another process uses it: give every worker a worker.store_path of its own."
    if "corruption" in error.lower():
        return f"{what} Delete the directory and start again: the changelog has everything."
    return (
        f"{what} Nothing is lost, the changelog has everything: mend the disk (space, rights), then start again."
    )
