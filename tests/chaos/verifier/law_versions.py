"""Law: versions grow, of supplies too. A version says one thing; of one generation they grow in every log; a
former owner of a partition may finish the epoch it was in, and begins none once its successor writes (decision
0007).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain

from domain.facts import Micros
from domain.listings import UNANSWERED
from tests.chaos.evidence import Violation
from tests.chaos.verifier.logs import Partition
from tests.chaos.verifier.recomputation import Output, Recomputation

LAW = "versions"
FENCING = "fencing"
_MILLISECOND: Micros = 1_000


def violations(recomputed: Recomputation) -> Iterator[Violation]:
    """Versions that do not grow, and epochs of workers that had lost the partition."""
    for outputs in by_partition(_all(recomputed)).values():
        told_once = _without_resent(outputs)
        yield from _one_version_one_value(told_once)
        yield from _grow(told_once)
        yield from _late_epochs(_of_their_generation(outputs))
    for supplies in by_partition(_supplies(recomputed)).values():
        told_once = _without_resent(supplies)
        yield from _one_version_one_value(told_once)
        yield from _grow(told_once)
    for outputs in _by_number(recomputed).values():
        yield from _two_owners(_of_their_generation(outputs))


def late(outputs: Iterable[Output]) -> Iterator[Output]:
    """Outputs of one log that came after the first one of a newer generation."""
    newest = 0
    for each in outputs:
        if each.generation < newest:
            yield each
        newest = max(newest, each.generation)


def figures(recomputed: Recomputation) -> dict[str, int]:
    """Outputs, and how many of them came after a newer one of the same SKU or listing."""
    outputs = list(_all(recomputed))
    older = sum(len(_older_after_newer(each)) for each in by_partition(outputs).values())
    return {"outputs": len(outputs), "outputs after a newer one": older}


def _all(recomputed: Recomputation) -> Iterable[Output]:
    return chain(recomputed.told, *recomputed.planned.values())


def _supplies(recomputed: Recomputation) -> Iterator[Output]:
    """What SKUs have for the listings that sell them. They don't tell their epochs."""
    for record, each in recomputed.statements.supplies:
        name = f"{each.sku} for {each.listing} on {each.channel}"
        yield Output(record, name, each.version, 0, {"quantity": each.units})


def by_partition(outputs: Iterable[Output]) -> dict[Partition, list[Output]]:
    """The logs that outputs lie in."""
    found: dict[Partition, list[Output]] = defaultdict(list)
    for each in outputs:
        found[each.record.topic, each.record.partition].append(each)
    return found


def _by_number(recomputed: Recomputation) -> dict[int, list[Output]]:
    """All outputs about the SKUs of one partition: one worker owns the partitions of one number."""
    found: dict[int, list[Output]] = defaultdict(list)
    for each in _all(recomputed):
        found[each.record.partition].append(each)
    return found


def _of_their_generation(outputs: list[Output]) -> list[Output]:
    """Without updates told again because nobody answered: they keep the version of whoever told them first."""
    return [each for each in outputs if each.fields.get("reason") != UNANSWERED]


def _older_after_newer(outputs: list[Output]) -> list[Output]:
    highest: dict[str, int] = {}
    older = []
    for each in outputs:
        if each.version < highest.get(each.name, 0):
            older.append(each)
        highest[each.name] = max(each.version, highest.get(each.name, 0))
    return older


def _without_resent(outputs: list[Output]) -> list[Output]:
    """Without the second of two equal records: a producer that gave up on a batch forgets its sequence numbers, so
    that the broker takes another one of its batches twice when an acknowledgement is lost. At least once, that is.
    """
    seen: set[tuple[str, int, bytes | None]] = set()
    once = []
    for each in outputs:
        content = (each.name, each.version, each.record.value)
        if content not in seen:
            seen.add(content)
            once.append(each)
    return once


def _one_version_one_value(outputs: list[Output]) -> Iterator[Violation]:
    """A version of a SKU is told once; an update that is told again keeps its quantity."""
    said: dict[tuple[str, int], Output] = {}
    for each in outputs:
        known = said.setdefault((each.name, each.version), each)
        quantity = each.fields.get("quantity")
        if known is not each and (quantity is None or known.fields["quantity"] != quantity):
            detail = f"version {each.version} of {each.name} is at {known.record.where}, too"
            yield Violation(LAW, each.record.where, detail)


def _grow(outputs: list[Output]) -> Iterator[Violation]:
    """One producer wrote all of a generation, so the order in the log is its order."""
    highest: dict[tuple[str, int], Output] = {}
    for each in outputs:
        name = (each.name, each.generation)
        known = highest.get(name)
        if known is not None and each.version < known.version:
            detail = (
                f"{each.name}: version {each.version} after {known.version}, both of generation {each.generation}"
            )
            yield Violation(LAW, each.record.where, detail)
        else:
            highest[name] = each


def _late_epochs(outputs: list[Output]) -> Iterator[Violation]:
    """A paused worker may have been in the middle of one epoch; a second one was begun after it woke up."""
    begun: dict[int, dict[Micros, Output]] = defaultdict(dict)
    for each in late(outputs):
        begun[each.generation].setdefault(each.collected_at, each)
    for generation, epochs in begun.items():
        if len(epochs) > 1:
            _, second = sorted(epochs.items())[1]
            detail = f"{len(epochs)} epochs of generation {generation} after a newer generation had written"
            yield Violation(FENCING, second.record.where, detail)


def _two_owners(outputs: list[Output]) -> Iterator[Violation]:
    """An epoch was begun after a newer generation had written about the same partition.

    The later side of the successor's write and the earlier side of the epoch count: a record's time is set after
    its epoch began, by a clock that rounds don't step. An epoch that seems to begin after its own records was
    dated by a clock that was stepped ahead, and tells nothing.
    """
    since: dict[int, Micros] = {}
    for each in outputs:
        written = (each.record.timestamp_ms + 1) * _MILLISECOND
        since[each.generation] = min(written, since.get(each.generation, written))
    reported = set()
    for each in outputs:
        if each.collected_at > (each.record.timestamp_ms + 1) * _MILLISECOND or each.generation in reported:
            continue
        successors = [at for generation, at in since.items() if generation > each.generation]
        if successors and each.collected_at > min(successors):
            reported.add(each.generation)
            seconds = (each.collected_at - min(successors)) / 1e6
            detail = f"generation {each.generation} began an epoch {seconds:.3f} s after its successor had written"
            yield Violation(FENCING, each.record.where, detail)
