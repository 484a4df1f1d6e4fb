"""The local schema registry as Confluent's own client and serializers see it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from confluent_kafka.serialization import MessageField, SerializationContext

confluent = pytest.importorskip(
    "confluent_kafka.schema_registry",
    reason="Confluent's registry client is not installed (confluent-kafka[schemaregistry])",
    exc_type=ImportError,
)
avro = pytest.importorskip("confluent_kafka.schema_registry.avro", exc_type=ImportError)

pytestmark = pytest.mark.integration


def record(*fields: dict[str, Any]) -> str:
    return json.dumps({"type": "record", "name": "Line", "namespace": "test", "fields": list(fields)})


SKU = {"name": "sku", "type": "string"}
UNITS = {"name": "units", "type": "long"}
UNITS_BY_DEFAULT = {**UNITS, "default": 0}


@pytest.fixture
def theirs(registry: str) -> Any:
    return confluent.SchemaRegistryClient({"url": registry})


def refusal(of: Callable[[], object]) -> tuple[int, int]:
    with pytest.raises(confluent.SchemaRegistryError) as refused:
        of()
    return refused.value.http_status_code, refused.value.error_code


def test_confluents_client_reads_back_what_it_registered(theirs: Any, unique: Callable[[str], str]) -> None:
    subject = unique("lines")
    schema = confluent.Schema(record(SKU), "AVRO")
    registered = theirs.register_schema_full_response(subject, schema)
    assert json.loads(theirs.get_schema(registered.schema_id).schema_str) == json.loads(record(SKU))
    assert json.loads(theirs.get_schema_by_guid(registered.guid).schema_str) == json.loads(record(SKU))
    assert subject in theirs.get_subjects()
    assert theirs.get_versions(subject) == [1]
    latest = theirs.get_latest_version(subject)
    assert (latest.version, latest.schema_id, latest.guid) == (1, registered.schema_id, registered.guid)
    assert theirs.lookup_schema(subject, schema).version == 1
    assert theirs.get_version(subject, 1).schema_id == registered.schema_id
    assert subject in theirs.get_subjects_by_schema_id(registered.schema_id)
    assert subject in {each.subject for each in theirs.get_schema_versions(registered.schema_id)}


def test_confluents_serializer_and_deserializer_work_through_it(
    registry: str, unique: Callable[[str], str]
) -> None:
    topic = unique("topic")
    context = SerializationContext(topic, MessageField.VALUE)
    writer = avro.AvroSerializer(confluent.SchemaRegistryClient({"url": registry}), record(SKU, UNITS))
    data = writer({"sku": "S", "units": 3}, context)
    reader = avro.AvroDeserializer(
        confluent.SchemaRegistryClient({"url": registry}), record(SKU, UNITS, {**UNITS_BY_DEFAULT, "name": "new"})
    )
    assert reader(data, context) == {"sku": "S", "units": 3, "new": 0}


def test_errors_are_confluents(theirs: Any, unique: Callable[[str], str]) -> None:
    subject = unique("errors")
    schema = confluent.Schema(record(SKU), "AVRO")
    assert refusal(lambda: theirs.get_latest_version(subject)) == (404, 40401)
    assert refusal(lambda: theirs.lookup_schema(subject, schema)) == (404, 40401)
    assert refusal(lambda: theirs.delete_subject(subject)) == (404, 40401)
    theirs.register_schema(subject, schema)
    assert refusal(lambda: theirs.get_version(subject, 9)) == (404, 40402)
    assert refusal(lambda: theirs.get_version(subject, 0)) == (422, 42202)
    assert refusal(lambda: theirs.lookup_schema(subject, confluent.Schema(record(UNITS), "AVRO"))) == (404, 40403)
    assert refusal(lambda: theirs.get_schema(999_999)) == (404, 40403)
    assert refusal(lambda: theirs.get_schema_by_guid(str(UUID(int=1)))) == (404, 40403)
    assert refusal(lambda: theirs.register_schema(subject, confluent.Schema("{}", "AVRO"))) == (422, 42201)
    assert refusal(lambda: theirs.register_schema(subject, confluent.Schema("{", "AVRO"))) == (422, 42201)
    assert refusal(lambda: theirs.register_schema(subject, confluent.Schema("{}", "JSON"))) == (422, 42201)
    assert refusal(lambda: theirs.set_compatibility(subject, "SIDEWAYS")) == (422, 42203)
    assert refusal(lambda: theirs.get_compatibility(subject)) == (404, 40408)
    assert refusal(lambda: theirs.delete_subject(subject, permanent=True)) == (404, 40405)


def test_an_incompatible_schema_is_refused(theirs: Any, unique: Callable[[str], str]) -> None:
    subject = unique("evolving")
    breaking = confluent.Schema(record(SKU, UNITS), "AVRO")
    fine = confluent.Schema(record(SKU, UNITS_BY_DEFAULT), "AVRO")
    theirs.register_schema(subject, confluent.Schema(record(SKU), "AVRO"))
    assert refusal(lambda: theirs.register_schema(subject, breaking)) == (409, 409)
    assert not theirs.test_compatibility(subject, breaking)
    assert theirs.test_compatibility(subject, fine)
    assert theirs.test_compatibility_all_versions(subject, fine)


def test_a_level_is_set_and_taken_away(theirs: Any, unique: Callable[[str], str]) -> None:
    subject = unique("level")
    theirs.register_schema(subject, confluent.Schema(record(SKU), "AVRO"))
    theirs.set_compatibility(subject, "NONE")
    assert theirs.get_compatibility(subject) == "NONE"
    theirs.register_schema(subject, confluent.Schema(record(UNITS), "AVRO"))
    theirs.delete_config(subject)
    assert refusal(lambda: theirs.get_compatibility(subject)) == (404, 40408)
    assert theirs.get_compatibility() == "BACKWARD"
    assert theirs.get_global_mode() == "READWRITE"


def test_a_deleted_version_is_hidden_and_its_number_is_not_used_again(
    theirs: Any, unique: Callable[[str], str]
) -> None:
    subject = unique("deleted")
    schema_id = theirs.register_schema(subject, confluent.Schema(record(SKU), "AVRO"))
    assert theirs.delete_version(subject, 1) == 1
    assert subject not in theirs.get_subjects()
    assert subject in theirs.get_subjects(deleted=True)
    assert theirs.get_schema(schema_id), "messages written with it can still be read"
    theirs.register_schema(subject, confluent.Schema(record(UNITS), "AVRO"))
    assert theirs.get_versions(subject) == [2]
    assert theirs.delete_subject(subject) == [2]
    assert theirs.delete_subject(subject, permanent=True) == [1, 2]
    assert subject not in theirs.get_subjects(deleted=True)
