"""Reading what a client of the registry sent; everything malformed is a RegistryRefusal."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from aiohttp import web

from streams.local.registry import errors
from streams.local.registry.store import LATEST

MAX_BODY_BYTES = 1_048_576
MAX_SUBJECT_CHARACTERS = 300


async def body(request: web.Request) -> dict[str, Any]:
    """The request's JSON object."""
    try:
        found = await request.json()
    except ValueError as error:
        raise errors.malformed_body(str(error)) from error
    if not isinstance(found, dict):
        raise errors.malformed_body("the body is not a JSON object")
    return found


async def schema_text(request: web.Request) -> str:
    """The Avro schema in the request."""
    content = await body(request)
    kind = content.get("schemaType") or "AVRO"
    if kind != "AVRO":
        raise errors.invalid_schema(f"type {kind}: this local registry keeps Avro only")
    if content.get("references"):
        raise errors.invalid_schema("this local registry keeps schemas that stand alone, without references")
    text = content.get("schema")
    if not isinstance(text, str):
        raise errors.malformed_body("the field `schema` must be a string with an Avro schema")
    return text


def subject(request: web.Request) -> str:
    """The subject in the path; bounded, because it is kept."""
    name = request.match_info["subject"]
    if not 1 <= len(name) <= MAX_SUBJECT_CHARACTERS or not name.isprintable():
        raise errors.RegistryRefusal(422, 42208, f"Subject: 1 to {MAX_SUBJECT_CHARACTERS} printable characters")
    return name


def version(request: web.Request) -> int:
    """The version in the path: a number from 1, or LATEST for `latest` and -1."""
    text = request.match_info["version"]
    if text in ("latest", "-1"):
        return LATEST
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:11]) < 2**31):
        raise errors.invalid_version(text[:40])
    return int(text)


def schema_id(request: web.Request) -> int:
    """The global id in the path."""
    text = request.match_info["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise errors.schema_not_found(text[:40])
    return int(text)


def guid(request: web.Request) -> UUID:
    """The GUID in the path."""
    text = request.match_info["guid"]
    try:
        return UUID(text)
    except ValueError:
        raise errors.schema_not_found(text[:40]) from None


def flag(request: web.Request, name: str) -> bool:
    """A query parameter that is `true` or not."""
    return request.query.get(name, "").lower() == "true"
