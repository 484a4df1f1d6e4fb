"""What is wrong with a policy document: each problem with its path and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from domain.policy import DEFAULT_POOL
from schemas.policy_document import SECTIONS, PolicySection
from schemas.rejections import quoted

MAX_PATH_CHARACTERS = 300
"""Characters of a path that are shown; names in a document that is refused may be of any length."""

MAX_PROBLEMS = 50
"""Problems named at once; the rest is counted."""


class PolicyProblem(NamedTuple):
    """``path`` is dotted, such as ``channels.web.cap``."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path[:MAX_PATH_CHARACTERS] or 'policy'}: {self.message}"


class PolicyError(ValueError):
    """A policy document that is refused, with everything that is wrong with it."""

    def __init__(self, problems: Iterable[PolicyProblem]) -> None:
        self.problems = tuple(problems)
        shown = [str(problem) for problem in self.problems[:MAX_PROBLEMS]]
        more = len(self.problems) - len(shown)
        super().__init__("; ".join([*shown, f"and {more} more"] if more else shown))


def section_of(document: Mapping[str, Any]) -> PolicySection:
    """The document's sections. Raises PolicyError for unknown keys, wrong types and values out of bounds."""
    try:
        return PolicySection.model_validate(dict(document))
    except ValidationError as error:
        raise PolicyError(map(_problem, error.errors(include_url=False, include_context=True))) from error


def contradictions(section: PolicySection) -> Iterable[PolicyProblem]:
    """What is wrong between parts of a whole policy that are right by themselves."""
    pools = set(section.pools or (DEFAULT_POOL,))
    for name, pool in (section.pools or {}).items():
        for location in sorted(each for each, count in Counter(pool.locations or ()).items() if count > 1):
            yield PolicyProblem(f"pools.{name}.locations", f"names {location!r} twice; it would count twice")
    for name, channel in (section.channels or {}).items():
        path = f"channels.{name}"
        if (channel.pool or DEFAULT_POOL) not in pools:
            yield _unknown(f"{path}.pool", channel.pool or DEFAULT_POOL, pools, "pool")
        if channel.mode == "EXCLUSIVE" and channel.quota is None:
            yield PolicyProblem(f"{path}.quota", "is missing: mode EXCLUSIVE needs a quota")
        if channel.mode == "PERCENT" and channel.percent is None:
            yield PolicyProblem(f"{path}.percent", "is missing: mode PERCENT needs a percentage")
    yield from _override_contradictions(section, pools)


def _override_contradictions(section: PolicySection, pools: set[str]) -> Iterable[PolicyProblem]:
    categories = section.categories or {}
    for sku, item in (section.items or {}).items():
        if item.category is not None and item.category not in categories:
            yield _unknown(f"items.{sku}.category", item.category, categories, "category")
    for kind, overrides in (("items", section.items or {}), ("categories", categories)):
        for name, override in overrides.items():
            for channel_name, channel in (override.channels or {}).items():
                path = f"{kind}.{name}.channels.{channel_name}"
                if channel_name not in (section.channels or {}):
                    yield _unknown(path, channel_name, section.channels or {}, "channel")
                if channel.pool is not None and channel.pool not in pools:
                    yield _unknown(f"{path}.pool", channel.pool, pools, "pool")


def _unknown(path: str, name: str, known: Iterable[str], what: str) -> PolicyProblem:
    names = sorted(known)
    listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    return PolicyProblem(path, f"{name!r} is no {what} of this policy; there is {listed or 'none'}")


def _problem(error: ErrorDetails) -> PolicyProblem:
    path = ".".join(str(part) for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        return PolicyProblem(path, f"is not known{_suggestion(str(error['loc'][-1]))}")
    if error["type"] == "value_error":
        return PolicyProblem(path, f"{quoted(error['input'])} {error['ctx']['error']}")
    message = error["msg"].replace("Input should be", "must be").replace("valid dictionary", "mapping")
    return PolicyProblem(path, f"{quoted(error['input'])}: {message}")


def _suggestion(key: str) -> str:
    close = get_close_matches(key, _KEYS, 1)
    return f"; did you mean {close[0]}?" if close else "; take it out"


_KEYS = sorted({key for section in SECTIONS for key in section.model_fields})
