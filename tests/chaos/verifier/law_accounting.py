"""Law: every record below the committed offset is applied, superseded, a duplicate, dead-lettered, forwarded or
acknowledged, and exactly one of these. Nothing is dead-lettered that was not refused, and everything in a source
topic has an origin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from domain.listing_map import Listed, Subscription, Supply
from schemas.topics import LISTING_EXCHANGE, dead_letter_twin
from tests.chaos.evidence import Evidence, Intent, Violation
from tests.chaos.verifier.logs import Logs, Record, home_of
from tests.chaos.verifier.outcomes import Fate, Letter, Outcome, Outcomes, keeps
from tests.chaos.verifier.recomputation import SOURCES, Input, Kind, Recomputation

LAW = "accounting"
DRAINED = "drained"
LOG = "log"
_CAN_NEVER_SUCCEED = (Intent.POISON, Intent.OVERSIZED)


def violations(evidence: Evidence, recomputed: Recomputation, outcomes: Outcomes) -> Iterator[Violation]:
    """Everything that is lost, invented, or not what was meant."""
    yield from _behind(evidence, recomputed.logs)
    yield from _holes(recomputed.logs)
    yield from _lost(outcomes, recomputed.logs)
    yield from _sums(outcomes, recomputed.logs)
    yield from _letters(outcomes, recomputed)
    yield from _not_as_meant(evidence, recomputed)
    yield from _without_origin(evidence, recomputed)


def figures(outcomes: Outcomes) -> dict[str, int]:
    """How many records had which fate, and how often a dead letter was repeated."""
    counted = Counter(outcome.fate.value for outcome in outcomes)
    origins = Counter(letter.origin for letter in outcomes.letters)
    return {**counted, "dead letters repeated": sum(times - 1 for times in origins.values())}


def _behind(evidence: Evidence, logs: Logs) -> Iterator[Violation]:
    for source in SOURCES:
        for number, records in logs.of(source):
            committed = logs.committed.get((source, number), 0)
            end = evidence.rested.get((source, number), len(records))
            if not end <= committed <= len(records):
                yield Violation(DRAINED, f"{source}[{number}]", f"committed {committed}, the log ends at {end}")


def _holes(logs: Logs) -> Iterator[Violation]:
    """A round's topics begin with it, nothing compacts or expires, and nobody writes transactions."""
    for (topic, number), records in logs.records.items():
        for expected, record in enumerate(records):
            if record.offset != expected:
                yield Violation(
                    LOG, f"{topic}[{number}]", f"offset {expected} is missing, {record.offset} follows"
                )
                break


def _lost(outcomes: Outcomes, logs: Logs) -> Iterator[Violation]:
    for outcome in outcomes:
        if outcome.fate is Fate.LOST and logs.is_committed(outcome.input.record):
            yield Violation(LAW, outcome.input.record.where, _what_is_missing(outcome))


def _what_is_missing(outcome: Outcome) -> str:
    said = outcome.input.said
    return {
        Kind.FACT: f"committed, and the changelog has neither it nor what supersedes it: {said}",
        Kind.STATED: f"committed, and neither the listing's home nor the way there knows of it: {said}",
        Kind.EXCHANGED: f"committed, and the partition of the SKU has no row of it: {said}",
        Kind.ANSWER: f"committed, and no row of the publications knows of the answer: {said}",
        Kind.MISROUTED: f"committed, and there is no copy of it in the partition of its key: {said}",
        Kind.REFUSED: f"committed, and there is no dead letter with its bytes: {said}",
    }[outcome.input.kind]


def _sums(outcomes: Outcomes, logs: Logs) -> Iterator[Violation]:
    for place, found in outcomes.by_partition.items():
        committed = logs.committed.get(place, 0)
        counted = sum(logs.is_committed(outcome.input.record) for outcome in found)
        if counted != committed:
            detail = f"{committed} records are committed, {counted} are accounted for"
            yield Violation(LAW, f"{place[0]}[{place[1]}]", detail)


