"""The schema registry as the rest of the system sees it: texts of writers' schemas, and our own registrations."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from connectors.registry_http import RegistryHttp, RegistryNotFound, RegistryRefused, RegistryUnavailable
from schemas.wire import SchemaAbsent, SchemaRef

__all__ = [
    "Registration",
    "RegistryNotFound",
    "RegistryRefused",
    "RegistryUnavailable",
    "SchemaRegistry",
    "value_subject",
]

MAX_SCHEMAS = 10_000
MAX_ABSENT = 10_000
ABSENT_S = 30.0
"""How long a "there is no such schema" is believed: a producer may register it a moment later."""


@dataclass(frozen=True, slots=True)
class Registration:
    """One version of one subject. `guid` is None from registries that give none."""

    subject: str
    version: int
    schema_id: int
    guid: UUID | None
    schema: str


def value_subject(topic: str) -> str:
    """The subject of a topic's values (TopicNameStrategy)."""
    return f"{topic}-value"


class SchemaRegistry:
    """A SchemaSource with a memory, and the operations that a deployment needs.

    `by_id` and `by_guid` never wait. Everything else blocks: call it in a thread from an event loop. Any number of
    threads may use one object. Schemas are immutable in a registry and stay in memory only: an id means nothing in
    another registry, and a file outlives the registry that it was read from.
    """

    def __init__(self, http: RegistryHttp, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._clock = clock
        self._lock = threading.Lock()
        self._texts: OrderedDict[SchemaRef, str] = OrderedDict()
        self._absent: OrderedDict[SchemaRef, float] = OrderedDict()

    def by_id(self, schema_id: int) -> str | None:
        """The schema's text, None if it is not loaded. Raises SchemaAbsent if the registry has just denied it."""
        return self._known(schema_id)

    def by_guid(self, guid: UUID) -> str | None:
        """The schema's text, None if it is not loaded. Raises SchemaAbsent if the registry has just denied it."""
        return self._known(guid)

    def load(self, ref: SchemaRef) -> None:
        """Ask the registry, so that the next look-up knows the text or that there is none.

        Raises RegistryUnavailable when it does not answer after all attempts, RegistryRefused when it refuses (no
        permission): then nothing is known, and nothing is concluded about the messages that need the schema.
        """
        path = f"/schemas/guids/{ref}" if isinstance(ref, UUID) else f"/schemas/ids/{ref}"
        try:
            text = _text(self._http.request("GET", path), "schema")
        except RegistryNotFound:
            with self._lock:
                self._absent[ref] = self._clock() + ABSENT_S
                _shorten(self._absent, MAX_ABSENT)
            return
        with self._lock:
            self._absent.pop(ref, None)
            self._texts[ref] = text
            _shorten(self._texts, MAX_SCHEMAS)

    def register(self, subject: str, schema: str) -> Registration:
        """Register the schema, or find the version that has it. Raises RegistryRefused (409: incompatible)."""
        answer = self._http.request("POST", f"/subjects/{_quoted(subject)}/versions", {"schema": schema})
        if {"version", "schema", "guid"} <= answer.keys():
            return _registration(subject, answer)
        # Older registries answer with the id alone.
        found = self.find(subject, schema)
        if found is None:
            raise RegistryUnavailable(f"{subject}: registered as id {answer.get('id')}, then not found: try again")
        return found

    def find(self, subject: str, schema: str) -> Registration | None:
        """The version of the subject that has this schema; None without the subject or the schema."""
        try:
            return _registration(
                subject, self._http.request("POST", f"/subjects/{_quoted(subject)}", {"schema": schema})
            )
        except RegistryNotFound:
            return None

    def latest(self, subject: str) -> Registration | None:
        """The newest version of the subject; None without the subject."""
        try:
            return _registration(
                subject, self._http.request("GET", f"/subjects/{_quoted(subject)}/versions/latest")
            )
        except RegistryNotFound:
            return None

    def subjects(self) -> list[str]:
        """The names of all subjects."""
        return [str(name) for name in self._http.request("GET", "/subjects")]

    def incompatibilities(self, subject: str, schema: str) -> list[str]:
        """Why the registry would not take the schema at the subject's level; empty when it would."""
        path = f"/compatibility/subjects/{_quoted(subject)}/versions?verbose=true"
        try:
            answer = self._http.request("POST", path, {"schema": schema})
        except RegistryNotFound:
            return []  # the first version of a subject is compatible with all before it
        if answer.get("is_compatible"):
            return []
        return [str(each) for each in answer.get("messages", [])] or ["the registry gives no reason"]

    def level(self, subject: str) -> str | None:
        """The compatibility level set for the subject itself; None when it has the registry's default."""
        try:
            return _text(self._http.request("GET", f"/config/{_quoted(subject)}"), "compatibilityLevel")
        except RegistryNotFound:
            return None

    def set_level(self, subject: str, level: str) -> None:
        """Set the subject's compatibility level. Raises RegistryRefused when there is no such level."""
        self._http.request("PUT", f"/config/{_quoted(subject)}", {"compatibility": level})

    def _known(self, ref: SchemaRef) -> str | None:
        text = self._texts.get(ref)
        if text is None and self._absent.get(ref, 0.0) > self._clock():
            raise SchemaAbsent(f"the registry {self._http.url} has no schema {ref}")
        return text


def _registration(subject: str, answer: Any) -> Registration:
    try:
        guid = answer.get("guid")
        return Registration(
            subject,
            int(answer["version"]),
            int(answer["id"]),
            UUID(guid) if guid else None,
            _text(answer, "schema"),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RegistryUnavailable(f"{subject}: the answer is not a registry's: {str(answer)[:200]}") from error


def _text(answer: Any, field: str) -> str:
    value = answer.get(field) if isinstance(answer, dict) else None
    if not isinstance(value, str):
        raise RegistryUnavailable(f"the answer has no text `{field}`: {str(answer)[:200]}")
    return value


def _shorten(entries: OrderedDict[SchemaRef, Any], size: int) -> None:
    while len(entries) > size:
        entries.popitem(last=False)


def _quoted(subject: str) -> str:
    return quote(subject, safe="")
