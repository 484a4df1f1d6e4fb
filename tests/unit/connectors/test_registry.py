"""The registry client against a real HTTP server that answers what a test tells it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import pytest

from connectors.registry import (
    ABSENT_S,
    RegistryNotFound,
    RegistryRefused,
    RegistryUnavailable,
    SchemaRegistry,
    value_subject,
)
from connectors.registry_http import RegistryHttp
from schemas.wire import SchemaAbsent

GUID = UUID("6e9c9f2a-8f5f-4c4e-b7a2-0e1f2a3b4c5d")
NOT_FOUND = (404, {"error_code": 40403, "message": "Schema 7 not found"})


class ScriptedRegistry:
    """Answers each request with the next of `answers`, the last one again and again; remembers the requests."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.requests: list[tuple[str, str, Any]] = []
        script = self

        class Answering(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                script.requests.append((self.command, self.path, body))
                status, content = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *_: object) -> None:
                """Keep the test's output free of an access log."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def scripted() -> Iterator[ScriptedRegistry]:
    registry = ScriptedRegistry()
    yield registry
    registry.stop()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(scripted: ScriptedRegistry, waits: list[float]) -> SchemaRegistry:
    return SchemaRegistry(RegistryHttp(scripted.url, timeout_s=5.0, attempts=3, sleep=waits.append))


def test_the_subject_of_a_topic_is_that_of_its_values() -> None:
    assert value_subject("order-released") == "order-released-value"


def test_a_schema_is_not_at_hand_before_it_was_loaded(client: SchemaRegistry) -> None:
    assert client.by_id(7) is None
    assert client.by_guid(GUID) is None


def test_a_loaded_schema_is_at_hand_without_another_request(
    client: SchemaRegistry, scripted: ScriptedRegistry
) -> None:
    scripted.answers = [(200, {"schema": '"string"'})]
    client.load(7)
    client.load(GUID)
    assert client.by_id(7) == '"string"'
    assert client.by_guid(GUID) == '"string"'
    assert [path for _, path, _ in scripted.requests] == ["/schemas/ids/7", f"/schemas/guids/{GUID}"]


def test_what_the_registry_denies_is_known_to_be_absent_for_a_while(scripted: ScriptedRegistry) -> None:
    now = [100.0]
    client = SchemaRegistry(RegistryHttp(scripted.url), clock=lambda: now[0])
    scripted.answers = [NOT_FOUND]
    client.load(7)
    with pytest.raises(SchemaAbsent, match="7"):
        client.by_id(7)
    now[0] += ABSENT_S
    assert client.by_id(7) is None, "after a while it may have been registered: ask again"


def test_a_schema_that_appears_later_is_found(scripted: ScriptedRegistry, client: SchemaRegistry) -> None:
    scripted.answers = [NOT_FOUND, (200, {"schema": '"string"'})]
    client.load(7)
    client.load(7)
    assert client.by_id(7) == '"string"'


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_outage_is_retried_with_growing_waits(
    client: SchemaRegistry, scripted: ScriptedRegistry, waits: list[float], status: int
) -> None:
    scripted.answers = [(status, b"busy"), (status, b"busy"), (200, {"schema": '"string"'})]
    client.load(7)
    assert client.by_id(7) == '"string"'
    assert 0.05 <= waits[0] <= 0.1 <= waits[1] <= 0.2


def test_an_outage_that_lasts_is_no_answer(client: SchemaRegistry, scripted: ScriptedRegistry) -> None:
    scripted.answers = [(503, b"busy")]
    with pytest.raises(RegistryUnavailable, match="503"):
        client.load(7)
    assert len(scripted.requests) == 3
    assert client.by_id(7) is None, "nothing is known about it"


def test_a_registry_that_is_gone_is_an_outage(client: SchemaRegistry, scripted: ScriptedRegistry) -> None:
    scripted.stop()
    with pytest.raises(RegistryUnavailable, match="refused"):
        client.load(7)


@pytest.mark.parametrize(
    "answer",
    [
        (404, b"<html>no such page</html>"),
        (404, {"message": "from a proxy"}),
        (200, b"<html>log in first</html>"),
        (200, {"unexpected": 1}),
        (200, [1]),
    ],
)
def test_what_is_no_registry_is_never_taken_for_a_denial(
    client: SchemaRegistry, scripted: ScriptedRegistry, answer: tuple[int, Any]
) -> None:
    scripted.answers = [answer]
    with pytest.raises(RegistryUnavailable):
        client.load(7)
    assert client.by_id(7) is None


def test_a_path_that_the_registry_does_not_know_is_refused_and_not_absent(
    client: SchemaRegistry, scripted: ScriptedRegistry
) -> None:
    scripted.answers = [(404, {"error_code": 404, "message": "HTTP 404 Not Found"})]
    with pytest.raises(RegistryRefused) as refused:
        client.load(GUID)
    assert not isinstance(refused.value, RegistryNotFound)
    assert client.by_guid(GUID) is None


def test_a_refusal_is_not_retried(client: SchemaRegistry, scripted: ScriptedRegistry) -> None:
    scripted.answers = [(409, {"error_code": 409, "message": "incompatible: field gone"})]
    with pytest.raises(RegistryRefused, match="field gone"):
        client.register("t-value", '"string"')
    assert len(scripted.requests) == 1


def test_an_answer_that_is_too_long_is_not_read(client: SchemaRegistry, scripted: ScriptedRegistry) -> None:
    scripted.answers = [(200, b'{"schema": "' + b"x" * 5_000_000 + b'"}')]
    with pytest.raises(RegistryUnavailable, match="longer than"):
        client.load(7)


def test_a_registry_that_answers_with_the_id_alone_is_asked_for_the_version(
    client: SchemaRegistry, scripted: ScriptedRegistry
) -> None:
    scripted.answers = [(200, {"id": 3}), (200, {"subject": "t", "version": 2, "id": 3, "schema": '"string"'})]
    made = client.register("t", '"string"')
    assert (made.version, made.schema_id, made.guid) == (2, 3, None)


def test_a_subject_is_quoted_in_the_path(client: SchemaRegistry, scripted: ScriptedRegistry) -> None:
    scripted.answers = [(404, {"error_code": 40401, "message": "Subject not found."})]
    assert client.latest("a/b c") is None
    assert scripted.requests[0][1] == "/subjects/a%2Fb%20c/versions/latest"


def test_a_first_schema_is_compatible_with_all_before_it(
    client: SchemaRegistry, scripted: ScriptedRegistry
) -> None:
    scripted.answers = [(404, {"error_code": 40401, "message": "Subject not found."})]
    assert client.incompatibilities("t", '"string"') == []


def test_an_address_that_is_not_http_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="http://"):
        RegistryHttp("file:///etc/passwd")