def _letters(outcomes: Outcomes, recomputed: Recomputation) -> Iterator[Violation]:
    for letter in outcomes.letters:
        problem = _problem_of(letter, recomputed)
        if problem:
            yield Violation(LAW, letter.record.where, problem)
    for channel in recomputed.policy.channels:
        for record in recomputed.logs.all_of(dead_letter_twin(f"channel-updates.{channel}").name):
            yield Violation(LAW, record.where, "a sink refused what a worker planned")


def _problem_of(letter: Letter, recomputed: Recomputation) -> str:
    if letter.origin is None:
        return "a dead letter that does not say where it comes from"
    topic, number, offset = letter.origin
    inputs = recomputed.inputs.get((topic, number), [])
    if dead_letter_twin(topic).name != letter.record.topic or not 0 <= offset < len(inputs):
        return f"a dead letter of {topic}[{number}]@{offset}, where no record is"
    original = inputs[offset]
    if original.kind is not Kind.REFUSED:
        return f"{original.record.where} is sound, and there is a dead letter of it ({letter.reason})"
    if not keeps(letter.record, original.record):
        return f"key, value, headers or time differ from those of {original.record.where}"
    code = getattr(original.said, "code", "")
    return (
        "" if code == letter.reason else f"{original.record.where} is {code}, the dead letter says {letter.reason}"
    )


def _not_as_meant(evidence: Evidence, recomputed: Recomputation) -> Iterator[Violation]:
    for produced in evidence.produced:
        inputs = recomputed.inputs.get((produced.topic, produced.partition), [])
        where = f"{produced.topic}[{produced.partition}]@{produced.offset}"
        if not 0 <= produced.offset < len(inputs):
            yield Violation(LOG, where, "acknowledged to its producer, and not in the log")
            continue
        record, kind, said = inputs[produced.offset]
        if (record.key, record.value, record.headers) != (produced.key, produced.value, produced.headers):
            yield Violation(LOG, where, "other bytes than were produced")
        elif (kind is Kind.REFUSED) != (produced.intent in _CAN_NEVER_SUCCEED):
            yield Violation(LAW, where, f"meant as {produced.intent.value}, read as {kind.value}: {said}")
        elif produced.intent is Intent.MISROUTED and kind is not Kind.MISROUTED:
            yield Violation(LAW, where, f"meant as misrouted, read as {kind.value}")


def _without_origin(evidence: Evidence, recomputed: Recomputation) -> Iterator[Violation]:
    """Records of event topics are the harness's, or copies of its misrouted ones in the partition of their key.

    The harness's producer may send a batch twice, byte for byte, after a broker in trouble let it give up on it.
    """
    known = {(each.topic, each.partition, each.offset) for each in evidence.produced}
    misrouted = {
        (each.record.topic, each.record.content)
        for inputs in recomputed.inputs.values()
        for each in inputs
        if each.kind is Kind.MISROUTED
    }
    for (topic, number), inputs in recomputed.inputs.items():
        if topic == LISTING_EXCHANGE.name:
            yield from _unexplained(inputs, recomputed)
            continue
        own = [each.record.content for each in inputs if (topic, number, each.record.offset) in known]
        sent_twice = set(own) if evidence.outage else set()
        for each in inputs:
            record: Record = each.record
            if each.kind is Kind.ANSWER or (topic, number, record.offset) in known or record.content in sent_twice:
                continue
            if (topic, record.content) not in misrouted:
                yield Violation(
                    LAW, record.where, "neither produced by the harness nor a copy of a misrouted record"
                )
            elif each.kind is Kind.MISROUTED:
                yield Violation(LAW, record.where, "forwarded to a partition that is not that of its key")


def _unexplained(inputs: Iterable[Input], recomputed: Recomputation) -> Iterator[Violation]:
    """Only workers write what partitions tell each other about listings, because of what somebody said of them."""
    for each in inputs:
        said = each.said
        if not isinstance(said, Listed | Subscription | Supply):
            yield Violation(LAW, each.record.where, f"a worker wrote what no worker can read: {said}")
            continue
        receiver = said.sku if isinstance(said, Subscription) else said.listing
        if not recomputed.statements.explain(said):
            yield Violation(LAW, each.record.where, f"nobody said so of the listing: {said}")
        if home_of(receiver.encode(), recomputed.logs.partitions) != each.record.partition:
            yield Violation(LAW, each.record.where, f"not in the partition of {receiver}")
