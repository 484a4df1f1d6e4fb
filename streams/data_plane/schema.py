"""A batch is its own decoded value.

Relies on Faust: ``Schema.loads_key`` / ``loads_value`` being all the decoding of an event.
"""

from __future__ import annotations

from typing import Any

from faust import Schema


class BatchSchema(Schema[Any, Any]):
    """Hands the batch through."""

    def loads_key(self, app: Any, message: Any, **options: Any) -> Any:
        """Batches have no key."""
        return None

    def loads_value(self, app: Any, message: Any, **options: Any) -> Any:
        """The batch itself."""
        return message.value


def batch_schema() -> BatchSchema:
    """Schema of every topic of the plane."""
    return BatchSchema(key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
