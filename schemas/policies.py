"""A policy document becomes the policy that the core decides with.

``policy_of`` takes a whole document, ``merge_documents`` the documents of all scopes of the ``availability-
policy`` topic. Both raise ``PolicyError``, which names every path that is wrong and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from domain.facts import Micros
from domain.policy import Policy
from schemas.policy_conversion import policy_from
from schemas.policy_display import document_of
from schemas.policy_problems import PolicyError, PolicyProblem, contradictions, section_of
from schemas.policy_text import UnreadableText, mapping_of_text

__all__ = [
    "GLOBAL_SCOPE",
    "PolicyDocument",
    "PolicyError",
    "PolicyProblem",
    "document_of",
    "document_of_text",
    "full_sync_scope",
    "merge_documents",
    "next_effective_at",
    "policy_of",
    "policy_of_text",
]

GLOBAL_SCOPE = "global"
"""The scope that is merged first; all others are laid over it in alphabetical order."""


def full_sync_scope(channel: str) -> str:
    """The scope of a request for a full sync: it comes after all that begin with a letter, and so it holds."""
    return f"~full-sync-{channel}"


class PolicyDocument(NamedTuple):
    """One scope's document. ``document`` is None when the scope was withdrawn; ``effective_from`` None: at
    once.
    """

    scope: str
    version: int
    effective_from: Micros | None
    document: Mapping[str, Any] | None


def document_of_text(text: str) -> dict[str, Any]:
    """The plain values of a YAML or JSON text, each checked by itself. Raises PolicyError."""
    try:
        document = mapping_of_text(text)
    except UnreadableText as error:
        raise PolicyError([PolicyProblem("", str(error))]) from error
    section_of(document)
    return document


def policy_of_text(text: str) -> Policy:
    """The policy of a YAML or JSON text. Raises PolicyError."""
    return policy_of(document_of_text(text))


def policy_of(document: Mapping[str, Any]) -> Policy:
    """The policy of a whole document as plain values. Raises PolicyError."""
    section = section_of(document)
    problems = list(contradictions(section))
    if problems:
        raise PolicyError(problems)
    return policy_from(section)


def merge_documents(documents: Iterable[PolicyDocument], now: Micros) -> Policy:
    """The policy that holds at ``now``: the global document, then each other scope laid over it, deeply merged.

    Documents that are withdrawn or not effective yet are left out. The result has the highest version and the
    latest ``effective_from`` of those that took part. Raises PolicyError, also if the parts only fail together.
    """
    effective = [each for each in documents if each.document is not None and _holds(each, now)]
    effective.sort(key=lambda each: (each.scope != GLOBAL_SCOPE, each.scope))
    merged: Mapping[str, Any] = {}
    for each in effective:
        document = each.document or {}
        merged = _laid_over(merged, document if each.scope == GLOBAL_SCOPE else _without_strays(merged, document))
    starts = [each.effective_from for each in effective if each.effective_from is not None]
    return replace(
        policy_of({key: value for key, value in merged.items() if key not in ("version", "effective_from")}),
        version=max((each.version for each in effective), default=0),
        effective_from=max(starts, default=None),
    )


def next_effective_at(documents: Iterable[PolicyDocument], now: Micros) -> Micros | None:
    """The next instant after ``now`` at which a document of these becomes effective, or None."""
    starts = (each.effective_from for each in documents if each.document is not None)
    return min((start for start in starts if start is not None and start > now), default=None)


def _holds(document: PolicyDocument, now: Micros) -> bool:
    return document.effective_from is None or document.effective_from <= now


def _without_strays(merged: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """A request for a full sync outlives its channel, and must not bring it back with default rules."""
    channels, known = document.get("channels"), merged.get("channels") or {}
    if not channels:
        return document
    kept = {name: rules for name, rules in channels.items() if name in known or not _only_asks(rules)}
    return {**document, "channels": kept}


def _only_asks(rules: Any) -> bool:
    """Whether the rules of a channel ask for a full sync and say nothing else."""
    return (
        isinstance(rules, Mapping)
        and set(rules) == {"publish"}
        and set(rules["publish"] or ()) == {"full_sync_at"}
    )


def _laid_over(wide: Any, narrow: Any) -> Any:
    """Mappings are merged key by key, anything else is replaced."""
    if not isinstance(wide, Mapping) or not isinstance(narrow, Mapping):
        return narrow
    return {**wide, **{key: _laid_over(wide.get(key), value) for key, value in narrow.items()}}
