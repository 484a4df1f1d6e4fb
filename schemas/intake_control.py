"""Acknowledgements of channels and documents of the policy: fields become what they say."""

from __future__ import annotations

from sys import intern

from domain.facts import Acknowledgement
from schemas.checks import Checks, Fields, problem_with
from schemas.limits import (
    LATEST,
    MAX_ID_CHARACTERS,
    MAX_ORDINAL,
    MAX_REASON_CHARACTERS,
    count_problem,
    text_problem,
    time_problem,
)
from schemas.policies import PolicyDocument, PolicyError
from schemas.policy_problems import section_of
from schemas.policy_text import UnreadableText, mapping_of_json
from schemas.rejections import INVALID_JSON, INVALID_POLICY, Rejection, rejection

_ACKNOWLEDGEMENT = Checks(
    texts=("event_id", "channel", "listing"),
    counts=("quantity",),
    ordinals=("publish_seq",),
    times=("occurred_at",),
)
_MAX_LATENCY_MS = LATEST // 1_000
"""An answer may be late, not later than time."""


def acknowledgement(fields: Fields) -> Acknowledgement | Rejection:
    """What a channel answered."""
    reason = fields["reason"]
    problem = (
        problem_with(fields, _ACKNOWLEDGEMENT)
        or count_problem("latency_ms", fields["latency_ms"], _MAX_LATENCY_MS)
        or text_problem((("reason", reason or None),), MAX_REASON_CHARACTERS)
    )
    if problem is not None:
        return problem
    return Acknowledgement(
        intern(fields["channel"]),
        fields["listing"],
        fields["publish_seq"],
        intern(fields["outcome"]),
        fields["quantity"],
        fields["latency_ms"],
        reason,
        fields["occurred_at"],
        fields["previous_quantity"],
    )


def policy_document(fields: Fields) -> PolicyDocument | Rejection:
    """One scope's document, checked by itself; what only fails together with other scopes shows when they are
    merged.

    The message's ``effective_from`` wins over one inside the document.
    """
    scope, version, effective_from = fields["scope"], fields["version"], fields["effective_from"]
    problem = text_problem((("scope", scope),), MAX_ID_CHARACTERS) or count_problem(
        "version", version, MAX_ORDINAL
    )
    if problem is None and effective_from is not None:
        problem = time_problem("effective_from", effective_from)
    if problem is not None:
        return problem
    try:
        document = mapping_of_json(fields["document"])
        section = section_of(document)
    except UnreadableText as error:
        return rejection(INVALID_JSON, "document", str(error))
    except PolicyError as error:
        return rejection(INVALID_POLICY, "document", str(error))
    return PolicyDocument(scope, version, effective_from or section.effective_from, document)


def withdrawn(key: bytes | None) -> PolicyDocument | Rejection:
    """A message without a value withdraws the scope that its key names."""
    try:
        scope = (key or b"").decode()
    except UnicodeDecodeError:
        scope = "\0"
    problem = text_problem((("scope", scope),), MAX_ID_CHARACTERS)
    return problem or PolicyDocument(scope, 0, None, None)
