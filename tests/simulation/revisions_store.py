"""The shared side of revisions in Python: what the script of ``connectors.revisions_script`` does.

The simulation runs hundreds of histories against it; a test with a real server gives both the same questions and
wants the same answers.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.limits_sharing import Answers, Question, Told, Verdict


@dataclass
class Store:
    """The days of one account. ``room``: how many listings may have counts in a day."""

    room: int = 1_000_000
    days: dict[int, dict[str, dict[str, int]]] = field(default_factory=dict)
    epochs: dict[int, str] = field(default_factory=dict)
    words = itertools.count(1)

    def ask(self, life: str, day: int, questions: Mapping[str, Question]) -> Answers:
        listings = self.days.setdefault(day, {})
        epoch = self.epochs.setdefault(day, f"epoch-{next(self.words)}")
        told = {}
        for listing, question in questions.items():
            before = listings.get(listing, {})
            counts = dict(before)
            for name, count in question.known.items():
                counts[name] = max(counts.get(name, 0), count)
            others = sum(count for name, count in counts.items() if name != life)
            verdict = Verdict.REFUSED
            if question.target > 0 and others + question.target <= question.most:
                verdict = Verdict.GRANTED
                counts[life] = max(counts.get(life, 0), question.target)
            if counts != before:
                if not before and len(listings) >= self.room:
                    verdict = Verdict.FULL
                else:
                    listings[listing] = counts
            told[listing] = Told(verdict, dict(counts))
        return Answers(epoch, told)
