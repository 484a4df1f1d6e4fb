"""The committed examples and the documentation inside the Avro files are true."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import schemas
from schemas import avro_files
from schemas.codec import Encoder
from schemas.records import avro_record_of, event_of
from schemas.times import micros
from schemas.topics import TOPICS
from tests.unit.schemas.samples import SCHEMA_ID, decoder

EXAMPLES = sorted((Path(schemas.__file__).parent / "examples").glob("*/*.json"))
INPUTS = {topic.name for topic in TOPICS if topic.direction == "input"}
NUMBERS = {"int", "long", "float", "double"}


def topic_of(path: Path) -> str:
    return path.parent.name


def named(path: Path) -> str:
    return f"{topic_of(path)}/{path.stem}"


def test_every_topic_with_a_schema_has_an_example() -> None:
    assert {topic_of(path) for path in EXAMPLES} == set(avro_files.names())


@pytest.mark.parametrize("path", [path for path in EXAMPLES if topic_of(path) in INPUTS], ids=named)
def test_an_input_example_means_the_same_as_json_and_as_bytes(path: Path) -> None:
    line = json.loads(path.read_text())
    record = avro_record_of(line)
    value = Encoder(record.topic, SCHEMA_ID).encode(record.fields)

    assert record.topic == topic_of(path)
    assert decoder(record.topic).decode(record.topic, record.key, value, None) == event_of(line)


@pytest.mark.parametrize("path", [path for path in EXAMPLES if topic_of(path) not in INPUTS], ids=named)
def test_an_output_example_fits_its_schema_and_says_every_field(path: Path) -> None:
    line = json.loads(path.read_text())
    name = line.pop("type")
    schema = json.loads(avro_files.text(name))
    record = {field["name"]: in_micros(field["type"], line[field["name"]]) for field in schema["fields"]}

    read = decoder(name).decode_fields(name, Encoder(name, SCHEMA_ID).encode(record), None)

    assert read == record
    assert set(line) == set(record)


def in_micros(kind: Any, value: Any) -> Any:
    kinds = kind if isinstance(kind, list) else [kind]
    timed = any(isinstance(each, dict) and each.get("logicalType") == "timestamp-micros" for each in kinds)
    return micros(value) if timed and value is not None else value


def documented(schema: Any, path: str) -> list[tuple[str, dict[str, Any]]]:
    """Every named type and field inside a schema, with its path."""
    if isinstance(schema, list):
        return [pair for each in schema for pair in documented(each, path)]
    if not isinstance(schema, dict):
        return []
    found = [(path, schema)] if "name" in schema else []
    for field in schema.get("fields", ()):
        found += [(f"{path}.{field['name']}", field), *documented(field["type"], f"{path}.{field['name']}")]
    return found + documented(schema.get("items"), path) + documented(schema.get("values"), path)


@pytest.mark.parametrize("name", avro_files.names())
def test_every_record_enum_and_field_is_documented(name: str) -> None:
    for path, part in documented(json.loads(avro_files.text(name)), name):
        assert len(part.get("doc", "")) > 10, path


@pytest.mark.parametrize("name", avro_files.names())
def test_every_field_gives_an_example_and_every_number_its_unit(name: str) -> None:
    for path, part in documented(json.loads(avro_files.text(name)), name):
        if part.get("type") in ("record", "enum"):
            continue
        assert re.search(r"Example: .+\.$", part["doc"]), path
        kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
        kinds = [kind["type"] if isinstance(kind, dict) else kind for kind in kinds]
        if NUMBERS & {kind for kind in kinds if isinstance(kind, str)}:
            assert re.search(r"Unit: .+\. Example: ", part["doc"]), path


@pytest.mark.parametrize("name", avro_files.names())
def test_every_time_is_in_microseconds_and_says_so(name: str) -> None:
    for path, part in documented(json.loads(avro_files.text(name)), name):
        if path.endswith(("_at", "as_of", "effective_from")):
            assert "timestamp-micros" in json.dumps(part["type"]), path
            assert "microseconds" in part["doc"], path
