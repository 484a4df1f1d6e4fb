"""Balances and adjustments: one test tells the valid ones; what it doubts is examined."""

from __future__ import annotations

from functools import partial
from sys import intern

from domain.facts import Adjustment, Balance, Event, Fact, Micros
from domain.quick import new
from schemas import checks
from schemas.builders import AssumeAsOf, DirectBuilder, direct
from schemas.checks import problem_with_event
from schemas.limits import (
    EARLIEST,
    LATEST,
    MAX_ID_CHARACTERS,
    MAX_INCLUDES,
    MAX_QUANTITY,
    MAX_REVISION,
    text_problem,
    time_problem,
)
from schemas.rejections import MISSING_AS_OF, OVERSIZED, Rejection, rejection


def stock_adjusted(assume_as_of: AssumeAsOf) -> DirectBuilder[Event | Rejection]:
    """The builder of a BALANCE or a DELTA.

    A balance without ``as_of`` is true at ``occurred_at`` if its source may assume so.
    """
    return DirectBuilder(partial(_stock_adjusted, assume_as_of), _WANTED)


def _stock_adjusted(
    assume_as_of: AssumeAsOf,
    event_id: str,
    source: str,
    sku: str,
    occurred_at: Micros,
    revision: int,
    correlation_id: str | None,
    kind: str,
    location: str,
    bucket: str,
    quantity: int,
    as_of: Micros | None,
    sequence: int,
    basis: str | None,
    includes: list[str] | None,
    adjustment_id: str | None,
    reason: str,
    document_ref: str | None,
) -> Event | Rejection:
    is_balance = kind == "BALANCE"
    texts = f"{sku}{event_id}{source}{correlation_id}{location}{adjustment_id}{document_ref}"
    if (
        not (sku and event_id and source and location)
        or correlation_id == ""
        or document_ref == ""
        or len(texts) > MAX_ID_CHARACTERS
        or not texts.isprintable()
        or not EARLIEST <= occurred_at < LATEST
        or (revision and not 0 <= revision <= MAX_REVISION)
        or not -MAX_QUANTITY <= quantity <= MAX_QUANTITY
        or (sequence < 0 or basis is None if is_balance else not adjustment_id)
    ):
        problem = problem_with_event(locals(), checks.BALANCE if is_balance else checks.DELTA)
        if problem is not None:
            return problem
    source, location, bucket = intern(source), intern(location), intern(bucket)
    fact: Fact
    if is_balance:
        if as_of is None:
            if not assume_as_of(source):
                return rejection(MISSING_AS_OF, "as_of", "a BALANCE must say when it was true")
            as_of = occurred_at
        problem = None if EARLIEST <= as_of < LATEST else time_problem("as_of", as_of)
        if includes is not None:
            problem = problem or _includes_problem(includes)
        if problem is not None:
            return problem
        assert basis is not None
        basis, listed = intern(basis), None if includes is None else tuple(includes)
        fact = new(
            Balance,
            (location, bucket, source, as_of, sequence, revision, quantity, basis, listed, occurred_at),
        )
    else:
        assert adjustment_id is not None
        why = intern(reason)
        fact = new(
            Adjustment,
            (source, adjustment_id, revision, location, bucket, quantity, why, document_ref, occurred_at),
        )
    return new(Event, ("stock-adjusted", sku, event_id, correlation_id, fact))


_WANTED = direct(_stock_adjusted).wanted[1:]


def _includes_problem(includes: list[str]) -> Rejection | None:
    if len(includes) > MAX_INCLUDES:
        return rejection(OVERSIZED, "includes", f"names {len(includes)} documents, {MAX_INCLUDES} are allowed")
    return text_problem(("includes", document) for document in includes)
