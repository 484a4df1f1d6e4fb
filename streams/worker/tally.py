"""What became of events, for the life of the worker: partitions come and go, counters only grow."""

from __future__ import annotations

from collections import Counter

from agents.dead_letters import PREFIX
from agents.ports import Outgoing
from agents.sku_partition import SkuPartition
from schemas.topics import AVAILABILITY_POLICY


class Tally:
    """Sums over partitions."""

    def __init__(self) -> None:
        self.events: Counter[tuple[str, str]] = Counter()
        """By topic and outcome."""
        self.dead_letters: Counter[tuple[str, str]] = Counter()
        """By topic and reason."""
        self.findings: Counter[str] = Counter()

    def add(self, partition: SkuPartition) -> None:
        """Add what a partition counted."""
        for topic, outcomes in partition.intake.counts.items():
            for outcome, count in outcomes.items():
                self.events[topic, outcome] += count
        self.dead_letters += partition.intake.rejections
        self.findings += partition.reported

    def add_policy_letter(self, letter: Outgoing) -> None:
        """Add a document that is no policy."""
        reason = dict(letter.headers or ()).get(f"{PREFIX}reason", b"").decode()
        self.dead_letters[AVAILABILITY_POLICY.name, reason] += 1

    def plus(self, other: Tally) -> Tally:
        """The sum of two."""
        total = Tally()
        total.events = self.events + other.events
        total.dead_letters = self.dead_letters + other.dead_letters
        total.findings = self.findings + other.findings
        return total
