"""What generated writers write, refuse and remember."""

from __future__ import annotations

from typing import Any

import pytest
from fastavro import parse_schema

from domain.steps import Layout, Steps
from schemas import avro_files, encodings
from schemas.avro_names import expanded
from schemas.encoder import Encoder
from schemas.encodings import DOUBTS, LONGS, MAX_TEXT, MAX_TEXTS, Texts, long
from schemas.reader_source import Unsupported
from schemas.steps import Frames, as_items, write_steps
from schemas.writers import generated, writers_of
from tests.properties.avro_pairs import written
from tests.unit.schemas.samples import ORDER_LINE, fields_of_line, schema_of

VARIANCE = {
    "sku": "SKU-1",
    "location": "A",
    "source": "erp",
    "as_of": 1_767_225_610_000_000,
    "sequence": 7,
    "quantity": 95,
    "predicted": 97,
    "units": -2,
    "attribution": ["S-1"],
    "computed_at": 1_767_225_611_000_000,
}


def encoded(**changes: Any) -> bytes:
    return Encoder("stock-variances", 7).encode(VARIANCE | changes)


@pytest.mark.parametrize("topic", avro_files.names())
def test_a_writer_is_generated_for_every_schema_of_ours(topic: str) -> None:
    assert writers_of(topic)


@pytest.mark.parametrize(
    "number", [0, -1, 1, 63, 64, -64, -65, 8_191, 8_192, -8_192, -8_193, 2**27 - 1, 2**27, -(2**27), -(2**27) - 1]
)
def test_numbers_at_the_edges_of_the_tables_are_written_right(number: int) -> None:
    record = VARIANCE | {"quantity": number, "sequence": number, "as_of": number, "computed_at": number}

    assert long(number) == written("long", number)
    assert encoded(**record)[5:] == written(avro_files.reader_schema("stock-variances"), record)
    assert written_steps(Steps("", "", LAYOUT, (number, 0)))[1:].startswith(
        b"\0\0" + encodings.text("balance") + written("long", number)
    )


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1])
def test_a_number_of_more_than_32_bits_is_refused_where_32_are_written(number: int) -> None:
    encoder = Encoder("order-released", 7)
    fields = fields_of_line(ORDER_LINE)

    assert encoder.encode(fields | {"revision": 2**31 - 1})
    with pytest.raises(ValueError, match="revision"):
        encoder.encode(fields | {"revision": number})


def test_numbers_that_are_looked_up_are_written_right() -> None:
    assert all(LONGS[number] == long(number) for number in range(-8_192, 8_192))


def test_a_record_by_position_is_the_record_by_name() -> None:
    assert Encoder("stock-variances", 7).encode(tuple(VARIANCE.values())) == encoded()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": True}, "quantity"),
        ({"quantity": "5"}, "quantity"),
        ({"quantity": None}, "quantity"),
        ({"as_of": 2**63}, "as_of"),
        ({"as_of": -(2**63) - 1}, "as_of"),
        ({"source": b"erp"}, "source"),
        ({"location": 5}, "location"),
        ({"attribution": "S-1"}, "attribution"),
        ({"attribution": [5]}, "attribution"),
        ({"attribution": {"S-1"}}, "attribution"),
    ],
)
def test_a_value_of_another_type_is_refused_with_the_field(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=rf"stock-variances: .*{named}"):
        encoded(**changes)


def test_a_tuple_that_is_too_short_is_refused_with_what_it_should_have() -> None:
    with pytest.raises(ValueError, match="by position is a tuple of sku, location, source"):
        Encoder("stock-variances", 7).encode(("SKU-1", "A"))


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="stock-variances"):
        encoded(sku="\ud800")


def test_texts_of_any_length_are_written() -> None:
    record = VARIANCE | {"sku": "é" * 20_000, "attribution": ["x"] * 20_000}

    assert encoded(**record)[5:] == written(avro_files.reader_schema("stock-variances"), record)


def test_memory_for_texts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = Texts()
    for number in range(MAX_TEXTS + 10):
        assert texts[f"name-{number}"] == encodings.text(f"name-{number}")
    assert len(texts) == 10

    assert texts["x" * (MAX_TEXT + 1)] == encodings.text("x" * (MAX_TEXT + 1))
    assert len(texts) == 10


def test_memory_for_upper_parts_of_numbers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encodings, "MAX_TAILS", 3)
    numbers = [number << 40 for number in range(1, 20)]

    assert [long(number) for number in numbers] == [written("long", number) for number in numbers]
    assert len(encodings._TAILS) <= 3


@pytest.mark.parametrize("kind", ["bytes", "double", ["null", "long", "string"], ["long", "string"]])
def test_a_type_that_no_topic_has_is_not_supported(kind: Any) -> None:
    schema = {"type": "record", "name": "R", "fields": [{"name": "field", "type": kind}]}

    with pytest.raises(Unsupported):
        generated("R", expanded(schema), parse_schema(schema, {}))


LAYOUT = Layout([("balance", "erp, PHYSICAL"), ("net", "")])


def written_steps(*several: Steps) -> bytes:
    out: list[bytes] = []
    write_steps(several, out)
    return b"".join(out)


def test_steps_are_written_as_the_terms_they_are() -> None:
    several = [Steps("location", "A", LAYOUT, (95, -9_000)), Steps("location", "B", LAYOUT, (2**40, 0))]
    (explain,) = [field for field in schema_of("ats-changed")["fields"] if field["name"] == "explain"]

    assert written_steps(*several) == written(explain["type"], as_items(several))
    assert written_steps() == b"\0"


@pytest.mark.parametrize("units", [(1,), (1, 2, 3), (1, 2.0), (1, True), (1, None), (1, 2**63)])
def test_steps_with_odd_units_are_doubted(units: Any) -> None:
    with pytest.raises(DOUBTS):
        written_steps(Steps("location", "A", LAYOUT, units))


def test_memory_for_the_bytes_around_units_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.steps.MAX_FRAMES", 3)
    frames = Frames()
    for number in range(10):
        assert frames["location", f"store-{number}", LAYOUT]

    assert len(frames) <= 3
