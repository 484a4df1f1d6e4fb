"""Law: what was told last is right. ``ats-changed`` has the numbers of the recomputed state; what a channel was
planned to be told last, what it accepted last and what its answers say is the quantity of those numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from domain.availability import assess
from domain.facts import Acknowledgement, Micros
from domain.listings import ACCEPTED, Listing, due, wanted
from domain.numbers import Assessment
from domain.state import SkuState
from tests.chaos.evidence import ChannelEvidence, Evidence, Violation
from tests.chaos.verifier.logs import home_of
from tests.chaos.verifier.recomputation import Output, Recomputation, newest
from tests.chaos.verifier.shelf import Due, dues

LAW = "last outputs"
GRACE: Micros = 2_000_000
"""Numbers that changed by the clock alone this long before the last record need not have been told yet."""


def violations(evidence: Evidence, recomputed: Recomputation) -> Iterator[Violation]:
    """Every SKU and listing whose last value is not the recomputed one."""
    told = newest(recomputed.told)
    ended = _ended_at(recomputed)
    for sku, state in sorted(recomputed.possible.items()):
        yield from _told(sku, state, told.get(sku), recomputed, ended)
    for sku in sorted(told.keys() - recomputed.possible.keys()):
        yield Violation(LAW, sku, f"{told[sku].record.where}: no event speaks of it")
    for channel in evidence.channels:
        yield from _channel(channel, recomputed, ended)


def _ended_at(recomputed: Recomputation) -> Micros:
    """When the last record was written, by any clock that rounds don't step: until then workers lived."""
    last = [records[-1].timestamp_ms for records in recomputed.logs.records.values() if records]
    return max(last, default=0) * 1_000


def _told(
    sku: str, state: SkuState, last: Output | None, recomputed: Recomputation, ended: Micros
) -> Iterator[Violation]:
    if last is None:
        yield Violation(LAW, sku, "never told to ats-changed")
        return
    if last.record.partition != home_of(sku.encode(), recomputed.logs.partitions):
        yield Violation(LAW, last.record.where, f"not in the partition of {sku}")
    then = assess(state, recomputed.policy, last.collected_at)
    overdue = then.next_change_at is not None and last.collected_at < then.next_change_at < ended - GRACE
    candidates = [assess(state, recomputed.policy, at) for at in (ended, recomputed.now)]
    if not overdue:
        candidates.insert(0, then)
    if any(_same(last.fields, each) for each in candidates):
        return
    yield Violation(LAW, last.record.where, f"{sku}: {_difference(last.fields, candidates[0])}")


def _same(fields: dict[str, Any], assessment: Assessment) -> bool:
    return not _difference(fields, assessment)


def _difference(fields: dict[str, Any], assessment: Assessment) -> str:
    expected: dict[str, dict[str, Any]] = {
        "locations": {name: numbers._asdict() for name, numbers in assessment.locations.items()},
        "pools": {name: pool._asdict() for name, pool in assessment.pools.items()},
        "channels": dict(assessment.channels),
    }
    for part, recomputed in expected.items():
        if fields[part] != recomputed:
            return f"tells {part} {fields[part]}, recomputed {recomputed}"
    return ""


def _channel(seen: ChannelEvidence, recomputed: Recomputation, ended: Micros) -> Iterator[Violation]:
    channel = seen.channel
    if channel not in recomputed.policy.channels:
        return
    planned, shown, answered = newest(recomputed.planned[channel]), seen.shown(), _answered(channel, recomputed)
    due = {each.listing: each for each in dues(channel, recomputed)}
    for listing in sorted(planned.keys() - due.keys()):
        yield Violation(LAW, planned[listing].record.where, f"{listing}: neither a SKU nor a listing of {channel}")
    for listing, expected in due.items():
        where = f"{listing} on {channel}"
        last = planned.get(listing)
        if last is None:
            if expected.always:
                yield Violation(LAW, where, f"{_said(expected)} was never planned")
            continue
        if not _is_due(last, expected, recomputed, channel, ended):
            yield Violation(LAW, where, f"planned {last.fields['quantity']} last, recomputed {_said(expected)}")
        accepted = shown.get(listing)
        if accepted is None or (accepted.publish_seq, accepted.quantity) != (
            last.version,
            last.fields["quantity"],
        ):
            detail = f"the channel shows {accepted}, planned last {last.fields['quantity']} as {last.version}"
            yield Violation(LAW, where, detail)
        if answered.get(listing) != (last.version, last.fields["quantity"]):
            yield Violation(LAW, where, f"{last.version} was planned last, accepted last {answered.get(listing)}")


def _said(due: Due) -> str:
    if due.sku == due.listing:
        return str(due.quantity)
    return f"{due.quantity} of {due.sku}" if due.sku else "0, because it sells nothing"


def _is_due(last: Output, due: Due, recomputed: Recomputation, channel: str, ended: Micros) -> bool:
    return last.fields["quantity"] == due.quantity or waits(last, due.quantity, recomputed, channel, ended)


def waits(last: Output, quantity: int, recomputed: Recomputation, channel: str, ended: Micros) -> bool:
    """Whether the publish policy holds the new value back beyond the last record: a small change, a late rise.

    Rounds rest for longer than that afterwards, so a value that is still due then is seldom met.
    """
    publish = recomputed.policy.channel_of(last.fields["sku"], channel).publish
    listing = Listing(
        last_quantity=last.fields["quantity"], last_sent_at=last.collected_at, publish_seq=last.version
    )
    at = due(wanted(listing, quantity, last.collected_at), publish)
    return at is not None and at > ended


def _answered(channel: str, recomputed: Recomputation) -> dict[str, tuple[int, int]]:
    """The newest accepted update of each listing, as the answers in the topic say."""
    found: dict[str, tuple[int, int]] = {}
    for inputs in recomputed.inputs.values():
        for each in inputs:
            said = each.said
            if isinstance(said, Acknowledgement) and said.channel == channel and said.outcome == ACCEPTED:
                found[said.listing] = max(found.get(said.listing, (0, 0)), (said.publish_seq, said.quantity))
    return found
