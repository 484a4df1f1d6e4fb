"""How the values of one topic that were written with one schema are read: by a generated reader or by fastavro.

Both give the same answers: a generated reader hands over to fastavro whatever is not the usual.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from schemas.builders import DirectBuilder
from schemas.compiler import Read, compiled
from schemas.plans import plan_for
from schemas.reader_source import Unsupported
from schemas.rejections import Rejection

Said = TypeVar("Said")
Fields = dict[str, Any]


class Reading(Generic[Said]):
    """``decode`` answers with what ``build`` makes of the fields, ``fields`` with the fields alone.

    ``uncompiled`` is why fastavro reads what was written with this schema, empty if a generated reader does.
    """

    __slots__ = ("decode", "fields", "uncompiled")

    def __init__(self, topic: str, text: str, build: Callable[[Mapping[str, Any]], Said | Rejection]) -> None:
        self.uncompiled = ""
        plan = plan_for(topic, text)
        if isinstance(plan, Rejection):
            refusal = plan
            self.decode: Read[Said | Rejection] = lambda _value, _start: refusal
            self.fields: Read[Fields | Rejection] = lambda _value, _start: refusal
            return
        slowly = plan.read

        def decode(value: bytes, start: int) -> Said | Rejection:
            fields = slowly(value, start)
            return fields if isinstance(fields, Rejection) else build(fields)

        self.decode, self.fields = decode, slowly
        try:
            self.fields = compiled(topic, text).bind(slowly)
            self.decode = self._compiled_decode(topic, text, build)
        except Unsupported as reason:
            self.uncompiled = str(reason)

    def _compiled_decode(
        self, topic: str, text: str, build: Callable[[Mapping[str, Any]], Said | Rejection]
    ) -> Read[Said | Rejection]:
        """The generated reader, straight into the arguments of a builder that takes them."""
        if isinstance(build, DirectBuilder):
            return compiled(topic, text, build.wanted).bind(self.decode, build.build)
        read = self.fields

        def decode(value: bytes, start: int) -> Said | Rejection:
            fields = read(value, start)
            return fields if isinstance(fields, Rejection) else build(fields)

        return decode
