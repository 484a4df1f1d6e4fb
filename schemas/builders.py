"""The shape of a builder: what makes an event of the fields of a message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any, Generic, TypeAlias, TypeVar

from domain.facts import Event
from schemas.rejections import Rejection

Said = TypeVar("Said")
AssumeAsOf: TypeAlias = Callable[[str], bool]
"""Whether balances of a source without ``as_of`` are true at ``occurred_at``."""


def never(_source: str) -> bool:
    """No source may leave ``as_of`` out."""
    return False


@dataclass(frozen=True, slots=True)
class DirectBuilder(Generic[Said]):
    """A function whose parameters are the fields it wants, in the order of ``wanted``.

    Messages of frequent topics are read straight into its arguments; a mapping will do as well.
    """

    build: Callable[..., Said]
    wanted: tuple[str, ...]

    def __call__(self, fields: Mapping[str, Any]) -> Said:
        """The same of a mapping that has at least the wanted fields."""
        return self.build(*[fields[name] for name in self.wanted])


def direct(build: Callable[..., Said]) -> DirectBuilder[Said]:
    """The builder of a function: the names of its parameters are the fields it wants."""
    return DirectBuilder(build, tuple(signature(build).parameters))


Builder: TypeAlias = Callable[[Mapping[str, Any]], Event | Rejection]
