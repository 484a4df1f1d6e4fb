"""The local schema registry as a program, spoken to by our client."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.registry import RegistryRefused, RegistryUnavailable, SchemaRegistry
from connectors.registry_http import RegistryHttp
from schemas.wire import SchemaAbsent
from streams.local import ports
from streams.local.errors import PortBusy, StartFailed
from streams.local.registry.daemon import LocalRegistry

pytestmark = pytest.mark.integration


def record(*fields: dict[str, Any]) -> str:
    return json.dumps({"type": "record", "name": "Line", "namespace": "test", "fields": list(fields)})


SKU = {"name": "sku", "type": "string"}
UNITS = {"name": "units", "type": "long"}
UNITS_BY_DEFAULT = {**UNITS, "default": 0}


@pytest.fixture
def ours(registry: str) -> SchemaRegistry:
    return SchemaRegistry(RegistryHttp(registry))


@pytest.fixture
def own(tmp_path: Path) -> Iterator[LocalRegistry]:
    server = LocalRegistry(tmp_path)
    server.start()
    yield server
    server.kill()


def asked(registry: str, method: str, path: str, body: bytes | None = None) -> tuple[int, int]:
    request = urllib.request.Request(registry + path, data=body, method=method)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    with refused.value as error:
        return error.status, json.loads(error.read())["error_code"]


def test_a_schema_has_one_id_and_one_guid_under_all_subjects(
    ours: SchemaRegistry, unique: Callable[[str], str]
) -> None:
    one, two, other = (ours.register(unique("same"), record(SKU)) for _ in range(3))
    assert one.schema_id == two.schema_id == other.schema_id
    assert one.guid == two.guid == other.guid
    again = ours.register(one.subject, json.dumps(json.loads(record(SKU)), indent=4))
    assert (again.version, again.schema_id) == (1, one.schema_id), "white space makes no version"


def test_an_incompatible_schema_is_refused_with_the_reason(
    ours: SchemaRegistry, unique: Callable[[str], str]
) -> None:
    subject = unique("evolving")
    ours.register(subject, record(SKU))
    breaking, fine = record(SKU, UNITS), record(SKU, UNITS_BY_DEFAULT)
    with pytest.raises(RegistryRefused, match="units") as refused:
        ours.register(subject, breaking)
    assert refused.value.status == 409
    assert any("units" in reason for reason in ours.incompatibilities(subject, breaking))
    assert ours.incompatibilities(subject, fine) == []
    assert ours.register(subject, fine).version == 2


def test_what_is_asked_wrongly_is_answered_in_json(registry: str) -> None:
    for path, status, code in (
        ("/no/such/path", 404, 404),
        ("/schemas/ids/one", 404, 40403),
        ("/schemas/ids/99999999999999999999", 404, 40403),
        ("/schemas/guids/one", 404, 40403),
        ("/subjects/a/versions/99999999999999999999", 422, 42202),
        (f"/subjects/{'a' * 1000}/versions", 422, 42208),
    ):
        assert asked(registry, "GET", path) == (status, code), path
    for body in (b"", b"[]", b"{}", b'{"schema": 1}', b"\xff"):
        assert asked(registry, "POST", "/subjects/a/versions", body) == (422, 422), body
    assert asked(registry, "POST", "/subjects/a/versions", b"x" * 2_000_000)[0] == 413
    assert asked(registry, "PUT", "/subjects/a/versions", b"{}")[0] == 405


def test_our_client_loads_by_id_and_guid_and_knows_what_is_absent(
    ours: SchemaRegistry, registry: str, unique: Callable[[str], str]
) -> None:
    made = ours.register(unique("loaded"), record(SKU))
    assert made.guid is not None
    reader = SchemaRegistry(RegistryHttp(registry))
    reader.load(made.schema_id)
    reader.load(made.guid)
    assert reader.by_id(made.schema_id) == reader.by_guid(made.guid) == record(SKU)
    reader.load(999_999)
    with pytest.raises(SchemaAbsent):
        reader.by_id(999_999)
    assert reader.find(made.subject, record(SKU)) == made
    assert reader.find(made.subject, record(UNITS)) is None
    assert reader.level(made.subject) is None
    reader.set_level(made.subject, "FULL_TRANSITIVE")
    assert reader.level(made.subject) == "FULL_TRANSITIVE"


def test_what_was_confirmed_survives_a_kill(own: LocalRegistry) -> None:
    client = SchemaRegistry(RegistryHttp(own.url))
    client.set_level("kept", "FULL")
    made = [client.register("kept", record(SKU)), client.register("kept", record(SKU, UNITS_BY_DEFAULT))]
    own.kill()
    with pytest.raises(RegistryUnavailable):
        SchemaRegistry(RegistryHttp(own.url, attempts=1)).subjects()
    own.start()
    assert [client.find("kept", each.schema) for each in made] == made
    assert client.level("kept") == "FULL"
    assert client.register("other", record(UNITS)).schema_id == 3, "ids go on where they were"


def test_an_unconfirmed_line_of_a_crash_is_cut_off(own: LocalRegistry) -> None:
    client = SchemaRegistry(RegistryHttp(own.url))
    client.register("kept", record(SKU))
    own.kill()
    with own.journal.open("ab") as journal:
        journal.write(b'{"change":"register","subject":"torn","ver')
    own.start()
    assert client.subjects() == ["kept"]
    client.register("next", record(SKU))
    own.kill()
    own.start()
    assert client.subjects() == ["kept", "next"]


def test_a_damaged_journal_is_refused_with_its_line(own: LocalRegistry) -> None:
    SchemaRegistry(RegistryHttp(own.url)).register("kept", record(SKU))
    own.stop()
    own.journal.write_bytes(b"damage\n" + own.journal.read_bytes())
    with pytest.raises(StartFailed, match="line 1 is damaged"):
        own.start()


def test_two_registries_do_not_write_one_journal(own: LocalRegistry, tmp_path: Path) -> None:
    second = LocalRegistry(tmp_path / "second")
    second.journal = own.journal
    with pytest.raises(StartFailed, match="in use by another registry"):
        second.start()


def test_a_registry_that_was_stopped_leaves_its_port(own: LocalRegistry) -> None:
    assert own.stop()
    assert own.pid is None
    assert ports.occupant(own.port) is None


def test_a_busy_port_is_refused(tmp_path: Path) -> None:
    with (
        socket.create_server((ports.LOOPBACK, 0)) as taken,
        pytest.raises(PortBusy, match="--registry-port"),
    ):
        LocalRegistry(tmp_path, port=taken.getsockname()[1]).start()
