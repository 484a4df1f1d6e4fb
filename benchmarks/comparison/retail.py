"""Real invoices as input: the UCI "Online Retail" set, or a file of that shape, given by its path.

An invoice line is an order line released and, an hour later on the data's own time axis, its shipment; a line of
a credit note is a return received and put back on the shelf; what was written off is an adjustment. Stock is
invented: nobody published it.
"""

from __future__ import annotations

import csv
import io
import lzma
import re
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.comparison.cluster import BenchmarkFailed, Cluster
from benchmarks.comparison.deployment import Keyed, balances
from benchmarks.comparison.events import Event
from benchmarks.comparison.inputs import Input
from domain.facts import SECOND, Micros
from schemas.codec import Encoder
from schemas.records import AvroRecord, avro_record_of

PLACE = "UK"
SHIPPED_AFTER: Micros = 3600 * SECOND
SOMETIME = "2026-01-01T00:00:00Z"
MOST_UNITS = 100_000
COLUMNS = {"InvoiceNo", "StockCode", "Quantity", "InvoiceDate"}
PRODUCT = re.compile(r"\d{5}[A-Z]*")
"""Everything else is postage, fees, samples and vouchers."""
TOPICS = ("order-released", "shipment-confirmed", "return-recorded", "stock-adjusted")


class InvoiceLine(NamedTuple):
    """One line as the file has it; ``at`` on the data's own time axis."""

    invoice: str
    number: int
    sku: str
    quantity: int
    at: Micros


def invoices(path: Path, most: int) -> list[InvoiceLine]:
    """The first so many product lines of the file, plain or compressed with xz. Raises BenchmarkFailed."""
    try:
        data = path.read_bytes()
        with io.StringIO((lzma.decompress(data) if path.suffix == ".xz" else data).decode(), newline="") as text:
            reader = csv.DictReader(text)
            missing = COLUMNS - set(reader.fieldnames or ())
            if missing:
                raise BenchmarkFailed(f"{path} has no columns {', '.join(sorted(missing))}")
            found = list(islice(_products(reader), most))
    except (OSError, lzma.LZMAError, ValueError) as error:
        raise BenchmarkFailed(f"{path} cannot be read as invoices: {error}") from error
    if not found:
        raise BenchmarkFailed(f"{path} has no line of a product")
    return found


def _products(rows: csv.DictReader[str]) -> Iterator[InvoiceLine]:
    for number, row in enumerate(rows):
        sku, quantity = row["StockCode"].upper(), int(row["Quantity"])
        if PRODUCT.fullmatch(sku) and 0 < abs(quantity) <= MOST_UNITS:
            at = datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=UTC)
            yield InvoiceLine(row["InvoiceNo"], number, sku, quantity, int(at.timestamp()) * SECOND)


def retail_input(cluster: Cluster, lines: list[InvoiceLine]) -> Input:
    """The events of these lines in order of time, the last of them an hour ago; every SKU has stock before."""
    shift = (int(time.time()) - 3600) * SECOND - SHIPPED_AFTER - lines[-1].at
    told = sorted(
        ((at + shift, order, name, line) for order, line in enumerate(lines) for name, at in _said(line)),
        key=lambda each: each[:2],
    )
    writer = _Writer(cluster)
    events = [writer.event(name, line, at) for at, _, name, line in told]
    opened_at = lines[0].at + shift - 60 * SECOND
    skus = {line.sku for line in lines}

    def history() -> Iterator[Keyed]:
        return balances(cluster, skus, (PLACE,), opened_at)

    return Input(events, TOPICS, opened_at, history)


def _said(line: InvoiceLine) -> list[tuple[str, Micros]]:
    """What a line becomes, and when."""
    if line.quantity > 0:
        return [("released", line.at), ("shipped", line.at + SHIPPED_AFTER)]
    if line.invoice.startswith("C"):
        return [("received", line.at), ("disposed", line.at + SHIPPED_AFTER)]
    return [("written off", line.at)]


class _Writer:
    """Encodes events, and counts what every SKU has lost by then."""

    def __init__(self, cluster: Cluster) -> None:
        self._patterns: dict[str, AvroRecord] = {name: avro_record_of(line) for name, line in _PATTERNS.items()}
        self._encoders = {topic: Encoder(topic, cluster.schema_ids[topic]) for topic in TOPICS}
        self._gone: Counter[str] = Counter()
        self._events: Counter[str] = Counter()

    def event(self, name: str, line: InvoiceLine, at: Micros) -> Event:
        """One event; ``units`` of it are what is gone of the SKU once it is counted."""
        pattern, units = self._patterns[name], abs(line.quantity)
        self._gone[line.sku] += _GONE[name] * units
        self._events[line.sku] += 1
        fields = {
            **pattern.fields,
            **_varied(name, line, units),
            "event_id": f"{name}-{line.number}",
            "sku": line.sku,
            "occurred_at": at,
        }
        value = self._encoders[pattern.topic].encode(fields)
        return Event(line.sku.encode(), value, self._events[line.sku], self._gone[line.sku], pattern.topic)


_GONE = {"released": 0, "shipped": 1, "received": 0, "disposed": -1, "written off": 1}


def _varied(name: str, line: InvoiceLine, units: int) -> dict[str, Any]:
    """The fields of the line's own; of a credit note the line is its number in the file."""
    order = {"order_id": line.invoice, "line_id": str(line.number)}
    if name == "released":
        return {**order, "quantity": units}
    if name == "shipped":
        return {**order, "quantity": units, "shipment_id": f"S-{line.invoice}"}
    if name == "written off":
        return {"adjustment_id": f"W-{line.number}", "quantity": -units}
    return {"return_id": f"R-{line.number}", ("quantity" if name == "received" else "restocked"): units}


def _pattern(topic: str, **fields: Any) -> dict[str, Any]:
    common = {"event_id": "e", "source": "wms", "sku": "S", "occurred_at": SOMETIME, "location": PLACE}
    return {"type": topic, **common, **fields}


_PATTERNS = {
    "released": _pattern("order-released", order_id="O", line_id="1", version=1, quantity=1, channel="web"),
    "shipped": _pattern("shipment-confirmed", shipment_id="S", order_id="O", line_id="1", quantity=1),
    "received": _pattern("return-recorded", return_id="R", step="RECEIVED", quantity=1),
    "disposed": _pattern("return-recorded", return_id="R", step="DISPOSED", restocked=1, scrapped=0),
    "written off": _pattern("stock-adjusted", kind="DELTA", adjustment_id="W", quantity=-1, reason="DAMAGE"),
}
