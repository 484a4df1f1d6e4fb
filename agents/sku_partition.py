"""What a worker keeps for one partition of SKUs: facts, what was last published, what is due by the clock."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import islice
from typing import TypeAlias

from agents.causes import Cause
from agents.digest import digest_of
from agents.intake import Arrival, Intake, facts_row
from agents.outputs import ats_changed, inventory_finding, stock_variance
from agents.policy_fingerprint import policy_fingerprint
from agents.ports import Outgoing, Ports
from agents.selling import Selling
from domain.availability import assess, attribution, opened, tally_of
from domain.facts import Acknowledgement, Micros
from domain.numbers import Assessment, Finding, Variance
from domain.planner import CLOCK_SLACK
from domain.policy import Policy
from domain.pruning import forgettable, worth_pruning
from domain.quick import new
from domain.state import SkuState
from domain.steps import steps_of
from schemas.encoder import Record
from schemas.topics import ATS_CHANGED, INVENTORY_FINDINGS, STOCK_VARIANCES
from tables.facts import FactTable
from tables.rows import row_key


class Published:
    """What was last told about a SKU, so that only changes are told."""

    __slots__ = ("digest", "findings", "variances")

    def __init__(self) -> None:
        self.digest = 0
        self.findings: tuple[Finding, ...] = ()
        self.variances: tuple[Variance, ...] = ()


class Wanted:
    """Channel quantities of a SKU after an assessment, for the planner."""

    __slots__ = ("cause", "channels", "sku")

    def __init__(self, sku: str, channels: Mapping[str, int], cause: Cause) -> None:
        self.sku = sku
        self.channels = channels
        self.cause = cause


SLICE_SKUS = 16
SLICE_ACKNOWLEDGEMENTS = 256

Slice: TypeAlias = tuple[list[Outgoing], list[Wanted], Sequence[Acknowledgement]]
"""Part of what an epoch takes from a partition."""


class SkuPartition:
    """Facts in, outputs out, for one partition. Plain and synchronous; the data plane calls it.

    SKUs are assessed once an epoch when an event touched them, when one of their reservations ran out, and in
    the background: all of them after a change of policy, those with something left to tell after an assignment.
    """

    def __init__(self, number: int, ports: Ports, policy: Policy, facts: FactTable | None = None) -> None:
        self.number = number
        self.ports = ports
        self.policy = policy
        self._fingerprint = policy_fingerprint(policy)
        self.facts = FactTable() if facts is None else facts
        self.intake = Intake(number, self.facts, ports)
        self.published: dict[str, Published] = {}
        self.ready = False
        """Whether the partition is recovered and ours; before that it has nothing to say."""
        self.policy_published = ""
        """Fingerprint of the policy under which every SKU was last published; it survives in the changelog."""
        self._told_under = ""
        """The same, when the last SKU was told in the epoch that is not known to be written yet."""
        self.selling = Selling()
        self._expected: dict[str, Micros] = {}
        self._expiries: list[tuple[Micros, str]] = []
        self.assessed_again = 0
        """SKUs the last ``collect`` assessed in the background."""
        self.reported: Counter[str] = Counter()
        """Findings reported so far, by code."""
        self._reassess: deque[str] = deque()
        self._not_queued: Iterator[str] = iter(())
        """SKUs that follow behind ``_reassess``; their names are not looked up before it is their turn."""
        self._to_assess = 0
        self._latest: Micros = 0

    def assigned(self, end_offsets: Mapping[str, int], unsettled: Iterable[str] = ()) -> None:
        """The partition is recovered and ours. ``end_offsets``: per topic, where redelivery may end.

        ``unsettled`` SKUs have something left to tell. All others were told what they are: an epoch that ended
        remembers what it could not tell, and events of one that did not end are delivered again.
        """
        self.ready = True
        self.intake.repair_until = dict(end_offsets)
        for sku in self.facts.timed:
            self.intake.touch(sku)
        if self._fingerprint == self.policy_published:
            found = [sku for sku in unsettled if sku in self.facts]
            self._assess_later(iter(found), len(found))
        else:
            self._assess_later(self.facts.skus(), len(self.facts))

    def adopt(self, policy: Policy) -> None:
        """Decide by another policy from now on; every SKU is assessed again in the background.

        One that decides nothing else, such as one that only asks for a full sync, changes nothing here: sums that
        are kept by the policy stay right.
        """
        fingerprint = policy_fingerprint(policy)
        if fingerprint == self._fingerprint:
            return
        self.policy = policy
        self._fingerprint = fingerprint
        self._assess_later(self.facts.skus(), len(self.facts))

    def _assess_later(self, skus: Iterator[str], count: int) -> None:
        self._reassess.clear()
        self._told_under = ""
        self._not_queued = skus
        self._to_assess = count
        self._queue(1)

    def _queue(self, skus: int) -> None:
        self._reassess.extend(islice(self._not_queued, max(0, skus - len(self._reassess))))

    @property
    def waiting(self) -> int:
        """SKUs that wait to be assessed again in the background, as far as they can be counted."""
        return max(len(self._reassess), self._to_assess)

    def next_wake(self) -> Micros | None:
        """When numbers change without an event: now (0) while a background assessment runs."""
        if self._reassess or self.intake.touched or self._told_under:
            return 0
        wakes = (self._expiries[0][0] if self._expiries else None, self.selling.next_wake())
        return min((wake for wake in wakes if wake is not None), default=None)

    def collect(self, now: Micros, reactions: Mapping[str, Micros], limit: int) -> Iterator[Slice]:
        """Outputs of the epoch, channel quantities for the planner, and acknowledgements that came in.

        In slices, so that the event loop can turn to other things in between; nothing may be folded before the
        last one was taken. ``limit`` bounds the background assessments of one epoch. ``reactions`` says how long
        channels take to show what they are told, where guards are measured by that.
        """
        if now + CLOCK_SLACK < self._latest:
            # The clock was set back: what ran out by it may not have. As after a change of policy.
            self.policy_published = ""
            self._assess_later(self.facts.skus(), len(self.facts))
        self._latest = now
        self.conclude()
        while self._expiries and self._expiries[0][0] <= now:
            at, sku = heappop(self._expiries)
            if self._expected.get(sku) == at:
                del self._expected[sku]
                self.intake.touch(sku)
        for sku in self.selling.due(now, reactions, limit):
            self.intake.touch(sku)
        outgoing, touched, arrivals, acknowledgements = self.intake.take()
        wanted: list[Wanted] = []
        for start in range(0, len(acknowledgements), SLICE_ACKNOWLEDGEMENTS):
            yield [], [], acknowledgements[start : start + SLICE_ACKNOWLEDGEMENTS]
        for count, (sku, cause) in enumerate(touched.items(), 1):
            state = self.facts.state(sku)
            if worth_pruning(state):
                outgoing.extend(self._prune(state, now))
            self._publish(state, cause, now, reactions, outgoing, wanted)
            if count % SLICE_SKUS == 0:
                yield outgoing, wanted, []
                outgoing, wanted = [], []
        yield outgoing, wanted, []
        yield from self._assess_again(now, reactions, limit)
        for start in range(0, len(arrivals), SLICE_SKUS):
            yield list(self._arrived(arrivals[start : start + SLICE_SKUS], now)), [], []

    def conclude(self) -> None:
        """What was told so far is written: then it may be written down that all were told."""
        if self._told_under:
            self.policy_published, self._told_under = self._told_under, ""

    def _publish(
        self,
        state: SkuState,
        cause: Cause,
        now: Micros,
        reactions: Mapping[str, Micros],
        outgoing: list[Outgoing],
        wanted: list[Wanted],
    ) -> None:
        assessment = self._assess(state, now, reactions)
        known = self.published.get(state.sku)
        if known is None:
            known = self.published[state.sku] = Published()
        digest = digest_of(assessment)
        if digest != known.digest or cause.repair:
            steps = steps_of(state, self.policy, assessment)
            record = ats_changed(assessment, steps, self.ports.version(), now, cause)
            outgoing.append(self._out(ATS_CHANGED.name, state.sku, record))
        known.digest = digest
        if assessment.findings is not known.findings or assessment.variances != known.variances:
            self._report(state, assessment, known, cause, now, outgoing)
        self._expect(assessment)
        if assessment.channels:
            wanted.append(Wanted(state.sku, assessment.channels, cause))

    def _assess(self, state: SkuState, now: Micros, reactions: Mapping[str, Micros]) -> Assessment:
        guards = self.selling.guards(state, self.policy, reactions, now) if reactions else None
        return assess(state, self.policy, now, guards)

    def _assess_again(self, now: Micros, reactions: Mapping[str, Micros], limit: int) -> Iterator[Slice]:
        changed = self._fingerprint != self.policy_published
        self._queue(limit + 1)  # one more, to see whether these are the last
        self.assessed_again = min(limit, len(self._reassess))
        if changed and self.policy_published and self._reassess:
            # Written down before the first SKU is told: should the former policy come back, all are told again.
            self.policy_published = ""
            self.assessed_again = 0
            return
        outgoing: list[Outgoing] = []
        wanted: list[Wanted] = []
        for count in range(1, self.assessed_again + 1):
            state = self.facts.peek(self._reassess.popleft())
            if changed:
                self._publish(state, Cause(), now, reactions, outgoing, wanted)
            else:
                assessment = self._assess(state, now, reactions)
                self.published.setdefault(state.sku, Published()).digest = digest_of(assessment)
                self._expect(assessment)
                if assessment.channels:
                    wanted.append(Wanted(state.sku, assessment.channels, Cause()))
            if count % SLICE_SKUS == 0:
                yield outgoing, wanted, []
                outgoing, wanted = [], []
        self._to_assess = self._to_assess - self.assessed_again if self._reassess else 0
        if changed and not self._reassess:
            self._told_under = self._fingerprint
        yield outgoing, wanted, []

    def _report(
        self,
        state: SkuState,
        assessment: Assessment,
        known: Published,
        cause: Cause,
        now: Micros,
        outgoing: list[Outgoing],
    ) -> None:
        event_id = cause.event_ids[-1] if cause.event_ids else None
        outgoing.extend(
            self._finding(state.sku, finding, now, event_id)
            for finding in opened(state, assessment, known.findings)
        )
        known.findings = assessment.findings
        for variance in assessment.variances:
            if variance.units and variance not in known.variances:
                explained = attribution(state, self.policy, variance)
                record = stock_variance(state.sku, variance, explained, now)
                outgoing.append(self._out(STOCK_VARIANCES.name, state.sku, record))
        known.variances = assessment.variances

    def _prune(self, state: SkuState, now: Micros) -> Iterable[Outgoing]:
        facts = forgettable(state, tally_of(state, self.policy), now)
        state.forget(facts)
        return [facts_row(self.number, row_key(state.sku, fact), None) for fact in facts]

    def _arrived(self, arrivals: Iterable[Arrival], now: Micros) -> Iterable[Outgoing]:
        for sku, finding, event_id in arrivals:
            yield self._finding(sku, finding, now, event_id)

    def _finding(self, sku: str, finding: Finding, now: Micros, event_id: str | None) -> Outgoing:
        self.reported[finding.code] += 1
        return self._out(INVENTORY_FINDINGS.name, sku, inventory_finding(sku, finding, now, event_id))

    def _expect(self, assessment: Assessment) -> None:
        at, sku = assessment.next_change_at, assessment.sku
        if at is None:
            self._expected.pop(sku, None)
        elif self._expected.get(sku) != at:
            self._expected[sku] = at
            heappush(self._expiries, (at, sku))

    def _out(self, topic: str, sku: str, record: Record) -> Outgoing:
        return new(Outgoing, (topic, self.number, sku.encode(), self.ports.encode(topic, record), None, None))
