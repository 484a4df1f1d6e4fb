"""When two schema texts are the same schema, and the name that follows from it."""

from __future__ import annotations

import json
from functools import lru_cache
from uuid import UUID, uuid5

from fastavro import parse_schema
from fastavro.schema import SchemaParseException

from schemas.avro_names import SchemaRefused, expanded, parsed
from streams.local.registry.errors import invalid_schema

_GUID_NAMESPACE = UUID("6f1c9d1e-3a57-4c55-9a39-0d3f0d6a4b6c")
_REMEMBERED = 1_024


@lru_cache(maxsize=_REMEMBERED)
def canonical(schema: str) -> str:
    """The same for texts that differ in white space or order of attributes. Raises RegistryRefusal 42201."""
    try:
        value = parsed(schema)
        expanded(value)
        parse_schema(value, {})
    except (SchemaRefused, SchemaParseException) as error:
        raise invalid_schema(str(error)) from error
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


@lru_cache(maxsize=_REMEMBERED)
def guid_of(schema: str) -> UUID:
    """The schema's GUID: the same for the same schema, in every registry of ours. Raises RegistryRefusal 42201."""
    return uuid5(_GUID_NAMESPACE, canonical(schema))
