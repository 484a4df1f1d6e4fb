"""The registry's REST interface: paths, answers and errors as Confluent's clients expect them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from aiohttp import web

from streams.local.registry import requests
from streams.local.registry.errors import RegistryRefusal
from streams.local.registry.identity import guid_of
from streams.local.registry.store import SchemaStore, Version

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
Answer: TypeAlias = dict[str, Any] | list[Any] | int


def create_service(store: SchemaStore) -> web.Application:
    """The application that serves this store."""
    service = web.Application(client_max_size=requests.MAX_BODY_BYTES, middlewares=[_errors_as_json])
    registry = _Registry(store)
    for method, path, operation in registry.operations():
        service.router.add_route(method, path, _answering(operation))
    return service


def _answering(operation: Callable[[web.Request], Awaitable[Answer]]) -> Callable[[web.Request], Any]:
    async def respond(request: web.Request) -> web.Response:
        return web.json_response(await operation(request), content_type=CONTENT_TYPE)

    return respond


@web.middleware
async def _errors_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except RegistryRefusal as refusal:
        return _error(refusal.status, refusal.code, refusal.message)
    except web.HTTPException as error:
        return _error(error.status, error.status, f"HTTP {error.status} {error.reason}: {request.path}")


def _error(status: int, code: int, message: str) -> web.Response:
    return web.json_response({"error_code": code, "message": message}, status=status, content_type=CONTENT_TYPE)


class _Registry:
    """One method per operation; each is one call of the store."""

    def __init__(self, store: SchemaStore) -> None:
        self._store = store

    def operations(self) -> list[tuple[str, str, Callable[[web.Request], Awaitable[Answer]]]]:
        one_subject, one_version = "/subjects/{subject}", "/subjects/{subject}/versions/{version}"
        return [
            ("GET", "/", self.root),
            ("GET", "/schemas/types", self.types),
            ("GET", "/schemas/ids/{id}", self.by_id),
            ("GET", "/schemas/ids/{id}/subjects", self.subjects_of_id),
            ("GET", "/schemas/ids/{id}/versions", self.versions_of_id),
            ("GET", "/schemas/guids/{guid}", self.by_guid),
            ("GET", "/subjects", self.subjects),
            ("POST", one_subject, self.lookup),
            ("DELETE", one_subject, self.delete_subject),
            ("GET", one_subject + "/versions", self.versions),
            ("POST", one_subject + "/versions", self.register),
            ("GET", one_version, self.version),
            ("DELETE", one_version, self.delete_version),
            ("POST", "/compatibility/subjects/{subject}/versions", self.compatible_with_all),
            ("POST", "/compatibility/subjects/{subject}/versions/{version}", self.compatible_with_one),
            ("GET", "/config", self.global_level),
            ("PUT", "/config", self.set_global_level),
            ("GET", "/config/{subject}", self.level),
            ("PUT", "/config/{subject}", self.set_level),
            ("DELETE", "/config/{subject}", self.delete_level),
            ("GET", "/mode", self.mode),
            ("GET", "/mode/{subject}", self.mode),
        ]

    async def root(self, request: web.Request) -> Answer:
        return {}

    async def types(self, request: web.Request) -> Answer:
        return ["AVRO"]

    async def mode(self, request: web.Request) -> Answer:
        return {"mode": "READWRITE"}

    async def by_id(self, request: web.Request) -> Answer:
        text = self._store.by_id(requests.schema_id(request))
        return {"schema": text, "guid": str(guid_of(text))}

    async def by_guid(self, request: web.Request) -> Answer:
        guid = requests.guid(request)
        schema_id, text = self._store.by_guid(guid)
        return {"schema": text, "id": schema_id, "guid": str(guid)}

    async def subjects_of_id(self, request: web.Request) -> Answer:
        return sorted({each.subject for each in self._store.uses(requests.schema_id(request))})

    async def versions_of_id(self, request: web.Request) -> Answer:
        uses = self._store.uses(requests.schema_id(request))
        return [{"subject": each.subject, "version": each.number} for each in uses]

    async def subjects(self, request: web.Request) -> Answer:
        prefix = request.query.get("subjectPrefix", "")
        names = self._store.subjects(deleted=requests.flag(request, "deleted"))
        return [name for name in names if name.startswith(prefix)]

    async def lookup(self, request: web.Request) -> Answer:
        return _described(self._store.lookup(requests.subject(request), await requests.schema_text(request)))

    async def delete_subject(self, request: web.Request) -> Answer:
        subject = requests.subject(request)
        return self._store.purge(subject) if requests.flag(request, "permanent") else self._store.delete(subject)

    async def versions(self, request: web.Request) -> Answer:
        found = self._store.versions(requests.subject(request), deleted=requests.flag(request, "deleted"))
        return [each.number for each in found]

    async def register(self, request: web.Request) -> Answer:
        return _described(self._store.register(requests.subject(request), await requests.schema_text(request)))

    async def version(self, request: web.Request) -> Answer:
        return _described(self._store.version(requests.subject(request), requests.version(request)))

    async def delete_version(self, request: web.Request) -> Answer:
        subject, number = requests.subject(request), requests.version(request)
        return self._store.delete(subject, number)[0]

    async def compatible_with_all(self, request: web.Request) -> Answer:
        subject = requests.subject(request)
        return await self._compatible(request, subject, self._store.versions(subject))

    async def compatible_with_one(self, request: web.Request) -> Answer:
        subject = requests.subject(request)
        return await self._compatible(request, subject, [self._store.version(subject, requests.version(request))])

    async def _compatible(self, request: web.Request, subject: str, earlier: list[Version]) -> Answer:
        reasons = self._store.incompatibilities(subject, await requests.schema_text(request), earlier)
        answer: dict[str, Any] = {"is_compatible": not reasons}
        return {**answer, "messages": reasons} if requests.flag(request, "verbose") else answer

    async def global_level(self, request: web.Request) -> Answer:
        return {"compatibilityLevel": self._store.level()}

    async def set_global_level(self, request: web.Request) -> Answer:
        return await self._set_level(request, None)

    async def level(self, request: web.Request) -> Answer:
        subject = requests.subject(request)
        inherit = requests.flag(request, "defaultToGlobal")
        return {"compatibilityLevel": self._store.level(subject) if inherit else self._store.own_level(subject)}

    async def set_level(self, request: web.Request) -> Answer:
        return await self._set_level(request, requests.subject(request))

    async def _set_level(self, request: web.Request, subject: str | None) -> Answer:
        level = str((await requests.body(request)).get("compatibility")).upper()
        self._store.set_level(subject, level)
        return {"compatibility": level}

    async def delete_level(self, request: web.Request) -> Answer:
        subject = requests.subject(request)
        level = self._store.own_level(subject)
        self._store.set_level(subject, None)
        return {"compatibilityLevel": level}


def _described(version: Version) -> Answer:
    return {
        "subject": version.subject,
        "version": version.number,
        "id": version.schema_id,
        "guid": str(version.guid),
        "schema": version.schema,
    }
