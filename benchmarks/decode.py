"""What it costs to make an event of a message: with fastavro, and with a generated reader, in turn.

python -m benchmarks.decode [--records 20000] [--runs 9]

Every figure is CPU time per message, all of it: frame, reading, validation, fact, event, key. Each run takes
both ways in turn over the same messages; the ratio is that of each run, its spread that over all runs.
"""

from __future__ import annotations

import argparse
import gc
import json
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import islice
from statistics import median
from time import process_time
from typing import Any

from fastavro import schemaless_reader

from benchmarks.environment import describe
from schemas import avro_files
from schemas.codec import Decoder, Encoder
from schemas.intake import builders
from schemas.records import avro_record_of
from schemas.rejections import Rejection
from schemas.wire import frame_of

SCHEMA_ID = 7
DISTINCT = 2_000
SECOND = 1_000_000
EXAMPLES = sorted(path for path in (avro_files.FOLDER.parent / "examples").glob("*/*.json"))

Decode = Callable[[str, bytes, bytes], Any]


class OwnSchemas:
    """A registry in which every id stands for the topic's own schema."""

    def __init__(self, topic: str) -> None:
        self._text = avro_files.text(topic)

    def by_id(self, _schema_id: int) -> str:
        """The schema, whatever the id."""
        return self._text

    def by_guid(self, _guid: object) -> str:
        """The schema, whatever the GUID."""
        return self._text


def messages(line: dict[str, Any]) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of variations of a message: other times, quantities and ids."""
    record = avro_record_of(line)
    encoder = Encoder(record.topic, SCHEMA_ID)
    for number in range(DISTINCT):
        fields = dict(record.fields)
        fields["event_id"] = f"ev-{1_000_000 + number}"
        fields["occurred_at"] += number * 37 * SECOND
        if fields.get("quantity") is not None:
            fields["quantity"] = number % 150
        yield record.key, encoder.encode(fields)


def with_fastavro(topic: str) -> Decode:
    """How messages were read before: fastavro makes a dict, the builder takes the fields out of it."""
    schema, build = avro_files.reader_schema(topic), builders()[topic]

    def decode(_topic: str, key: bytes, value: bytes) -> Any:
        frame = frame_of(value, None)
        assert not isinstance(frame, Rejection)
        data = BytesIO(value)
        data.seek(frame.start)
        fields: Any = schemaless_reader(data, schema, None)
        assert data.tell() == len(value)
        event = build(fields)
        assert isinstance(event, Rejection) or key == event.sku.encode()
        return event

    return decode


def seconds(decode: Decode, topic: str, batch: list[tuple[bytes, bytes]], repetitions: int) -> float:
    gc.collect()
    started = process_time()
    for _ in range(repetitions):
        for key, value in batch:
            decode(topic, key, value)
    return process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    print(describe(), end="\n\n")
    print(f"{'message':<58} {'fastavro':>9} {'generated':>9}   ratio: median (least - most)")
    for path in EXAMPLES:
        line = json.loads(path.read_text())
        if line["type"] in builders():
            measure(f"{line['type']}: {path.stem}", line, arguments.records, arguments.runs)


def measure(name: str, line: dict[str, Any], records: int, runs: int) -> None:
    topic = str(line["type"])
    batch = list(islice(messages(line), records))
    repetitions = max(1, records // len(batch))
    slow, fast = with_fastavro(topic), Decoder(OwnSchemas(topic)).decode
    assert [fast(topic, *each) for each in batch] == [slow(topic, *each) for each in batch]
    pairs = [
        (seconds(slow, topic, batch, repetitions), seconds(fast, topic, batch, repetitions)) for _ in range(runs)
    ]
    count = repetitions * len(batch)
    before, after = (median(run) / count * 1e6 for run in zip(*pairs, strict=True))
    ratios = sorted(one / other for one, other in pairs)
    print(
        f"{name:<58} {before:6.2f} us {after:6.2f} us   {median(ratios):.2f} ({ratios[0]:.2f} - {ratios[-1]:.2f})"
    )


if __name__ == "__main__":
    main()
