"""What a round watches: the topics that workers and sinks consume, and those that their effects go to."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.topics import (
    ATS_CHANGED,
    CHANGELOGS,
    FACTS_CHANGELOG,
    INVENTORY_FINDINGS,
    STOCK_VARIANCES,
    channel_updates_topic,
    dead_letter_twin,
)
from tests.chaos.plan import Plan
from tests.chaos.verifier.recomputation import SOURCES
from tests.chaos.watch import Place, Watch
from tests.chaos.writing import Writing

GROUP = "atstream"


def workers_watch(bootstrap: str, plan: Plan) -> Watch:
    """Of the workers' group."""
    effects = [
        *(topic.name for topic in (*CHANGELOGS, ATS_CHANGED, STOCK_VARIANCES, INVENTORY_FINDINGS)),
        *(dead_letter_twin(name).name for name in SOURCES),
        *(channel_updates_topic(name).name for name in plan.channels),
    ]
    return Watch(bootstrap, GROUP, _places(SOURCES, plan), _places(effects, plan))


def sink_watch(bootstrap: str, plan: Plan, channel: str) -> Watch:
    """Of the group of a channel's sinks."""
    updates = _places([channel_updates_topic(channel).name], plan)
    return Watch(bootstrap, f"atstream-sink-{channel}", updates, ())


def workers_writing(bootstrap: str, plan: Plan) -> Writing:
    """The workers' epochs while they are written."""
    return Writing(bootstrap, GROUP, _places(SOURCES, plan), _places([FACTS_CHANGELOG.name], plan))


def _places(topics: Iterable[str], plan: Plan) -> list[Place]:
    return [(topic, number) for topic in topics for number in range(plan.partitions)]
