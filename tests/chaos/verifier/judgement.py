"""All laws over one round: what is violated, and the figures beside it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

from schemas.policies import policy_of
from tests.chaos.evidence import Evidence, Violation
from tests.chaos.verifier import (
    law_accounting,
    law_channels,
    law_commits,
    law_endings,
    law_listings,
    law_outputs,
    law_state,
    law_versions,
)
from tests.chaos.verifier.decoding import SlowDecoder, TextOf
from tests.chaos.verifier.logs import Logs
from tests.chaos.verifier.outcomes import Outcomes
from tests.chaos.verifier.reading import read_logs, text_of
from tests.chaos.verifier.recomputation import SOURCES, Recomputation


class Judgement(NamedTuple):
    """What is wrong with a round, and how much was looked at."""

    violations: list[Violation]
    figures: Mapping[str, int]


def verify_round(evidence: Evidence) -> list[Violation]:
    """Every violation of a finished round; empty when all laws hold."""
    return examine(evidence).violations


def examine(evidence: Evidence) -> Judgement:
    """Read the round's topics and judge it. Its broker and registry must be up, its programs stopped.

    Raises what the readers raise: a round that cannot be read is no round.
    """
    channels = [channel.channel for channel in evidence.channels]
    logs = read_logs(evidence, sorted({*channels, *policy_of(evidence.policy).channels}))
    return judge(evidence, logs, text_of(evidence.registry_url), time.time_ns() // 1_000)


def judge(evidence: Evidence, logs: Logs, texts: TextOf, now: int) -> Judgement:
    """The same from logs that were read. Pure, but for the programs' log files."""
    policy = policy_of(evidence.policy)
    decoder = SlowDecoder(texts, lambda source: policy.source(source).assume_as_of)
    recomputed = Recomputation(logs, decoder, policy, now)
    outcomes = Outcomes(recomputed)
    found = [
        *law_accounting.violations(evidence, recomputed, outcomes),
        *law_state.violations(recomputed),
        *law_listings.violations(recomputed),
        *law_outputs.violations(evidence, recomputed),
        *law_versions.violations(recomputed),
        *law_commits.violations(evidence.commits, outcomes),
        *law_channels.violations(evidence, recomputed),
        *law_endings.violations(evidence),
    ]
    figures = {
        "input records": sum(len(records) for source in SOURCES for _, records in logs.of(source)),
        **law_accounting.figures(outcomes),
        **law_state.figures(recomputed),
        **law_listings.figures(recomputed),
        **law_versions.figures(recomputed),
        **law_channels.figures(evidence),
        **law_endings.figures(evidence),
        "commits observed": len(evidence.commits),
    }
    return Judgement(found, figures)
